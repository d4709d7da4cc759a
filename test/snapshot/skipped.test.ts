/** What a backup could not save as it was: all of it can be read again, however long the list is. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkRepository } from '../../src/features/check.ts'
import { repositoryStats } from '../../src/features/stats.ts'
import { openBlobReader } from '../../src/repository/blob-reader.ts'
import { loadIndex } from '../../src/repository/index-loader.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { blobsOutsideTree } from '../../src/snapshot/references.ts'
import { loadSkipped } from '../../src/snapshot/skipped.ts'
import { SKIPPED_LIMIT, type Snapshot } from '../../src/snapshot/snapshot.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { toHex } from '../../src/util/bytes.ts'
import { namesIn } from '../repository/support.ts'
import { expectRejected } from '../util/expect-error.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'

/** Paths that are not there are skipped, and there may be any number of them. */
function missingPaths(at: SnapshotPlace, count: number): string[] {
  return Array.from({ length: count }, (_, i) => join(at.source, `gone ${String(i).padStart(6, '0')} ${'x'.repeat(60)}`))
}

async function skippedPaths(repository: Repository, snapshot: Snapshot): Promise<string[]> {
  const paths: string[] = []
  for await (const { path, reason } of loadSkipped(repository, snapshot)) {
    expect(reason).toBe('missing')
    paths.push(Buffer.from(path).toString())
  }
  return paths
}

async function references(repository: Repository, snapshot: Snapshot): Promise<{ type: 'data' | 'tree'; id: Uint8Array }[]> {
  const found: { type: 'data' | 'tree'; id: Uint8Array }[] = []
  for await (const { type, id } of blobsOutsideTree(await openTreeReader(repository), snapshot)) found.push({ type, id: id.slice() })
  return found
}

test.each([
  ['stands in the record while it is short', SKIPPED_LIMIT, 'record', 0],
  ['is a few blobs when it is longer', SKIPPED_LIMIT + 1, 'inline', 1],
  ['is a list of blobs when it is long', 15_000, 'list', 17],
] as const)('the list of what was skipped %s', async (_what, count, kind, leastBlobs) => {
  await using at = await snapshotPlace()
  writeFileSync(join(at.source, 'file'), 'x')
  const gone = missingPaths(at, count)
  const result = await at.save({ paths: [join(at.source, 'file'), ...gone] })
  expect(result.skippedCount).toBe(count)
  expect(result.skipped).toHaveLength(SKIPPED_LIMIT)
  for (const repository of [at.repository, await at.open()]) {
    const snapshot = await at.latest(repository)
    expect(snapshot.skippedCount).toBe(count)
    expect(snapshot.skipped).toHaveLength(SKIPPED_LIMIT)
    expect(snapshot.skippedAll?.kind ?? 'record').toBe(kind)
    expect(await skippedPaths(repository, snapshot)).toEqual(gone)
    const used = await references(repository, snapshot)
    expect(used.filter(({ type }) => type === 'data').length).toBeGreaterThanOrEqual(leastBlobs)
    expect(used.some(({ type }) => type === 'tree')).toBe(kind === 'list')
  }
  expect((await checkRepository(at.repository, { threads: 0, readData: { kind: 'all' } })).findings).toEqual([])
}, 120_000)

test('a dry run stores nothing of a long list', async () => {
  await using at = await snapshotPlace()
  writeFileSync(join(at.source, 'file'), 'x')
  const result = await at.save({ paths: [join(at.source, 'file'), ...missingPaths(at, 500)], dryRun: true })
  expect(result.skippedCount).toBe(500)
  expect(await namesIn(at.backend, 'packs')).toEqual([])
})

test('each blob of a long list is used: check misses any that is gone, and says whose it is', async () => {
  await using at = await snapshotPlace()
  writeFileSync(join(at.source, 'file'), 'x')
  await at.save({ paths: [join(at.source, 'file')] })
  const before = new Set(await namesIn(at.backend, 'packs'))
  await at.save({ paths: [join(at.source, 'file'), ...missingPaths(at, 15_000)], parent: await at.latest() })
  const snapshot = await at.latest()
  const used = await references(at.repository, snapshot)
  // Of the second snapshot everything but the list is in the first one's packs, or in its few new trees.
  for (const name of await namesIn(at.backend, 'packs')) if (!before.has(name)) await at.backend.remove({ type: 'packs', name })
  const { findings } = await checkRepository(await at.open(), { threads: 0 })
  const suffering = findings.flatMap(({ suffers }) => suffers).filter(({ part }) => part === 'skipped')
  expect(new Set(suffering.map(({ snapshotId }) => snapshotId))).toEqual(new Set([snapshot.id]))
  const lost = findings.flatMap(({ code, blobs }) => (code === 'pack_missing' ? blobs! : []))
  expect(lost).toEqual(expect.arrayContaining(used.map(({ id }) => toHex(id))))
  const reader = await at.open()
  await loadIndex(reader, { referring: { condemned: new Set() } })
  const blobs = await openBlobReader(reader)
  for (const { type, id } of used) await expectRejected(blobs.load(type, id), 'BLOB_MISSING')
})

test('statistics of one snapshot count the list that hangs on it', async () => {
  await using at = await snapshotPlace()
  writeFileSync(join(at.source, 'file'), 'x')
  await at.save({ paths: [join(at.source, 'file'), ...missingPaths(at, 1000)] })
  const snapshot = await at.latest()
  const used = await references(at.repository, snapshot)
  const stats = await repositoryStats(at.repository, [snapshot], true)
  expect(stats.dataBlobs).toBe(1 + new Set(used.map(({ id }) => toHex(id))).size)
})
