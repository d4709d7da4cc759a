/** Locks in a prune, on storage in memory that refuses to delete what is locked, with days that pass by the test's own clock. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Backend, ObjectRef } from '../../../src/backend/backend.ts'
import { memoryBackend } from '../../../src/backend/memory.ts'
import { configRef } from '../../../src/backend/layout.ts'
import type { PruneEvent } from '../../../src/features/prune/types.ts'
import { unforgetSnapshot } from '../../../src/features/unforget.ts'
import { BackupError } from '../../../src/util/errors.ts'
import { namesIn, PERSON } from '../../repository/support.ts'
import { prunePlace } from './place.ts'

vi.setConfig({ testTimeout: 120_000 })

const dayMs = 24 * 60 * 60 * 1000
const lock = { mode: 'governance', spanMs: 30 * dayMs } as const
const start = Date.UTC(2030, 0, 1)

describe('prune where objects are locked', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: start }))
  afterEach(() => void vi.useRealTimers())

  const after = (days: number): void => void vi.setSystemTime(start + days * dayMs)

  async function ends(backend: Backend, type: ObjectRef['type']): Promise<number[]> {
    const names = await namesIn(backend, type)
    return Promise.all(names.map(async (name) => (((await backend.lockOf!({ type, name }))?.untilMs ?? Number.NaN) - start) / dayMs))
  }

  test('locks on what is used, and only when a tenth of the span is over', async () => {
    await using at = await prunePlace(memoryBackend(), lock)
    at.fill(0, 5)
    await at.keep()
    for (const type of ['config', 'keys', 'packs', 'index', 'snapshots'] as const) expect(new Set(await ends(at.backend, type)), type).toEqual(new Set([30]))
    after(2)
    expect(await at.prune()).toMatchObject({ outcome: 'nothing to do', extendedLocks: 0 })
    after(10)
    expect((await at.prune({ dryRun: true })).extendedLocks).toBe(0)
    expect((await at.prune()).extendedLocks).toBeGreaterThanOrEqual(5)
    for (const type of ['config', 'keys', 'packs', 'index', 'snapshots'] as const) expect(new Set(await ends(at.backend, type)), type).toEqual(new Set([40]))
    // Whoever locked more strictly is not overruled.
    await at.backend.setLock!(configRef, { mode: 'compliance', untilMs: start + 50 * dayMs })
    after(25)
    await at.prune()
    expect(await at.backend.lockOf!(configRef)).toEqual({ mode: 'compliance', untilMs: start + 55 * dayMs })
    await at.expectWhole()
  })

  test('keeps a forgotten snapshot whole until its lock ends, and frees it then, though prunes ran every day', async () => {
    await using at = await prunePlace(memoryBackend(), lock)
    at.fill(0, 6)
    const first = await at.keep()
    at.empty(0, 6)
    at.fill(6, 8)
    await at.keep()
    await at.forget(first)
    const packs = await namesIn(at.backend, 'packs')
    for (let day = 1; day < 30; day += 4) {
      after(day)
      const { plan, outcome } = await at.prune()
      expect(outcome).toBe('nothing to do')
      expect(plan?.locked).toMatchObject({ snapshots: 1, untilMs: start + 30 * dayMs })
      expect(await namesIn(at.backend, 'packs')).toEqual(packs)
    }
    after(31)
    const freed = await at.prune()
    expect(freed).toMatchObject({ outcome: 'done', sweptSnapshots: 1, lockedPacks: 0 })
    expect(freed.deletedPacks).toBeGreaterThan(0)
    await at.expectWhole()
  })

  test('what was kept by its lock can be had back', async () => {
    await using at = await prunePlace(memoryBackend(), lock)
    at.fill(0, 6)
    const first = await at.keep()
    at.fill(0, 6, 1)
    await at.keep()
    await at.forget(first)
    after(29)
    await at.prune()
    await unforgetSnapshot(at.repository, `0/${first}`, { person: PERSON })
    after(29.5)
    await at.prune()
    after(58)
    expect(await at.prune()).toMatchObject({ outcome: 'nothing to do' })
    expect(new Set(await ends(at.backend, 'packs')).size).toBe(1)
  })

  test('a pack that is written anew stays beside its copies until its lock ends', async () => {
    await using at = await prunePlace(memoryBackend(), lock)
    at.fill(0, 12)
    const first = await at.keep()
    at.empty(0, 10)
    after(20)
    await at.keep()
    await at.forget(first)
    for (const name of await namesIn(at.backend, 'packs')) {
      const ref = { type: 'packs', name } as const
      if ((await at.backend.lockOf!(ref))!.untilMs < start + 40 * dayMs) await at.backend.setLock!(ref, { mode: 'governance', untilMs: start + 40 * dayMs })
    }
    after(30.5)
    const events: PruneEvent[] = []
    const anew = await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 }, onEvent: (event) => events.push(event) })
    expect(anew).toMatchObject({ outcome: 'done', deletedPacks: 0 })
    expect(anew.lockedPacks).toBeGreaterThan(0)
    expect(events).toContainEqual(expect.objectContaining({ type: 'locked', untilMs: start + 40 * dayMs }))
    await at.expectWhole()
    after(35)
    const still = await at.prune()
    expect(still).toMatchObject({ outcome: 'nothing to do' })
    expect(still.plan!.locked.packs).toBeGreaterThanOrEqual(anew.lockedPacks)
    after(41)
    expect((await at.prune()).deletedPacks).toBeGreaterThanOrEqual(anew.lockedPacks)
    await at.expectWhole()
  })

  test('a lock that comes between decision and deletion keeps the pack, and nothing else is lost by it', async () => {
    const inner = memoryBackend()
    let refusals = 0
    const refusing: Backend = {
      ...inner,
      async remove(ref, options) {
        if (ref.type !== 'packs' && ref.type !== 'snapshots') return inner.remove(ref, options)
        refusals++
        throw new BackupError('BACKEND_DENIED', 'an Object Lock keeps it', { details: { isLocked: true } })
      },
    }
    await using at = await prunePlace(inner)
    at.fill(0, 6)
    const first = await at.keep()
    at.empty(0, 6)
    at.fill(6, 8)
    await at.keep()
    await at.forget(first)
    const repository = await at.open(refusing)
    const refused = await at.prune({}, repository)
    expect(refused).toMatchObject({ outcome: 'done', deletedPacks: 0, sweptSnapshots: 0 })
    expect(refused.lockedPacks).toBeGreaterThan(0)
    expect(refusals).toBeGreaterThan(1)
    await at.expectWhole()
    expect((await at.prune()).deletedPacks).toBe(refused.lockedPacks)
    await at.expectWhole()
  })

  test('who may not lock is told before anything is deleted', async () => {
    const inner = memoryBackend()
    await using at = await prunePlace(inner, lock)
    at.fill(0, 4)
    await at.keep()
    after(10)
    const refusing: Backend = { ...inner, setLock: async () => Promise.reject(new BackupError('BACKEND_DENIED', 'not permitted')) }
    await expect(at.prune({}, await at.open(refusing))).rejects.toMatchObject({ code: 'PRUNE_REFUSED', message: expect.stringContaining('could not be locked for longer (not permitted)') as string })
  })

  test('a copy on storage without locks is backed up to and pruned as ever', async () => {
    const { lockOf: _, setLock: __, ...plain } = memoryBackend()
    await using at = await prunePlace(plain, lock)
    at.fill(0, 6)
    const first = await at.keep()
    expect(at.notices).toContainEqual(expect.stringMatching(/no Object Lock/))
    at.fill(0, 6, 1)
    await at.keep()
    await at.forget(first)
    expect((await at.prune()).deletedPacks).toBeGreaterThan(0)
    await at.expectWhole()
  })
})
