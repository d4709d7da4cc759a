import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findNode } from '../../src/snapshot/restore/walk.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { toHex } from '../../src/util/bytes.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { snapshotPlace } from './place.ts'
import { anyEntries, look, make, type Plan, SIZES, type Time } from './trees.ts'

const NOW: Time = { s: 1_700_000_000, ns: 123_456_789 }

function file(size: number, change: Partial<Extract<Plan, { kind: 'file' }>> = {}): Plan {
  return { kind: 'file', seed: size, size, mode: 0o644, time: NOW, ...change }
}

const NAMES = ['plain', ' ', '-rf', '*', '#', '!x', 'a\\b', 'a\nb', 'ü', 'u\u0308', '\u{1f41a}', '...', 'x'.repeat(255)].map((text) => Buffer.from(text))
const RAW_NAMES = [Buffer.of(0xff), Buffer.of(0x80, 0x61), Buffer.of(0xc3), Buffer.of(0xe2, 0x82), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0x01, 0x1b, 0x7f)]

/** One of everything. */
const everything: readonly (readonly [Buffer, Plan])[] = [
  ...SIZES.map((size) => [Buffer.from(`size ${size}`), file(size)] as const),
  ...[0, 0o400, 0o644, 0o777, 0o1777, 0o2755, 0o4711, 0o7777].map((mode) => [Buffer.from(`mode ${mode.toString(8)}`), file(10, { mode })] as const),
  ...[-2_147_483_648, -86_400, -1, 0, 1, 2_147_483_647, 2_147_483_648, 4_294_967_296, 15_000_000_000].flatMap((s) =>
    [0, 1, 999_999_999].map((ns) => [Buffer.from(`time ${s} ${ns}`), file(5, { time: { s, ns } })] as const),
  ),
  [
    Buffer.from('names'),
    {
      kind: 'folder',
      mode: 0o755,
      time: { s: 5, ns: 6 },
      entries: [...NAMES, ...RAW_NAMES].flatMap((name, i): readonly (readonly [Buffer, Plan])[] => (i % 3 === 0 ? [[name, { kind: 'folder', mode: 0o700, time: { s: i, ns: i }, entries: [[name, file(3)]] }]] : [[name, i % 3 === 1 ? file(i) : { kind: 'link', target: name, time: NOW }]])),
    },
  ],
  [Buffer.from('empty'), { kind: 'folder', mode: 0o555, time: { s: -7, ns: 8 }, entries: [] }],
  [Buffer.from('read only'), { kind: 'folder', mode: 0o500, time: { s: 9, ns: 10 }, entries: [[Buffer.from('inside'), file(9)]] }],
  [Buffer.from('links'), { kind: 'folder', mode: 0o755, time: NOW, entries: [
    [Buffer.from('dangling'), { kind: 'link', target: Buffer.from('/no/such/thing'), time: { s: 11, ns: 12 } }],
    [Buffer.from('up'), { kind: 'link', target: Buffer.from('../..'), time: { s: -11, ns: 12 } }],
    [Buffer.from('raw'), { kind: 'link', target: Buffer.of(0xff, 0xfe), time: { s: 3_000_000_000, ns: 12 } }],
    [Buffer.from('to itself'), { kind: 'link', target: Buffer.from('to itself'), time: NOW }],
  ] }],
  [Buffer.from('zz other name'), { kind: 'name', of: 3, time: NOW }],
  [Buffer.from('zz third name'), { kind: 'name', of: 3, time: NOW }],
  [Buffer.from('a fifo'), { kind: 'fifo', time: { s: 77, ns: 78 } }],
]

