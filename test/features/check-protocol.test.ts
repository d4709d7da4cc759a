/** What check says of the objects by which backups and prunes agree. */
import { expect, test } from 'vitest'
import { checkRepository } from '../../src/features/check.ts'
import { encodeGcRecord, gcName, type GcKind } from '../../src/repository/gc-record.ts'
import type { PrunePlace } from './prune/place.ts'
import { prunePlace } from './prune/place.ts'

const SID = 'ab'.repeat(16)

async function codes(at: PrunePlace): Promise<string[]> {
  const { findings } = await checkRepository(await at.open(), { threads: 0 })
  return findings.map(({ severity, code, object }) => `${severity} ${code} ${object}`)
}

async function plant(at: PrunePlace, number: number, kind: GcKind, sweep: readonly string[] = []): Promise<void> {
  await at.backend.create({ type: 'gc', name: gcName(number, kind) }, [encodeGcRecord(at.repository.keyring, number, kind, { packs: [], sweep, sweptBefore: [] })])
}

test('a prune that was left open is a warning, and none once it is done', async () => {
  await using at = await prunePlace()
  at.fill(0, 1)
  await at.keep()
  await plant(at, 1, 'plan')
  expect(await codes(at)).toEqual([`warning gc_open gc/${gcName(1, 'plan')}`])
  await plant(at, 1, 'verdict')
  await plant(at, 1, 'done')
  expect(await codes(at)).toEqual([])
}, 120_000)

test('records that are damaged, or gone from between others, are errors', async () => {
  await using at = await prunePlace()
  at.fill(0, 1)
  await at.keep()
  await plant(at, 1, 'plan')
  await plant(at, 1, 'verdict')
  await plant(at, 2, 'plan')
  await at.backend.create({ type: 'gc', name: gcName(2, 'verdict') }, [new Uint8Array(100)])
  await plant(at, 2, 'done')
  expect(await codes(at)).toEqual([`error gc_missing gc/${gcName(1, 'done')}`, `error gc_damaged gc/${gcName(2, 'verdict')}`])
}, 120_000)

test('a session that cannot be read, and a swept snapshot that is there again, are warnings', async () => {
  await using at = await prunePlace()
  at.fill(0, 1)
  const ghost = await at.keep()
  at.fill(1, 2)
  await at.keep()
  for (const kind of ['plan', 'verdict', 'done'] as const) await plant(at, 1, kind, [`0/${ghost}`])
  await at.backend.create({ type: 'sessions', name: `0/${SID}` }, [new Uint8Array(100)])
  expect(await codes(at)).toEqual([`warning session_damaged sessions/0/${SID}`, `warning snapshot_ghost snapshots/0/${ghost}`])
}, 120_000)
