/** What the catalogue keeps of trees stays within its limit, and what a run has used outlives the next. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openCatalogue } from '../../src/repository/catalogue/catalogue.ts'
import { bytesOf } from '../util/bytes-of.ts'

const ROW_BYTES = 20_000
const LIMIT = 4_000_000

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'nacre-trees-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

const id = (n: number): Uint8Array => bytesOf(n, 32)

test('trees that nobody asks for go, those that are used stay, and no run loses what it needs', { timeout: 60_000 }, async () => {
  const at = await folder()
  const used = [0, 1, 2, 3]
  for (let run = 0; run < 12; run++) {
    await using catalogue = await openCatalogue(at, LIMIT)
    if (run > 0) for (const n of used) expect(new Uint8Array(catalogue.rows.get('tree', id(n)) ?? []), `${n} in run ${run}`).toEqual(bytesOf(n, ROW_BYTES))
    for (let i = 0; i < 60; i++) catalogue.rows.put('tree', id(run * 100 + i), bytesOf(run * 100 + i, ROW_BYTES))
    await catalogue.rows.flush()
  }
  await using catalogue = await openCatalogue(at, LIMIT)
  let left = 0
  for (let run = 0; run < 12; run++) for (let i = 0; i < 60; i++) if (catalogue.rows.get('tree', id(run * 100 + i)) !== undefined) left++
  // All of them would be 14.4 MB.
  expect(left * ROW_BYTES).toBeLessThan(LIMIT + 2 * 60 * ROW_BYTES)
  expect(left).toBeGreaterThan(60)
})

test('without a limit all of them stay', async () => {
  const at = await folder()
  for (let run = 0; run < 3; run++) {
    await using catalogue = await openCatalogue(at)
    for (let i = 0; i < 60; i++) catalogue.rows.put('tree', id(run * 100 + i), bytesOf(i, ROW_BYTES))
  }
  await using catalogue = await openCatalogue(at)
  for (let run = 0; run < 3; run++) for (let i = 0; i < 60; i++) expect(catalogue.rows.get('tree', id(run * 100 + i))).toBeDefined()
})
