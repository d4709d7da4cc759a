/**
 * Lists that break off, come back empty, lack an object, or name one twice: a prune, a backup and a
 * forget over such a storage may refuse, and lose nothing. Each round is one random lie.
 */
import { expect, test } from 'vitest'
import type { ObjectType } from '../../src/backend/backend.ts'
import { forgetSnapshots, planByPolicy } from '../../src/features/forget.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { nowNs } from '../../src/util/clock.ts'
import { BackupError } from '../../src/util/errors.ts'
import { prunePlace, type PrunePlace } from '../features/prune/place.ts'
import { policy } from '../features/retention/support.ts'
import { namesIn, PERSON } from '../repository/support.ts'
import { copyOf } from '../support/copied.ts'
import { LIES, type ListLie, withLyingLists } from '../support/lying.ts'
import { count, type Random, randomFor, rounds } from '../support/torture.ts'

const ROUNDS = rounds(40, 600)
const TYPES: readonly ObjectType[] = ['packs', 'index', 'snapshots', 'sessions', 'forgotten', 'gc', 'marks']
const NO_UNUSED = { maxUnused: { kind: 'bytes', bytes: 0 } } as const

function someLie(random: Random): ListLie {
  return { type: random.pick(TYPES), lie: random.pick(LIES), nth: random.below(2) === 0 ? undefined : 1 + random.below(4) }
}

/** A generation that is over, and then what the next one has to do. */
async function story(at: PrunePlace): Promise<void> {
  at.fill(0, 6)
  const first = await at.keep()
  at.fill(0, 3, 1)
  const second = await at.keep()
  at.fill(6, 8)
  await at.keep()
  await at.forget(first)
  expect((await at.prune(NO_UNUSED)).outcome).toBe('done')
  at.fill(1, 4, 2)
  await at.keep()
  await at.forget(second)
}

/** Forgets all but the newest, as far as it may. */
async function forgetOld(repository: Repository): Promise<readonly string[]> {
  const { names } = planByPolicy(await loadSnapshots(repository), policy('--keep-last 1'), { nowNs: nowNs(), groupBy: [] })
  return (await forgetSnapshots(repository, names, { person: PERSON })).forgotten
}

test(`${ROUNDS} prunes and backups over lists that lie lose nothing`, async () => {
  const random = randomFor('lying lists')
  await using at = await prunePlace()
  await story(at)
  let [told, refused] = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const lie = someLie(random)
    const note = `round ${round}: ${JSON.stringify(lie)}`
    const backend = await copyOf(at.backend)
    const snapshotsBefore = await namesIn(backend, 'snapshots')
    const lying = withLyingLists(backend, lie, random)
    const act = random.pick(['prune', 'backup and prune', 'prune twice'] as const)
    try {
      await using repository = await at.open(lying)
      if (act === 'backup and prune') await at.save({}, repository)
      await at.prune({ ...NO_UNUSED, fence: true }, repository)
      if (act === 'prune twice') await at.prune({ ...NO_UNUSED, fence: true }, repository)
    } catch (error) {
      expect(error, note).toBeInstanceOf(BackupError)
      refused++
    }
    if (lying.told() > 0) count('faults')
    told += Math.min(1, lying.told())
    count('runs')
    await using honest = await at.open(backend)
    await at.expectWhole(honest)
    expect((await at.prune({ ...NO_UNUSED, fence: true }, honest)).outcome, note).not.toBe('left open')
    await using fresh = await at.open(backend)
    await at.expectWhole(fresh)
    expect((await namesIn(backend, 'snapshots')).length, note).toBeGreaterThanOrEqual(snapshotsBefore.length - 1)
  }
  expect(told).toBeGreaterThan(ROUNDS / 3)
  expect(refused).toBeGreaterThan(0)
}, 7_200_000)

test('a forget by a policy over a list of snapshots that lacks one, or is empty, forgets nothing that it should not', async () => {
  const random = randomFor('lying forgets')
  await using at = await prunePlace()
  at.fill(0, 3)
  for (let i = 0; i < 4; i++) await at.keep()
  const newest = `0/${(await at.latest()).id}`
  for (const lie of LIES) {
    for (let round = 0; round < 6; round++) {
      const backend = await copyOf(at.backend)
      const lying = withLyingLists(backend, { type: 'snapshots', lie, nth: undefined }, random)
      count('faults')
      try {
        await using repository = await at.open(lying)
        await forgetOld(repository)
      } catch (error) {
        expect(error, lie).toBeInstanceOf(BackupError)
      }
      // Of the newest, if the list lacks it, the one before would count as such: that is a snapshot too many, never one too few.
      expect(await namesIn(backend, 'forgotten'), lie).not.toContain(newest)
    }
  }
}, 120_000)
