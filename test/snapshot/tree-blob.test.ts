import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/codec/cbor.ts'
import { contentFromCbor, contentToCbor } from '../../src/snapshot/content.ts'
import { type Node, nodeFromCbor, nodeToCbor, type NodeType } from '../../src/snapshot/node.ts'
import { decodeSnapshot, encodeSnapshot, SKIPPED_LIMIT, type SnapshotRecord } from '../../src/snapshot/snapshot.ts'
import { decodeTreeBlob } from '../../src/snapshot/tree-blob.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, shifted } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength, maxLength })
/** Any bytes that a file system takes for a name: most are no UTF-8. */
const anyName = bytes(1, 255).map((raw) => raw.map((byte) => (byte === 0 || byte === 0x2f ? 0xff : byte))).filter((name) => !['.', '..'].includes(Buffer.from(name).toString('latin1')))
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const ns = fc.integer({ min: 0, max: 999_999_999 })
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const anyNode: fc.Arbitrary<Node> = fc
  .record({
    name: anyName,
    type: fc.constantFrom<NodeType>('file', 'directory', 'symlink', 'fifo', 'socket', 'block', 'character'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: u32,
    gid: u32,
    user: maybe(fc.string()),
    group: maybe(fc.string()),
    size: fc.maxSafeNat(),
    mtimeS: fc.maxSafeInteger(),
    mtimeNs: ns,
    ctimeS: fc.maxSafeInteger(),
    ctimeNs: ns,
    atime: maybe(fc.record({ s: fc.maxSafeInteger(), ns })),
    inode: fc.oneof(fc.maxSafeNat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })),
    links: u32,
    device: maybe(fc.nat()),
    content: maybe(fc.oneof(bytes(32, 32).map((root) => ({ kind: 'list' as const, root })), fc.nat(5).chain((count) => bytes(36 * count, 36 * count)).map((records) => ({ kind: 'inline' as const, records })))),
    subtree: maybe(bytes(32, 32)),
    target: maybe(bytes(1, 300).map((raw) => raw.map((byte) => byte || 1))),
    rdev: maybe(fc.record({ major: u32, minor: u32 })),
    xattrs: maybe(fc.array(fc.record({ name: anyName, value: bytes(0, 40) }), { maxLength: 4 })),
    extents: maybe(fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 2 ** 40 })), { maxLength: 4 })),
  })
  // Only a file has a size and extents; those ascend, and end before the file does.
  .map(({ extents, ...node }) => {
    if (node.type !== 'file') return { ...node, size: 0, extents: undefined }
    let end = 0
    const placed = extents?.map(([gap, length]) => {
      end += gap + length
      return { offset: end - length, length }
    })
    return { ...node, size: Math.max(node.size, end), extents: placed }
  })

const plain: Node = { name: utf8('name'), type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtimeS: 1, mtimeNs: 2, ctimeS: 3, ctimeNs: 4, inode: 5, links: 1 }

/** The node as another program might have encoded it. */
function decodedWith(...changes: readonly (readonly [number, unknown])[]): Node {
  const map = nodeToCbor(plain)
  for (const [key, value] of changes) map.set(key, value)
  return nodeFromCbor(decodeCbor(encodeCbor(map)))
}

