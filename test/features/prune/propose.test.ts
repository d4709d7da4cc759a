import { describe, expect, test } from 'vitest'
import { type ProposeInput, propose } from '../../../src/features/prune/propose.ts'
import { chooseBins } from '../../../src/features/prune/reindex.ts'
import type { PackUsage } from '../../../src/features/prune/usage.ts'
import type { StatedObject } from '../../../src/repository/stated-index.ts'

const pack = (packId: string, usedBytes: number, unusedBytes: number, more: Partial<PackUsage> = {}): PackUsage => ({ packId, sizeBytes: usedBytes + unusedBytes + 100, group: 0, sid: `s${packId}`, usedBytes, unusedBytes, largestBlob: 10, blobs: 10, ...more })

function input(packs: readonly PackUsage[], more: Partial<ProposeInput> = {}): ProposeInput {
  return {
    listed: new Map(packs.map((one) => [one.packId, one.sizeBytes])),
    usage: new Map(packs.map((one) => [one.packId, one])),
    dead: [],
    unindexed: [],
    isOfOpenSession: () => false,
    maxUnused: { kind: 'percent', percent: 5 },
    maxRepackBytes: Number.POSITIVE_INFINITY,
    repackSmall: false,
    packBytes: 1000,
    group: 0,
    largestBlob: 100,
    sweep: [],
    recoverable: 0,
    keptSnapshots: 1,
    locks: new Map(),
    lockedSnapshots: new Map(),
    ...more,
  }
}

const names = (packs: readonly PackUsage[]): string[] => packs.map(({ packId }) => packId)

describe('a proposal', () => {
  test('removes what is not used at all, and nothing else without need', () => {
    const found = propose(input([pack('a', 900, 0), pack('b', 0, 900), pack('c', 890, 10)]))
    expect(found.remove).toEqual(['b'])
    expect(found.repack).toEqual([])
    expect(found.totals).toMatchObject({ unused: { packs: 1, bytes: 1000 }, unusedBytesLeft: 10, freedBytes: 1000 })
  })

  test('writes anew those with most that is unused, until little enough is left', () => {
    const packs = [pack('a', 900, 0), pack('b', 100, 800), pack('c', 450, 450), pack('d', 850, 50)]
    expect(names(propose(input(packs)).repack)).toEqual(['b', 'c'])
    expect(names(propose(input(packs, { maxUnused: { kind: 'bytes', bytes: 0 } })).repack)).toEqual(['b', 'c', 'd'])
    expect(names(propose(input(packs, { maxUnused: { kind: 'bytes', bytes: 500 } })).repack)).toEqual(['b'])
    expect(propose(input(packs, { maxUnused: { kind: 'unlimited' } })).repack).toEqual([])
    expect(names(propose(input(packs, { maxUnused: { kind: 'bytes', bytes: 0 }, maxRepackBytes: 2000 })).repack)).toEqual(['b', 'c'])
  })

  test('leaves packs of open sessions alone, used or not, indexed or not', () => {
    const packs = [pack('a', 0, 900), pack('b', 100, 800)]
    const found = propose(input(packs, { listed: new Map([['a', 1000], ['b', 1000], ['u', 70]]), unindexed: ['u'], isOfOpenSession: () => true }))
    expect(found.remove).toEqual([])
    expect(found.repack).toEqual([])
    expect(found.totals.ofOpenSessions).toEqual({ packs: 2, bytes: 1070 })
  })

  test('never writes anew what belongs to another group, to several, or holds a blob too large', () => {
    const odd = [pack('a', 100, 800, { group: 3 }), pack('b', 100, 800, { group: undefined }), pack('c', 100, 800, { largestBlob: 101 })]
    expect(propose(input(odd)).repack).toEqual([])
  })

  test('never removes a pack that one index object calls dead and another uses', () => {
    expect(propose(input([pack('a', 100, 0)], { dead: ['a'] })).remove).toEqual([])
  })

  test('puts small packs together when asked, and not two that would become two again', () => {
    const packs = ['a', 'b', 'c'].map((id) => pack(id, 100, 0))
    expect(names(propose(input(packs, { repackSmall: true })).repack)).toEqual(['a', 'b', 'c'])
    expect(propose(input(packs.slice(1), { repackSmall: true })).repack).toEqual([])
    expect(propose(input(packs)).repack).toEqual([])
  })
})

describe('index objects that are restated together', () => {
  const object = (name: string, blobs: number, packIds: readonly string[], isReplaced = false): StatedObject => ({ name: `0/${name}`, group: 0, blobs, packs: packIds.map((packId) => ({ packId, sizeBytes: 1, sid: 's' })), isReplaced, isDamaged: false })
  const bins = (objects: readonly StatedObject[], ...deleted: string[]): string[][] => chooseBins(objects, new Set(deleted)).map((bin) => bin.map(({ name }) => name))

  test('are those that name a deleted pack, and are not replaced already', () => {
    expect(bins([object('a', 5, ['p', 'q']), object('b', 5, ['r']), object('c', 5, ['p'], true)], 'p')).toEqual([['0/a']])
    expect(bins([object('a', 5, ['p'])])).toEqual([])
  })

  test('stay whole and below the bound', () => {
    const objects = ['a', 'b', 'c'].map((name) => object(name, 90_000, ['p']))
    expect(bins([...objects, object('d', 900_000, ['p'])], 'p')).toEqual([['0/a', '0/b'], ['0/c'], ['0/d']])
  })

  test('are small ones too, once there are many', () => {
    const small = Array.from({ length: 40 }, (_, i) => object(`${i}`, 100, [`p${i}`]))
    expect(bins(small)).toEqual([small.map(({ name }) => name)])
    expect(bins(small.slice(0, 20))).toEqual([])
  })
})
