import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keyedHash } from '../../src/crypto/hash.ts'
import type { ContentBlob } from '../../src/snapshot/content.ts'
import { contentBlobs } from '../../src/snapshot/content.ts'
import { createListBuilder, type ListShape } from '../../src/snapshot/list-builder.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { CONTENT_SHAPE, decodeTreeBlob, directoryShape } from '../../src/snapshot/tree-blob.ts'
import { compareBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf } from '../util/bytes-of.ts'

const hash = keyedHash(bytesOf(1, 32))
const DIRECTORY = directoryShape(hash)

function nodeOf(name: string, change: Partial<Node> = {}): Node {
  return { name: utf8(name), type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeS: 1, mtimeNs: 2, ctimeS: 3, ctimeNs: 4, inode: 5, links: 1, ...change }
}

function nodesOf(count: number): Node[] {
  return Array.from({ length: count }, (_, i) => nodeOf(`entry ${String(i).padStart(8, '0')}`))
}

function blobOf(number: number): ContentBlob {
  const id = new Uint8Array(hash(utf8(`blob ${number}`)))
  return { id, length: 1 + (number % 5000) }
}

interface Built {
  readonly root: string
  readonly blobs: ReadonlyMap<string, Uint8Array>
}

function build<Entry, Inner>(shape: ListShape<Entry, Inner>, entries: Iterable<Entry>): Built {
  const blobs = new Map<string, Uint8Array>()
  const builder = createListBuilder(shape, (blob) => {
    const id = new Uint8Array(hash(blob))
    blobs.set(toHex(id), blob)
    return id
  })
  for (const entry of entries) builder.add(entry)
  return { root: toHex(builder.finish()), blobs }
}

function* readNodes({ blobs }: Built, root: string, below = Infinity): Generator<Node> {
  const blob = decodeTreeBlob(blobs.get(root)!)
  expect(blob.kind).toBe('directory')
  expect(blob.level).toBeLessThan(below)
  if ('nodes' in blob) return yield* blob.nodes
  if (blob.kind !== 'directory') throw new Error('a list of another kind')
  for (const child of blob.children) {
    const nodes = [...readNodes({ root, blobs }, toHex(child.id), blob.level)]
    expect(toHex(child.firstName)).toBe(toHex(nodes[0]!.name))
    yield* nodes
  }
}

function* readBlobs({ blobs }: Built, root: string): Generator<ContentBlob> {
  const blob = decodeTreeBlob(blobs.get(root)!)
  if ('records' in blob) return yield* contentBlobs(blob.records)
  if (blob.kind !== 'content') throw new Error('a list of another kind')
  for (const child of blob.children) {
    const below = [...readBlobs({ root, blobs }, toHex(child.id))]
    expect(child.bytes).toBe(below.reduce((sum, { length }) => sum + length, 0))
    yield* below
  }
}

function newBlobs(before: Built, after: Built): number {
  return [...after.blobs.keys()].filter((id) => !before.blobs.has(id)).length
}

