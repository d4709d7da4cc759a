/** Each kind of damage, in memory: what was not lost comes back byte by byte, and prunes run again. */
import { expect, test } from 'vitest'
import { recoverTrees } from '../../../src/features/repair/recover.ts'
import { repairFiles } from '../../../src/features/repair/repair-files.ts'
import { repairIndex } from '../../../src/features/repair/repair-index.ts'
import { repairPacks } from '../../../src/features/repair/repair-packs.ts'
import { repairSnapshots } from '../../../src/features/repair/repair-snapshots.ts'
import { checkRepository } from '../../../src/features/check.ts'
import { namesIn } from '../../repository/support.ts'
import { prunePlace, type PrunePlace } from '../prune/place.ts'
import { APPLY, flip, largest, PLAN, put } from './place.ts'

async function twoSnapshots(): Promise<PrunePlace> {
  const at = await prunePlace()
  at.fill(0, 5)
  await at.keep()
  at.fill(5, 8)
  await at.keep()
  return at
}

async function damage(at: PrunePlace, type: 'packs' | 'index' | 'snapshots', name: string, how: string): Promise<void> {
  const bytes = await at.backend.load({ type, name })
  if (how === 'flipped') await flip(at.backend, type, name)
  else if (how === 'cut') await put(at.backend, type, name, bytes.subarray(0, Math.floor(bytes.length * 0.6)))
  else if (how === 'empty') await put(at.backend, type, name, new Uint8Array(0))
  else await at.backend.remove({ type, name })
}

const HOW = ['flipped', 'cut', 'empty', 'gone']

test.each(HOW)('every index object is %s', async (how) => {
  await using at = await twoSnapshots()
  const before = await namesIn(at.backend, 'index')
  for (const name of before) await damage(at, 'index', name, how)
  const listed = await namesIn(at.backend, 'index')
  await repairIndex(await at.open(), PLAN)
  expect(await namesIn(at.backend, 'index')).toEqual(listed)
  await repairIndex(await at.open(), APPLY)
  await at.expectWhole()
  await at.prune({}, await at.open())
  expect((await namesIn(at.backend, 'index')).filter((name) => before.includes(name))).toEqual([])
  await at.expectWhole()
})

test.each(HOW)('every pack is %s, and the files are still there', async (how) => {
  await using at = await twoSnapshots()
  for (const name of await namesIn(at.backend, 'packs')) await damage(at, 'packs', name, how)
  const packs = await namesIn(at.backend, 'packs')
  // With what this machine has seen: the lists of folders above the source change all the time.
  const repository = at.repository
  const planned = await repairPacks(repository, PLAN)
  expect(await namesIn(at.backend, 'packs')).toEqual(packs)
  const done = await repairPacks(repository, APPLY)
  expect(done).toMatchObject({ savedBlobs: planned.savedBlobs, lostBlobs: planned.lostBlobs, fromCatalogue: planned.fromCatalogue })
  await expect(at.prune({}, repository)).rejects.toMatchObject({ code: 'PRUNE_REFUSED' })
  expect(await repairFiles(repository, { ...PLAN, from: [at.source] })).toMatchObject({ lost: 0 })
  expect(await repairFiles(repository, { ...APPLY, from: [at.source] })).toMatchObject({ lost: 0 })
  await at.expectWhole()
  await at.prune({}, await at.open())
  expect((await namesIn(at.backend, 'packs')).filter((name) => packs.includes(name))).toEqual([])
  await at.expectWhole()
})

test.each(HOW)('a pack is %s for good: new snapshots lack what is lost, name the old ones, and prune goes on once those are forgotten', async (how) => {
  await using at = await twoSnapshots()
  await damage(at, 'packs', (await largest(at.backend, 'packs'))[0]!, how)
  const { suffers } = await repairPacks(at.repository, APPLY)
  expect(suffers.length).toBeGreaterThan(0)
  const { repaired, forgotten } = await repairSnapshots(at.repository, { ...APPLY, forget: true })
  expect(forgotten).toHaveLength(repaired.length)
  const newest = await at.latest(await at.open())
  const made = repaired.find(({ repairedAs }) => repairedAs === newest.id)!
  expect(newest).toMatchObject({ repairedFrom: made.snapshot.id, paths: made.snapshot.paths, host: made.snapshot.host, skippedCount: made.missing.length })
  expect(newest.summary.totalFiles).toBe(made.snapshot.summary.totalFiles - made.missing.filter(({ bytes }) => bytes !== undefined).length)
  await at.prune({}, await at.open())
  const fresh = await at.open()
  expect((await checkRepository(fresh, { threads: 0, readData: { kind: 'all' } })).findings.filter(({ severity }) => severity === 'error')).toEqual([])
  expect((await at.restoreSource(newest, {}, fresh)).problems).toEqual([])
})

test('a forgotten snapshot is no orphan, and one that is lost is recovered with all its files', async () => {
  await using at = await twoSnapshots()
  const lost = await at.latest()
  await at.forget((await at.keep()))
  expect(await recoverTrees(await at.open(), PLAN)).toEqual([])
  at.fill(8, 9)
  await at.keep()
  await at.backend.remove({ type: 'snapshots', name: `0/${lost.id}` })
  const found = await recoverTrees(await at.open(), PLAN)
  // The forgotten one has the same tree.
  expect(found).toEqual([])
  await at.backend.remove({ type: 'snapshots', name: `0/${(await namesIn(at.backend, 'forgotten'))[0]!.slice(2)}` })
  const [orphan, ...others] = await recoverTrees(await at.open(), APPLY)
  expect(others).toEqual([])
  expect(orphan).toMatchObject({ isChosen: true, lost: 0, state: 'lost' })
  expect(await recoverTrees(await at.open(), PLAN)).toEqual([])
})