describe('a node', () => {
  test.each<[string, number, readonly unknown[]]>([
    ['is empty', 100, [[0, 0]]],
    ['overlaps the one before', 100, [[0, 10], [9, 10]]],
    ['comes before the one before', 100, [[50, 10], [0, 10]]],
    ['ends behind the file', 100, [[50, 51]]],
    ['is beyond all numbers', 100, [[2 ** 53 - 1, 2 ** 53 - 1]]],
    ['has no length', 100, [[3]]],
  ])('is refused when an extent %s', (_what, size, extents) => {
    expectRefused(() => decodedWith([8, size], [24, extents]), 'CORRUPT')
    expect(decodedWith([8, size], [24, [[0, 10], [10, 90]]]).extents).toHaveLength(2)
  })

  test.each<[string, readonly unknown[]]>([
    ['has no name', [new Uint8Array(0), new Uint8Array(1)]],
    ['has a name with a zero byte', [Uint8Array.of(117, 0), new Uint8Array(1)]],
    ['has too long a name', [new Uint8Array(256).fill(97), new Uint8Array(1)]],
    ['has too long a value', [Uint8Array.of(97), new Uint8Array(65_537)]],
  ])('is refused when an extended attribute %s', (_what, attribute) => {
    expectRefused(() => decodedWith([23, [attribute]]), 'CORRUPT')
  })

  test('comes back as it was, whatever its name and fields', () => {
    fc.assert(fc.property(anyNode, (node) => void expect(nodeFromCbor(decodeCbor(encodeCbor(nodeToCbor(node))))).toEqual(node)))
  })

  test('is encoded in one way', () => {
    fc.assert(fc.property(anyNode, (node) => void expect(toHex(encodeCbor(nodeToCbor({ ...node })))).toBe(toHex(encodeCbor(nodeToCbor(node))))))
  })

  test('ignores fields that it does not know', () => {
    expect(decodedWith([99, 'from a later version'])).toEqual(decodedWith())
  })

  test.each<[string, Uint8Array]>([
    ['of no bytes', new Uint8Array(0)],
    ['of one dot', utf8('.')],
    ['of two dots', utf8('..')],
    ['with a slash', utf8('a/b')],
    ['that is a slash', utf8('/')],
    ['that is absolute', utf8('/etc/passwd')],
    ['that climbs', utf8('../x')],
    ['with a zero byte', utf8('a\0b')],
    ['of 256 bytes', new Uint8Array(256).fill(0x61)],
  ])('with a name %s is refused', (_what, name) => {
    expectRefused(() => decodedWith([1, name]), 'CORRUPT')
    const blob = encodeCbor(new Map<number, unknown>([[1, 1], [2, 0], [3, [nodeToCbor({ ...plain, name })]]]))
    expectRefused(() => decodeTreeBlob(blob), 'CORRUPT')
    const inner = encodeCbor(new Map<number, unknown>([[1, 1], [2, 1], [3, [[name, new Uint8Array(32)]]]]))
    expectRefused(() => decodeTreeBlob(inner), 'CORRUPT')
  })

  test.each(['...', '.a', 'a.', '..a', ' ', '-rf', '~', 'a\\b', 'a\nb', 'C:', 'CON', '\u{1f41a}', 'x'.repeat(255)])('with the harmless name %j is taken', (name) => {
    expect(decodedWith([1, utf8(name)]).name).toEqual(utf8(name))
  })

  test('has names and targets that are views of odd places as well', () => {
    const node = nodeFromCbor(decodeCbor(shifted(encodeCbor(nodeToCbor({ ...plain, type: 'symlink', target: utf8('to') })), 3)))
    expect(Buffer.from(node.name).toString()).toBe('name')
    expect(Buffer.from(node.target!).toString()).toBe('to')
  })

  test.each<[string, readonly [number, unknown]]>([
    ['a name that is text', [1, 'name']],
    ['no name', [1, undefined as never]],
    ['type 0', [2, 0]],
    ['type 8', [2, 8]],
    ['a mode beyond twelve bits', [3, 0o10000]],
    ['a negative uid', [4, -1]],
    ['a uid beyond 32 bits', [4, 2 ** 32]],
    ['a user that is bytes', [6, new Uint8Array(1)]],
    ['no size', [8, 'much']],
    ['a negative size', [8, -1]],
    ['a size beyond 2^53', [8, 2n ** 60n]],
    ['a second of two thousand million nanoseconds', [10, 2_000_000_000]],
    ['a negative nanosecond', [10, -1]],
    ['a fraction of a second', [9, 1.5]],
    ['an inode beyond 64 bits', [15, -1]],
    ['a broken list of blobs', [18, new Uint8Array(35)]],
    ['content that is text', [18, 'content']],
    ['a subtree of another length', [19, new Uint8Array(31)]],
    ['an empty target', [20, new Uint8Array(0)]],
    ['a target with a zero byte', [20, utf8('a\0b')]],
    ['half a device number', [21, 5]],
    ['attributes that are no list', [23, new Uint8Array(3)]],
    ['attributes that are no pairs', [23, [1]]],
    ['an extent that begins before the file', [24, [[-1, 5]]]],
    ['half an atime', [13, 5]],
  ])('with %s is refused', (_what, change) => {
    if (change[1] === undefined) {
      const map = nodeToCbor(plain)
      map.delete(change[0])
      expectRefused(() => nodeFromCbor(map), 'CORRUPT')
    } else expectRefused(() => decodedWith(change), 'CORRUPT')
  })

  test('that is no map is refused', () => {
    for (const value of [[], 1, 'node', new Uint8Array(3), null]) expectRefused(() => nodeFromCbor(value), 'CORRUPT')
  })
})

