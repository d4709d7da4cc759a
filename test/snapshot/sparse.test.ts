/** Sparse files: what is a hole is neither read nor stored nor written. */
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPlacement, type Extent, findExtents, holesOf, mayHaveHoles } from '../../src/snapshot/extents.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { findPath } from '../../src/snapshot/tree-walk.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { walked } from '../support/walker.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'

const KIB = 1024
const MIB = 1024 * KIB
const TIB = 1024 * 1024 * MIB

function makeSparse(path: string, size: number, extents: readonly (readonly [offset: number, length: number])[]): void {
  const fd = openSync(path, 'w')
  ftruncateSync(fd, size)
  for (const [offset, length] of extents) writeSync(fd, bytesOf(offset % 1000, length), 0, length, offset)
  closeSync(fd)
}

function allocated(path: string): number {
  return statSync(path).blocks * 512
}

async function nodeOf(at: SnapshotPlace, name: string): Promise<Node> {
  return findPath(await openTreeReader(at.repository), (await at.latest()).tree, utf8(join(at.source, name)))
}

describe('a sparse file', () => {
  test('of a terabyte costs what its data costs, at backup, restore, check and comparison', async () => {
    await using at = await snapshotPlace()
    makeSparse(join(at.source, 'terabyte'), TIB, [[0, 10_000], [5 * 1024 * MIB + 4096, 3 * MIB], [TIB - 100 * KIB, 100 * KIB]])
    makeSparse(join(at.source, 'all hole'), 300 * MIB, [])
    makeSparse(join(at.source, 'ends in a hole'), 50 * MIB, [[0, 128 * KIB]])
    makeSparse(join(at.source, 'begins with a hole'), 50 * MIB, [[50 * MIB - 5000, 5000]])
    makeSparse(join(at.source, 'small'), 1 * MIB, [[256 * KIB, 64 * KIB]])
    const before = walked(at.source)
    const saved = await at.save()
    expect(saved.skipped).toEqual([])
    expect(saved.summary.dataAdded).toBeLessThan(4 * MIB)
    expect(saved.summary.totalBytes).toBe(TIB + 401 * MIB)
    expect((await nodeOf(at, 'terabyte')).extents).toHaveLength(3)
    expect(await nodeOf(at, 'all hole')).toMatchObject({ size: 300 * MIB, extents: [] })
    const restored = await at.restoreSource(undefined, { verify: true })
    expect(restored).toMatchObject({ problems: [], verified: 5 })
    expect(walked(restored.target)).toEqual(before)
    for (const name of ['terabyte', 'all hole', 'ends in a hole', 'begins with a hole', 'small']) {
      expect(allocated(join(restored.target, name))).toBeLessThanOrEqual(allocated(join(at.source, name)) + 64 * KIB)
    }
    // What stands there is compared without reading the holes.
    expect(await at.restoreSource(undefined, { target: restored.target })).toMatchObject({ files: 0, unchanged: 5, problems: [] })
    // Nor is anything read again.
    expect((await at.save()).summary).toMatchObject({ filesUnmodified: 5, filesNew: 0, filesChanged: 0 })
  }, 60_000)

  test('with data where the snapshot has a hole is not taken for the same', async () => {
    await using at = await snapshotPlace()
    makeSparse(join(at.source, 'file'), 10 * MIB, [[0, 100]])
    await at.save()
    const { target } = await at.restoreSource()
    const fd = openSync(join(target, 'file'), 'r+')
    writeSync(fd, Buffer.alloc(1 * MIB), 0, 1 * MIB, 5 * MIB)
    closeSync(fd)
    expect(await at.restoreSource(undefined, { target })).toMatchObject({ unchanged: 1 })
    const again = openSync(join(target, 'file'), 'r+')
    writeSync(again, Buffer.from('x'), 0, 1, 6 * MIB)
    closeSync(again)
    expect((await at.restoreSource(undefined, { target })).problems).toMatchObject([{ reason: 'kept' }])
  })

  test('of very many holes keeps a bounded list, and every byte', async () => {
    await using at = await snapshotPlace()
    const extents = Array.from({ length: 3000 }, (_, i) => [i * 80 * KIB, 4096] as const)
    makeSparse(join(at.source, 'file'), 3000 * 80 * KIB, extents)
    await at.save()
    const node = await nodeOf(at, 'file')
    expect((node.extents ?? []).length).toBeLessThanOrEqual(1024)
    expect((await at.restoreSource(undefined, { verify: true })).problems).toEqual([])
    expect(walked((await at.restoreSource()).target)).toEqual(walked(at.source))
  }, 60_000)

  test('that is filled or cut off is seen, and its data is known already', async () => {
    await using at = await snapshotPlace()
    const path = join(at.source, 'file')
    makeSparse(path, 40 * MIB, [[0, 2 * MIB], [20 * MIB, 2 * MIB]])
    await at.save()
    truncateSync(path, 21 * MIB)
    utimesSync(path, 1e9, 1e9)
    const cut = await at.save()
    expect(cut.summary).toMatchObject({ filesChanged: 1 })
    expect(cut.summary.dataAdded).toBeLessThan(1.3 * MIB)
    expect(walked((await at.restoreSource()).target)).toEqual(walked(at.source))
  })
})

