import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { repositoryStats } from '../../src/features/stats.ts'
import { listObjects } from '../../src/repository/objects.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { smallRepository } from './small-repository.ts'

/** Bytes that neither deduplicate nor compress. */
function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

describe('repositoryStats', () => {
  test('counts what restoring would write for each snapshot, and unique blobs once', async () => {
    await using small = await smallRepository()
    const { repository, source } = small
    await mkdir(join(source, 'sub'), { recursive: true })
    await writeFile(join(source, 'a'), noise(300_000, 1))
    await writeFile(join(source, 'sub', 'same as a'), noise(300_000, 1))
    const first = await small.save()
    await writeFile(join(source, 'b'), noise(50_000, 2))
    const second = await small.save()
    const above = source.split('/').length - 1

    const all = await repositoryStats(repository, [first, second], false)
    expect(all).toMatchObject({ snapshots: 2, files: 5, folders: 2 * (above + 1), logicalBytes: 2 * 600_000 + 50_000, missingBlobs: 0 })
    // The trees are small beside the data.
    expect(all.uniqueBytes).toBeGreaterThan(350_000)
    expect(all.uniqueBytes).toBeLessThan(370_000)
    expect(all.compressedBytes).toBeLessThan(all.storedBytes)
    const packs = await listObjects(small.backend, 'packs')
    expect(all.packs).toBe(packs.length)
    let bytes = 0
    for (const type of ['packs', 'index', 'snapshots', 'keys', 'config'] as const) for (const info of await listObjects(small.backend, type)) bytes += info.sizeBytes
    expect(all.storedBytes).toBe(bytes)

    // What two snapshots reach together is what the whole repository holds.
    const both = await repositoryStats(repository, [first, second], true)
    expect(both).toEqual({ ...all, storedBytes: all.compressedBytes })
    const one = await repositoryStats(repository, [first], true)
    expect(one).toMatchObject({ snapshots: 1, files: 2, folders: above + 1, logicalBytes: 600_000 })
    expect(one.uniqueBytes).toBeLessThan(all.uniqueBytes - 50_000)
    expect(one.dataBlobs).toBeLessThan(all.dataBlobs)
  })

  test('adds up to what the snapshot itself says of its files', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    // A list of blobs of its own: more than stands in a node.
    await writeFile(join(small.source, 'large'), noise(1_500_000, 3))
    for (let i = 0; i < 700; i++) await writeFile(join(small.source, `n${i}`), `file ${i}`)
    const snapshot = await small.save()
    const stats = await repositoryStats(small.repository, [snapshot], true)
    expect(stats.files).toBe(snapshot.summary.totalFiles)
    expect(stats.logicalBytes).toBe(snapshot.summary.totalBytes)
    expect(stats.uniqueBytes).toBe(snapshot.summary.dataAdded)
    expect(Math.abs(stats.compressedBytes - snapshot.summary.dataAddedStored)).toBeLessThan(2)
  })

  test('counts blobs that several snapshots share once, and their files for each', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    await writeFile(join(small.source, 'a'), noise(100_000, 5))
    for (let i = 0; i < 5; i++) await small.save()
    const { snapshots } = await loadSnapshots(small.repository)
    const [first] = snapshots
    const single = await repositoryStats(small.repository, [first!], true)
    // The folder for temporary files changes all the time, and its tree with it; the data does not.
    const stats = await repositoryStats(small.repository, snapshots, true)
    expect(stats).toMatchObject({ snapshots: 5, files: 5, folders: 5 * single.folders, logicalBytes: 500_000, dataBlobs: single.dataBlobs })
    expect(stats.uniqueBytes).toBeLessThan(110_000)
  })

  test('is all zero for an empty repository but for what is stored', async () => {
    await using small = await smallRepository()
    const stats = await repositoryStats(small.repository, [], false)
    expect(stats).toMatchObject({ snapshots: 0, files: 0, folders: 0, logicalBytes: 0, uniqueBytes: 0, compressedBytes: 0, dataBlobs: 0, treeBlobs: 0, packs: 0, missingBlobs: 0 })
    expect(stats.storedBytes).toBeGreaterThan(0)
  })

  test('tells of blobs that no index object states', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    await writeFile(join(small.source, 'a'), noise(40_000, 4))
    const snapshot = await small.save()
    for (const { name } of await listObjects(small.backend, 'index')) await small.backend.remove({ type: 'index', name })
    // The trees are in the catalogue; the data is nowhere.
    const stats = await repositoryStats(small.repository, [snapshot], true)
    expect(stats.uniqueBytes).toBe(0)
    expect(stats.missingBlobs).toBeGreaterThan(0)
  })

  test('stops for an aborted signal', async () => {
    await using small = await smallRepository()
    await mkdir(small.source)
    const snapshot = await small.save()
    await expect(repositoryStats(small.repository, [snapshot], true, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})