describe('content', () => {
  test('is a list by the length of its root, and records otherwise', () => {
    const root = bytesOf(1, 32)
    expect(contentFromCbor(contentToCbor({ kind: 'list', root }), 'it')).toEqual({ kind: 'list', root })
    for (const count of [0, 1, 2, 8, 16, 100]) expect(contentFromCbor(new Uint8Array(count * 36), 'it').kind).toBe('inline')
    for (const length of [1, 31, 33, 35, 37, 64]) expectRefused(() => contentFromCbor(new Uint8Array(length), 'it'), 'CORRUPT')
  })
})

describe('a tree blob', () => {
  const directory = (level: number, entries: unknown): Uint8Array => encodeCbor(new Map<number, unknown>([[1, 1], [2, level], [3, entries]]))
  const named = (...names: string[]): unknown => names.map((name) => nodeToCbor({ ...plain, name: utf8(name) }))
  const children = (...names: string[]): unknown => names.map((name) => [utf8(name), new Uint8Array(32)])

  test('holds names in strictly ascending byte order', () => {
    expect(decodeTreeBlob(directory(0, named('a', 'b', 'ba')))).toMatchObject({ kind: 'directory', level: 0 })
    expect(decodeTreeBlob(directory(0, []))).toEqual({ kind: 'directory', level: 0, nodes: [] })
    for (const names of [['b', 'a'], ['a', 'a'], ['a', 'c', 'b'], ['a', 'b', 'a'], ['ab', 'a']]) {
      expectRefused(() => decodeTreeBlob(directory(0, named(...names))), 'CORRUPT')
      expectRefused(() => decodeTreeBlob(directory(1, children(...names))), 'CORRUPT')
    }
    // A byte above 127 is behind ASCII, whatever letters come first in a language.
    expect(decodeTreeBlob(directory(1, children('z', 'ä')))).toMatchObject({ level: 1 })
    expectRefused(() => decodeTreeBlob(directory(1, children('ä', 'z'))), 'CORRUPT')
  })

  test.each<[string, unknown]>([
    ['no map', []],
    ['of an unknown kind', new Map<number, unknown>([[1, 3], [2, 0], [3, []]])],
    ['of a level beyond all', new Map<number, unknown>([[1, 1], [2, 33], [3, []]])],
    ['of a negative level', new Map<number, unknown>([[1, 1], [2, -1], [3, []]])],
    ['without entries', new Map<number, unknown>([[1, 1], [2, 0]])],
    ['with entries of another kind', new Map<number, unknown>([[1, 1], [2, 0], [3, new Uint8Array(0)]])],
    ['with records of another kind', new Map<number, unknown>([[1, 2], [2, 0], [3, []]])],
    ['with a broken record', new Map<number, unknown>([[1, 2], [2, 0], [3, new Uint8Array(37)]])],
    ['with a broken child record', new Map<number, unknown>([[1, 2], [2, 1], [3, new Uint8Array(36)]])],
    ['with a child that is no pair', new Map<number, unknown>([[1, 1], [2, 1], [3, [utf8('a')]]])],
    ['with a child of a short id', new Map<number, unknown>([[1, 1], [2, 1], [3, [[utf8('a'), new Uint8Array(31)]]]])],
  ])('%s is refused', (_what, value) => {
    expectRefused(() => decodeTreeBlob(encodeCbor(value)), 'CORRUPT')
  })

  test('with a length beyond 2^53 is refused', () => {
    const record = new Uint8Array(40).fill(255)
    const blob = encodeCbor(new Map<number, unknown>([[1, 2], [2, 1], [3, record]]))
    expectRefused(() => decodeTreeBlob(blob), 'CORRUPT')
  })

  test('of any bytes is decoded or refused as CORRUPT, and nothing else', () => {
    fc.assert(
      fc.property(fc.nat(2), fc.nat(2), fc.oneof(bytes(0, 80), fc.array(fc.tuple(bytes(0, 5), bytes(30, 33)), { maxLength: 3 })), (kind, level, entries) => {
        try {
          decodeTreeBlob(encodeCbor(new Map<number, unknown>([[1, kind], [2, level], [3, entries]])))
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a snapshot\'s record', () => {
  const record: SnapshotRecord = {
    tree: bytesOf(1, 32),
    paths: [Uint8Array.of(0x2f, 0xff), utf8('/home/ada')],
    host: 'nautilus',
    user: 'ada',
    tags: ['a', 'b c'],
    label: 'weekly',
    description: 'what it is about',
    startNs: 1_700_000_000_123_456_789n,
    endNs: -5n,
    zoneMinutes: -570,
    parent: 'ab'.repeat(16),
    summary: { filesNew: 1, filesChanged: 2, filesUnmodified: 3, totalFiles: 6, totalBytes: Number.MAX_SAFE_INTEGER, dataAdded: 5, dataAddedStored: 4 },
    skippedCount: 1,
    skipped: [{ path: Uint8Array.of(0x2f, 0xfe), reason: 'unreadable', message: 'no' }],
    program: '1.2.3',
    sequence: 12,
    previous: 'cd'.repeat(16),
  }

  test('comes back as it was, with and without parent and predecessor', () => {
    expect(decodeSnapshot(encodeSnapshot(record))).toEqual(record)
    const first = { ...record, parent: undefined, previous: undefined, skipped: [], skippedCount: 0, tags: [], paths: [] }
    expect(decodeSnapshot(encodeSnapshot(first))).toEqual(first)
  })

  test('holds the first of many that were skipped, and counts all', () => {
    const skipped = Array.from({ length: SKIPPED_LIMIT + 50 }, (_, i) => ({ path: utf8(`/${i}`), reason: 'unreadable', message: '' }))
    const decoded = decodeSnapshot(encodeSnapshot({ ...record, skipped, skippedCount: skipped.length }))
    expect(decoded.skipped).toEqual(skipped.slice(0, SKIPPED_LIMIT))
    expect(decoded.skippedCount).toBe(SKIPPED_LIMIT + 50)
  })

  test('with a zone that cannot be counts as of UTC', () => {
    expect(decodeSnapshot(encodeSnapshot({ ...record, zoneMinutes: 100_000 })).zoneMinutes).toBe(0)
  })

  test('is refused when a field is missing or of another kind', () => {
    const map = decodeCbor(encodeSnapshot(record)) as Map<number, unknown>
    for (const key of map.keys()) {
      if (key === 11 || key === 17) continue
      const without = new Map(map)
      without.delete(key)
      expectRefused(() => decodeSnapshot(encodeCbor(without)), 'CORRUPT')
      expectRefused(() => decodeSnapshot(encodeCbor(new Map(map).set(key, true))), 'CORRUPT')
    }
  })
})