describe('a dense file of zeros', () => {
  test('comes back dense, or sparse if that is wanted', async () => {
    await using at = await snapshotPlace()
    writeFileSync(join(at.source, 'large'), Buffer.concat([bytesOf(1, 5000), Buffer.alloc(20 * MIB), bytesOf(2, 5000), Buffer.alloc(MIB)]))
    writeFileSync(join(at.source, 'small'), Buffer.concat([Buffer.from('x'), Buffer.alloc(100 * KIB)]))
    writeFileSync(join(at.source, 'tiny'), Buffer.alloc(10))
    mkdirSync(join(at.source, 'empty'))
    writeFileSync(join(at.source, 'empty/file'), '')
    await at.save()
    const dense = await at.restoreSource()
    expect(allocated(join(dense.target, 'large'))).toBeGreaterThan(20 * MIB)
    const sparse = await at.restoreSource(undefined, { sparse: true, verify: true })
    expect(sparse.problems).toEqual([])
    expect(walked(sparse.target)).toEqual(walked(at.source))
    expect(allocated(join(sparse.target, 'large'))).toBeLessThan(100 * KIB)
    expect(allocated(join(sparse.target, 'small'))).toBeLessThan(20 * KIB)
    expect(readFileSync(join(sparse.target, 'tiny'))).toEqual(Buffer.alloc(10))
  })
})

describe('extents', () => {
  test('are found so that all data is in them, no small hole splits them, and they are not too many', async () => {
    await using at = await snapshotPlace()
    let round = 0
    const anyLayout = fc.uniqueArray(fc.nat(200), { maxLength: 40 }).map((pages) => pages.sort((a, b) => a - b))
    fc.assert(
      fc.property(anyLayout, fc.nat(210), (pages, sizePages) => {
        const path = join(at.folder, `layout-${round++}`)
        const size = Math.max(sizePages, (pages.at(-1) ?? -1) + 1) * 16 * KIB
        makeSparse(path, size, pages.map((page) => [page * 16 * KIB, 16 * KIB]))
        const fd = openSync(path, 'r')
        const found = findExtents(fd, size) ?? [{ offset: 0, length: size }]
        closeSync(fd)
        const holes = holesOf(size, found)
        const isIn = (all: readonly Extent[], at: number): boolean => all.some(({ offset, length }) => at >= offset && at < offset + length)
        for (const page of pages) expect(isIn(found, page * 16 * KIB)).toBe(true)
        for (const hole of holes) expect(hole.length).toBeGreaterThanOrEqual(64 * KIB)
        expect(found.reduce((sum, { length }) => sum + length, 0) + holes.reduce((sum, { length }) => sum + length, 0)).toBe(size)
      }),
      { numRuns: 60 },
    )
  })

  test('give blobs their places, and refuse what does not fit', () => {
    const place = createPlacement(100, [{ offset: 10, length: 20 }, { offset: 50, length: 5 }])
    expect([place.place(15), place.isComplete(), place.place(5), place.place(5), place.isComplete(), place.place(1)]).toEqual([10, false, 25, 50, true, undefined])
    expect(createPlacement(100, [{ offset: 10, length: 20 }]).place(21)).toBeUndefined()
    expect(createPlacement(0, undefined).isComplete()).toBe(true)
    expect(createPlacement(5, []).isComplete()).toBe(true)
    expect(mayHaveHoles(MIB, MIB / 512)).toBe(false)
  })
})
