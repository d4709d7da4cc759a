/** A prune that dies at every single call to the storage, before and after the call took effect. */
import { expect, test } from 'vitest'
import type { Backend } from '../../../src/backend/backend.ts'
import { checkRepository } from '../../../src/features/check.ts'
import { prune } from '../../../src/features/prune/prune.ts'
import type { PruneOptions, PruneResult } from '../../../src/features/prune/types.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import { loadSnapshots } from '../../../src/snapshot/snapshots.ts'
import { copyOf } from '../../support/copied.ts'
import { Crash, withCrash } from '../../support/crashing.ts'
import { namesIn, PERSON } from '../../repository/support.ts'
import { prunePlace, type PrunePlace } from './place.ts'

const OPTIONS: PruneOptions = { person: PERSON, threads: 0, maxUnused: { kind: 'bytes', bytes: 0 } }

/** Two generations' worth: index objects to replace, packs to delete and to write anew, a snapshot to sweep, a dead session. */
async function story(at: PrunePlace): Promise<void> {
  at.fill(0, 6)
  const first = await at.keep()
  at.fill(0, 3, 1)
  const second = await at.keep()
  at.fill(6, 8)
  const third = await at.keep()
  await at.forget(first)
  expect((await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 } })).outcome).toBe('done')
  // Of the frame that holds the second's files some stay and some go, in whichever pack it lies.
  at.fill(1, 4, 2)
  await at.keep()
  at.fill(8, 9)
  await at.keep()
  await at.forget(second)
  await at.forget(third)
  const dying = withCrash(at.backend, { call: 14, isDone: true })
  at.fill(9, 12)
  await expect(at.save({}, await at.open(dying.backend))).rejects.toThrow(Crash)
  at.empty(9, 12)
  expect(await namesIn(at.backend, 'sessions')).toHaveLength(1)
}

async function expectSound(repository: Repository, snapshots: number, note: string): Promise<void> {
  const { findings } = await checkRepository(repository, { threads: 0, readData: { kind: 'all' } })
  expect(findings.filter((finding) => finding.severity === 'error'), note).toEqual([])
  const listed = await loadSnapshots(repository)
  expect(listed.problems, note).toEqual([])
  expect(listed.snapshots.length, note).toBeGreaterThanOrEqual(snapshots)
}

async function pruneDying(at: PrunePlace, backend: Backend, options: PruneOptions): Promise<PruneResult | undefined> {
  try {
    return await prune(await at.open(backend), options)
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    return undefined
  }
}

/** All of them take minutes: a part each time, another one each day, and all with NACRE_TORTURE=1. */
const EVERY = process.env['NACRE_TORTURE'] === '1' ? 1 : 7
const FIRST = 1 + (Math.floor(Date.now() / 86_400_000) % EVERY)

test('a prune that dies at any call loses nothing, and the next one finishes what it began', async () => {
  await using at = await prunePlace()
  await story(at)
  const begun = await copyOf(at.backend)
  const whole = withCrash(await copyOf(begun))
  const options = { ...OPTIONS, fence: true }
  const result = await pruneDying(at, whole.backend, options)
  expect(result).toMatchObject({ outcome: 'done', sweptSnapshots: 2 })
  expect(result!.writtenBytes).toBeGreaterThan(0)
  const calls = whole.calls()
  expect(calls).toBeGreaterThan(60)
  const packsAfter = (await namesIn(whole.backend, 'packs')).length

  for (let call = FIRST; call <= calls; call += EVERY) {
    for (const isDone of [false, true]) {
      const note = `died at call ${call} of ${calls}, ${isDone ? 'after' : 'before'} it took effect`
      const backend = await copyOf(begun)
      const dying = withCrash(backend, { call, isDone })
      await pruneDying(at, dying.backend, options)
      expect(dying.hasCrashed(), note).toBe(true)
      await using next = await at.open(backend)
      await expectSound(next, 2, `${note}, before the next prune`)
      // A backup in between refers to nothing that was condemned.
      if (call % 5 === 0) await at.save({}, next)
      const finished = await prune(next, options)
      expect(['done', 'nothing to do'], note).toContain(finished.outcome)
      await prune(next, options)
      await using fresh = await at.open(backend)
      await expectSound(fresh, 2, note)
      expect((await namesIn(backend, 'packs')).length, note).toBeLessThanOrEqual(packsAfter + 2)
      expect(await namesIn(backend, 'sessions'), note).toEqual([])
      expect(await namesIn(backend, 'forgotten'), note).toEqual([])
    }
  }
}, 900_000)
