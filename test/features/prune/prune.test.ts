import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { repairIndex } from '../../../src/features/repair/repair-index.ts'
import { readStatedIndex } from '../../../src/repository/stated-index.ts'
import { loadSkipped } from '../../../src/snapshot/skipped.ts'
import { namesIn } from '../../repository/support.ts'
import { bytesOf } from '../../util/bytes-of.ts'
import { APPLY } from '../repair/place.ts'
import { prunePlace } from './place.ts'

vi.setConfig({ testTimeout: 120_000 })

describe('prune', () => {
  test('has nothing to do where everything is used', async () => {
    await using at = await prunePlace()
    at.fill(0, 5)
    await at.keep()
    const before = await namesIn(at.backend, 'packs')
    const result = await at.prune()
    expect(result).toMatchObject({ outcome: 'nothing to do', deletedPacks: 0 })
    expect(await namesIn(at.backend, 'packs')).toEqual(before)
    expect(await namesIn(at.backend, 'gc')).toEqual([])
  })

  test('of three backups of which one is forgotten frees what only that one used', async () => {
    await using at = await prunePlace()
    at.fill(0, 10)
    const first = await at.keep()
    at.fill(0, 5, 1)
    await at.keep()
    at.fill(10, 12)
    await at.keep()
    await at.forget(first)
    const planned = await at.prune({ dryRun: true })
    expect(planned).toMatchObject({ outcome: 'planned', deletedPacks: 0 })
    expect(await namesIn(at.backend, 'gc')).toEqual([])
    const result = await at.prune()
    expect(result.outcome).toBe('done')
    expect(result.sweptSnapshots).toBe(1)
    expect(result.deletedBytes).toBeGreaterThan(5 * 60_000)
    expect(result.plan).toEqual(planned.plan)
    expect(await namesIn(at.backend, 'forgotten')).toEqual([])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await at.expectWhole()
    await at.expectWhole(at.repository)
    expect(await at.prune()).toMatchObject({ outcome: 'nothing to do' })
    at.fill(20, 22)
    await at.keep()
    await at.expectWhole()
  })

  test('moves frames that are used whole as they are sealed, and makes new ones of what is left of the others', async () => {
    await using at = await prunePlace()
    // Of each file most frames hold nothing else; the small ones share theirs.
    const write = (names: readonly string[], seed: number): void => names.forEach((name, i) => writeFileSync(join(at.source, name), bytesOf(seed + i, 4_500_000)))
    write(['kept 1', 'kept 2'], 100)
    write(['gone 1', 'gone 2'], 200)
    at.fill(0, 6)
    const first = await at.keep()
    for (const name of ['gone 1', 'gone 2']) rmSync(join(at.source, name))
    at.empty(0, 3)
    await at.keep()
    await at.forget(first)
    const result = await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 } })
    expect(result.writtenBytes).toBeGreaterThan(9_000_000)
    const index = await readStatedIndex(at.repository)
    const envelopes: number[] = []
    for await (const entry of index.entries(0)) envelopes.push(...entry.frames.map(({ envelope }) => envelope))
    expect(envelopes.filter((envelope) => envelope > 0).length).toBeGreaterThan(4)
    expect(envelopes).toContain(0)
    await at.expectWhole()
    // What was moved is moved again, and a pack still says of itself what it holds.
    for (const name of await namesIn(at.backend, 'index')) await at.backend.remove({ type: 'index', name })
    await repairIndex(await at.open(), APPLY)
    await at.expectWhole()
    rmSync(join(at.source, 'kept 2'))
    const second = await at.latest()
    await at.keep()
    await at.forget(second.id)
    await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 } }, await at.open())
    await at.expectWhole()
  })

  test.each([['a few blobs', 300], ['a list of blobs', 15_000]])('keeps what a backup could not save, when that is %s', async (_what, count) => {
    await using at = await prunePlace()
    const gone = Array.from({ length: count }, (_, i) => join(at.source, `gone ${String(i).padStart(6, '0')} ${'x'.repeat(60)}`))
    at.fill(0, 4)
    const first = await at.keep()
    at.empty(0, 4)
    at.fill(4, 6)
    await at.save({ paths: [at.source, ...gone] })
    await at.forget(first)
    // Whatever is partly used is written anew.
    const result = await at.prune({ maxUnused: { kind: 'bytes', bytes: 0 }, repackSmall: true })
    expect(result).toMatchObject({ outcome: 'done', sweptSnapshots: 1 })
    const fresh = await at.open()
    const paths: string[] = []
    for await (const { path } of loadSkipped(fresh, await at.latest(fresh))) paths.push(Buffer.from(path).toString())
    expect(paths).toEqual(gone)
    await at.expectWhole(fresh)
  })
})