describe('a list of nodes', () => {
  test.each([0, 1, 2, 31, 32, 33, 255, 1023, 1024, 1025, 5000, 20_000])('of %d entries comes back as it was', (count) => {
    const nodes = nodesOf(count)
    const built = build(DIRECTORY, nodes)
    const read = [...readNodes(built, built.root)]
    expect(read.map((node) => toHex(node.name))).toEqual(nodes.map((node) => toHex(node.name)))
  })

  test('of names at random comes back as it was', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(...'abcdefghijklmnop') }), { maxLength: 400 }), (names) => {
        const nodes = names.map((name) => nodeOf(name)).sort((a, b) => compareBytes(a.name, b.name))
        const built = build(DIRECTORY, nodes)
        expect([...readNodes(built, built.root)].map((node) => toHex(node.name))).toEqual(nodes.map((node) => toHex(node.name)))
      }),
    )
  })

  test('is one blob where it is short, the empty one included', () => {
    for (const count of [0, 1, 31]) expect(build(DIRECTORY, nodesOf(count)).blobs.size).toBe(1)
  })

  test('has blobs that hold no more than they may, and about 256 names on average', () => {
    const built = build(DIRECTORY, nodesOf(20_000))
    const sizes: number[] = []
    for (const bytes of built.blobs.values()) {
      const blob = decodeTreeBlob(bytes)
      const count = 'nodes' in blob ? blob.nodes.length : blob.kind === 'directory' ? blob.children.length : 0
      expect(count).toBeLessThanOrEqual(1024)
      if ('nodes' in blob) sizes.push(blob.nodes.length)
    }
    const average = 20_000 / sizes.length
    expect(average).toBeGreaterThan(128)
    expect(average).toBeLessThan(512)
  })

  test('changes in few blobs when an entry comes, goes or changes, wherever that is', () => {
    const nodes = nodesOf(20_000)
    const before = build(DIRECTORY, nodes)
    for (const at of [0, 1, 777, 10_000, 19_999]) {
      const added = build(DIRECTORY, [...nodes.slice(0, at), nodeOf(`entry ${String(at).padStart(8, '0')} before`.replace(/(\d+) before/, (_, digits: string) => `${String(Number(digits) - 1).padStart(8, '0')}x`)), ...nodes.slice(at)])
      const removed = build(DIRECTORY, nodes.toSpliced(at, 1))
      const changed = build(DIRECTORY, nodes.with(at, { ...nodes[at]!, mtimeS: 99 }))
      for (const after of [added, removed, changed]) {
        expect(after.root).not.toBe(before.root)
        // One leaf, or two where a border moved, and the spine above.
        expect(newBlobs(before, after)).toBeLessThanOrEqual(5)
      }
    }
  })

  test('depends on the entries alone', () => {
    expect(build(DIRECTORY, nodesOf(3000)).root).toBe(build(DIRECTORY, nodesOf(3000)).root)
  })

  test('ends blobs early when entries are heavy, so that none is too large', () => {
    const heavy = Array.from({ length: 400 }, (_, i) => nodeOf(`entry ${String(i).padStart(8, '0')}`, { type: 'symlink', target: bytesOf(i, 4000).map((byte) => byte | 1) }))
    const built = build(DIRECTORY, heavy)
    for (const blob of built.blobs.values()) expect(blob.length).toBeLessThan(600 * 1024)
    expect(built.blobs.size).toBeGreaterThan(2)
    expect([...readNodes(built, built.root)]).toHaveLength(400)
  })
})

describe('a list of blobs', () => {
  test.each([0, 1, 127, 128, 129, 4096, 4097, 20_000])('of %d comes back as it was, with the lengths summed', (count) => {
    const blobs = Array.from({ length: count }, (_, i) => blobOf(i))
    const built = build(CONTENT_SHAPE, blobs)
    expect([...readBlobs(built, built.root)].map(({ id, length }) => `${toHex(id)} ${length}`)).toEqual(blobs.map(({ id, length }) => `${toHex(id)} ${length}`))
  })

  test('that grows at its end changes in its last leaf and the spine alone', () => {
    const blobs = Array.from({ length: 20_000 }, (_, i) => blobOf(i))
    const before = build(CONTENT_SHAPE, blobs)
    const after = build(CONTENT_SHAPE, [...blobs, blobOf(20_001)])
    expect(newBlobs(before, after)).toBeLessThanOrEqual(4)
  })

  test('that changes in the middle changes in few blobs', () => {
    const blobs = Array.from({ length: 20_000 }, (_, i) => blobOf(i))
    const before = build(CONTENT_SHAPE, blobs)
    expect(newBlobs(before, build(CONTENT_SHAPE, [...blobs.slice(0, 9000), blobOf(50_000), blobOf(50_001), ...blobs.slice(9000)]))).toBeLessThanOrEqual(5)
  })

  test('of one blob that is there a million times has a bounded memory and few blobs', () => {
    const zero = blobOf(7)
    function* many(): Generator<ContentBlob> {
      for (let i = 0; i < 300_000; i++) yield zero
    }
    const built = build(CONTENT_SHAPE, many())
    // Every full leaf is the same blob.
    expect(built.blobs.size).toBeLessThan(12)
    let count = 0
    for (const _ of readBlobs(built, built.root)) count++
    expect(count).toBe(300_000)
  })

  test('sums lengths beyond 32 bits', () => {
    const blobs = Array.from({ length: 9000 }, (_, i) => ({ ...blobOf(i), length: 0xffffffff }))
    const built = build(CONTENT_SHAPE, blobs)
    const root = decodeTreeBlob(built.blobs.get(built.root)!)
    expect('children' in root && root.kind === 'content' && root.children.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(9000 * 0xffffffff)
  })
})
