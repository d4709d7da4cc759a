import { describe, expect, test, vi } from 'vitest'
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
})
