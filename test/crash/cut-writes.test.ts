/**
 * Storage that keeps a part of what it is given and says that all is well: whatever a backup then says,
 * no snapshot that was there suffers, and one that was reported as saved can be restored.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkRepository } from '../../src/features/check.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { BackupError } from '../../src/util/errors.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { prunePlace, type PrunePlace } from '../features/prune/place.ts'
import { copyOf } from '../support/copied.ts'
import { withCutWrites } from '../support/lying.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { bytesOf } from '../util/bytes-of.ts'

const ROUNDS = rounds(20, 400)

test(`${ROUNDS} backups and prunes over writes that are cut short and acknowledged: what was saved stays, and what is reported as saved is`, async () => {
  const random = randomFor('cut writes')
  await using at = await prunePlace()
  at.fill(0, 6)
  const first = await at.keep()
  at.fill(0, 2, 1)
  await at.keep()
  await at.forget(first)
  let [reported, failed] = [0, 0]
  for (let round = 0; round < ROUNDS; round++) {
    const backend = await copyOf(at.backend)
    const cutting = withCutWrites(backend, 1 + random.below(6), random)
    const note = (): string => `round ${round}, cut ${cutting.cut().join()}`
    const isPrune = random.below(3) === 0
    let saved: string | undefined
    for (let i = 0; i < 3; i++) writeFileSync(join(at.source, `new ${i}`), bytesOf(round * 10 + i, 40_000))
    try {
      await using repository = await at.open(cutting)
      if (isPrune) await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 }, fence: true }, repository)
      else saved = (await at.save({}, repository)).snapshotId
    } catch (error) {
      expect(error, note()).toBeInstanceOf(BackupError)
      failed++
    }
    count('runs')
    count('faults', cutting.cut().length)
    await using honest = await at.open(backend)
    await expectOthersWhole(at, honest, cutting.cut(), note())
    if (saved === undefined) continue
    reported++
    const { snapshots } = await loadSnapshots(honest)
    const snapshot = snapshots.find(({ id }) => id === saved)
    expect(snapshot, note()).toBeDefined()
    expect((await at.restoreSource(snapshot, {}, honest)).problems, note()).toEqual([])
    const { findings } = await checkRepository(honest, { threads: 0, readData: { kind: 'all' } })
    expect(findings.filter(({ code }) => code === 'pack_size' || code === 'pack_damaged'), note()).toEqual([])
  }
  expect(reported).toBeGreaterThan(0)
  expect(failed).toBeGreaterThan(0)
}, 7_200_000)

/** Snapshots that were there before come back; those that were cut short are told, and no others. */
async function expectOthersWhole(at: PrunePlace, repository: Repository, cut: readonly string[], note: string): Promise<void> {
  const { snapshots, problems } = await loadSnapshots(repository)
  expect(problems.filter(({ name }) => !cut.includes(`snapshots/${name}`)), note).toEqual([])
  expect(snapshots.length, note).toBeGreaterThanOrEqual(1)
  for (const snapshot of snapshots) expect((await at.restoreSource(snapshot, {}, repository)).problems, note).toEqual([])
}