describe('a backup and its restore', () => {
  test('give back one of everything as it was', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), everything)
    const before = look(at.source)
    const result = await at.save()
    expect(result.skipped).toEqual([])
    const restored = await at.restoreSource()
    expect(restored.problems).toEqual([])
    expect(restored.warnings).toBe(0)
    expect(look(restored.target)).toEqual(before)
    // The source was read and not touched.
    expect(look(at.source)).toEqual(before)
  })

  test('give back any tree as it was', async () => {
    await using at = await snapshotPlace()
    let round = 0
    await fc.assert(
      fc.asyncProperty(anyEntries, async (entries) => {
        const source = join(at.folder, `tree-${round++}`)
        mkdirSync(source)
        make(Buffer.from(source), entries)
        const before = look(source)
        const result = await at.save({ paths: [source] })
        expect(result.skipped).toEqual([])
        const snapshot = await at.latest()
        const restored = await at.restoreSource(snapshot, { path: Buffer.from(source), verify: true })
        expect(restored.problems).toEqual([])
        expect(look(restored.target)).toEqual(before)
      }),
      { numRuns: 40 },
    )
  }, 180_000)

  test('give back what a reader without a catalogue and with another machine\'s cache sees', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), everything.slice(0, 20))
    await at.save()
    const fresh = await at.open()
    const restored = await at.restoreSource(undefined, {}, fresh)
    expect(restored.problems).toEqual([])
    expect(look(restored.target)).toEqual(look(at.source))
  })

  test('make no chunk that is empty', async () => {
    await using at = await snapshotPlace()
    for (const size of SIZES) writeFileSync(join(at.source, `${size}`), bytesOf(size + 1, size))
    await at.save()
    const { openTreeReader } = await import('../../src/snapshot/tree-reader.ts')
    const { walkTree } = await import('../../src/snapshot/tree-walk.ts')
    const trees = await openTreeReader(at.repository)
    let chunks = 0
    for await (const { node } of walkTree(trees, (await at.latest()).tree)) {
      if (node.content === undefined) continue
      let size = 0
      for await (const blobs of trees.content(node.content)) {
        for (const blob of blobs) {
          expect(blob.length).toBeGreaterThan(0)
          size += blob.length
          chunks++
        }
      }
      expect(size).toBe(node.size)
    }
    expect(chunks).toBeGreaterThan(100)
  })

  test('restore the whole under its absolute path, folders above included', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), [[Buffer.from('a'), file(100)]])
    await at.save()
    const target = join(at.folder, 'all')
    const { restore } = await import('../../src/snapshot/restore/restore.ts')
    const result = await restore(at.repository, { snapshot: await at.latest(), target, threads: 0 })
    expect(result.problems).toEqual([])
    expect(look(join(target, at.source))).toEqual(look(at.source))
  })

  test('restore a single file as target/name', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), [[Buffer.from('a'), file(100)], [Buffer.from('b'), file(5)]])
    await at.save()
    const restored = await at.restoreSource(undefined, { path: Buffer.from(join(at.source, 'a')) })
    expect([...look(restored.target)]).toEqual([...look(at.source)].filter(([name]) => name === 'a'))
  })
})

describe('content', () => {
  test('is stored once, however many files have it', async () => {
    await using at = await snapshotPlace()
    for (let i = 0; i < 20; i++) make(Buffer.from(at.source), [[Buffer.from(`copy ${i}`), file(300_000, { seed: 1 })]])
    const result = await at.save()
    expect(result.summary.totalBytes).toBe(20 * 300_000)
    expect(result.summary.dataAdded).toBeLessThan(320_000)
  })

  test('of a file that is over many chunks is a list, and comes back', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), [[Buffer.from('large'), file(12 * 1024 * 1024 + 17)]])
    await at.save()
    const restored = await at.restoreSource()
    expect(look(restored.target)).toEqual(look(at.source))
  }, 60_000)

  test('that changes at the end of a large file adds little', async () => {
    await using at = await snapshotPlace()
    const bytes = bytesOf(9, 9 * 1024 * 1024)
    const path = join(at.source, 'large')
    writeFileSync(path, bytes)
    await at.save()
    writeFileSync(path, new Uint8Array([...bytes.subarray(0, -10), 1, 2, 3]))
    const second = await at.save()
    expect(second.summary).toMatchObject({ filesChanged: 1, filesNew: 0 })
    expect(second.summary.dataAdded).toBeLessThan(200_000)
    const restored = await at.restoreSource()
    expect(look(restored.target)).toEqual(look(at.source))
  }, 60_000)

  test('stored without compression, or at the ends of what levels there are, is the same content', async () => {
    await using at = await snapshotPlace()
    make(Buffer.from(at.source), everything.slice(0, 12))
    const lists = new Set<string>()
    const trees = await openTreeReader(at.repository)
    for (const level of [null, -7, 1, 19]) {
      const { tree } = await at.save({ level, force: true })
      // The folders above the source change whenever somebody works in them.
      const { node } = await findNode(trees, tree, Buffer.from(at.source))
      lists.add(toHex(node!.subtree!))
    }
    expect(lists.size).toBe(1)
  }, 60_000)
})
