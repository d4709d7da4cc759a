/** A host misses the snapshot that it made last, whatever the storage shows. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { clearCache } from '../../src/features/cache-store.ts'
import { checkRepository } from '../../src/features/check.ts'
import { rememberedSnapshots, rememberSnapshot } from '../../src/repository/catalogue/last-snapshots.ts'
import { encodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import type { BackupOptions } from '../../src/snapshot/backup-types.ts'
import { namesIn, PERSON } from '../repository/support.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'

async function saved(at: SnapshotPlace, options: Partial<BackupOptions> = {}): Promise<{ name: string; notices: string[] }> {
  const notices: string[] = []
  writeFileSync(join(at.source, 'file'), String(Math.random()))
  const { snapshotId } = await at.save({ onEvent: (event) => event.type === 'notice' && notices.push(event.message), ...options })
  return { name: `0/${snapshotId ?? ''}`, notices: [...notices, ...at.notices.splice(0)] }
}

async function remembered(at: SnapshotPlace, host = PERSON.host): Promise<string[]> {
  return (await rememberedSnapshots(at.repository, host)).map(({ name }) => name)
}

async function plantVerdict(at: SnapshotPlace, swept: readonly string[]): Promise<void> {
  const record = { packs: [], sweep: swept, sweptBefore: [] }
  for (const kind of ['plan', 'verdict', 'done'] as const) {
    await at.backend.create({ type: 'gc', name: gcName(1, kind) }, [encodeGcRecord(at.repository.keyring, 1, kind, record)])
  }
}

describe('the last snapshot of a host', () => {
  test('is remembered, one after the other', async () => {
    await using at = await snapshotPlace()
    for (let i = 0; i < 3; i++) {
      const { name, notices } = await saved(at)
      expect(notices).toEqual([])
      expect(await remembered(at)).toEqual([name])
    }
    expect(await remembered(at, 'another')).toEqual([])
  })

  test('is missed when it has vanished: the next backup says so, and check from then on', async () => {
    await using at = await snapshotPlace()
    await saved(at)
    const lost = await saved(at)
    await at.backend.remove({ type: 'snapshots', name: lost.name })
    const next = await saved(at)
    expect(next.notices).toHaveLength(1)
    expect(next.notices[0]).toContain(lost.name.slice(2, 10))
    expect(next.notices[0]).toContain('vanished')
    expect(await at.latest()).toMatchObject({ previous: lost.name.slice(2), sequence: 3 })
    // It has been said; what keeps missing it is check, on every machine.
    expect((await saved(at)).notices).toEqual([])
    const { findings } = await checkRepository(await at.open(), { threads: 0 })
    expect(findings).toMatchObject([{ severity: 'warning', code: 'snapshot_missing', object: `snapshots/${lost.name}` }])
  })

  test('is missed even when all snapshots have vanished, and when catalogues were cleared', async () => {
    await using at = await snapshotPlace()
    const lost = await saved(at)
    const cleared = await at.open()
    await at.repository[Symbol.asyncDispose]()
    await clearCache(join(at.repository.cacheFolder, '..'), at.repository.id)
    await at.backend.remove({ type: 'snapshots', name: lost.name })
    const notices: string[] = []
    await at.save({ onEvent: (event) => event.type === 'notice' && notices.push(event.message) }, { ...cleared, cacheFolder: at.repository.cacheFolder })
    expect(notices.join()).toContain('vanished')
  })

  test('is not missed when a prune has swept it, or it belongs to another host', async () => {
    await using at = await snapshotPlace()
    const swept = await saved(at)
    await saved(at, { person: { ...PERSON, host: 'another' } })
    await at.backend.remove({ type: 'snapshots', name: swept.name })
    await plantVerdict(at, [swept.name])
    expect((await saved(at)).notices).toEqual([])
    expect((await checkRepository(at.repository, { threads: 0 })).findings).toEqual([])
  })

  test('is not missed when a prune sweeps it while the backup looks for it', async () => {
    await using at = await snapshotPlace()
    const swept = await saved(at)
    const backend: typeof at.backend = {
      ...at.backend,
      async stat(ref, options) {
        if (ref.type === 'snapshots' && ref.name === swept.name) {
          await plantVerdict(at, [swept.name])
          await at.backend.remove(ref)
        }
        return at.backend.stat(ref, options)
      },
    }
    const notices: string[] = []
    await at.save({ onEvent: (event) => event.type === 'notice' && notices.push(event.message) }, { ...at.repository, backend })
    expect(notices).toEqual([])
  })

  test('is not forgotten by a dry run, nor by a backup that fails', async () => {
    await using at = await snapshotPlace()
    const { name } = await saved(at)
    await saved(at, { dryRun: true })
    await expect(at.save({}, { ...at.repository, backend: { ...at.backend, create: (ref, parts) => (ref.type === 'snapshots' ? Promise.reject(new Error('no')) : at.backend.create(ref, parts)) } })).rejects.toThrow('no')
    expect(await remembered(at)).toEqual([name])
  })

  test('of two processes at once is both', async () => {
    await using at = await snapshotPlace()
    const before = await rememberedSnapshots(at.repository, 'h')
    const one = { name: `0/${'1'.repeat(32)}`, sequence: 1 }
    const two = { name: `0/${'2'.repeat(32)}`, sequence: 1 }
    await Promise.all([rememberSnapshot(at.repository, 'h', one, before), rememberSnapshot(at.repository, 'h', two, before)])
    expect((await remembered(at, 'h')).sort()).toEqual([one.name, two.name])
    await rememberSnapshot(at.repository, 'h', { name: `0/${'3'.repeat(32)}`, sequence: 2 }, [one, two])
    expect(await remembered(at, 'h')).toEqual([`0/${'3'.repeat(32)}`])
  })

  test('is told by no name of a host in the cache, however long', async () => {
    await using at = await snapshotPlace()
    const host = `secret-${'x'.repeat(3000)}`
    await saved(at, { person: { ...PERSON, host } })
    expect(readdirSync(join(at.repository.cacheFolder, 'last')).join()).not.toContain('secret')
    expect(await remembered(at, host)).toHaveLength(1)
  })

  test('that cannot be read or written is said, and fails no backup', async () => {
    await using at = await snapshotPlace()
    await saved(at)
    const folder = join(at.repository.cacheFolder, 'last')
    rmSync(folder, { recursive: true })
    writeFileSync(folder, 'no folder')
    const { notices, name } = await saved(at)
    expect(notices).toHaveLength(2)
    expect(await namesIn(at.backend, 'snapshots')).toContain(name)
  })
})

test('check misses a snapshot in the middle of a host\'s chain', async () => {
  await using at = await snapshotPlace()
  await saved(at)
  const lost = await saved(at)
  await saved(at)
  await at.backend.remove({ type: 'snapshots', name: lost.name })
  const { findings } = await checkRepository(await at.open(), { threads: 0 })
  expect(findings).toMatchObject([{ code: 'snapshot_missing', object: `snapshots/${lost.name}` }])
})
