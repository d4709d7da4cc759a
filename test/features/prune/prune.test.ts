import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { loadSkipped } from '../../../src/snapshot/skipped.ts'
import { namesIn } from '../../repository/support.ts'
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
