import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { type Node, nodeToCbor } from '../../src/snapshot/node.ts'
import { NodeScanner } from '../../src/snapshot/node-scanner.ts'
import { openList } from '../../src/snapshot/tree-scan.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'

const base: Node = { name: utf8('a'), type: 'file', mode: 0o644, uid: 70_000, gid: 0, user: 'ada', size: 2 ** 40, mtimeS: -5, mtimeNs: 2, ctimeS: 2 ** 33, ctimeNs: 999_999_999, inode: 12, links: 1 }
const nodes: Node[] = [
  { ...base, content: { kind: 'inline', records: new Uint8Array(36 * 9).fill(7) }, xattrs: [{ name: utf8('user.a'), value: new Uint8Array(300) }], extents: [{ offset: 0, length: 5 }] },
  { ...base, name: utf8('ab'), inode: 2n ** 60n + 1n, size: 0, mtimeS: 0, mtimeNs: 0 },
  { ...base, name: Uint8Array.of(0x6f, 0xff), type: 'directory', size: 0, subtree: new Uint8Array(32).fill(1), atime: { s: -(2 ** 40), ns: 1 } },
  { ...base, name: utf8('p'.repeat(255)), type: 'character', size: 0, inode: Number.MAX_SAFE_INTEGER, rdev: { major: 1, minor: 4096 } },
]
const leaf = (entries: readonly unknown[]): Uint8Array => encodeCbor(new Map<number, unknown>([[1, 1], [2, 0], [3, entries]]))

function scannerOf(bytes: Uint8Array): NodeScanner {
  const list = openList(bytes)
  if (!('scanner' in list)) throw new Error('a list of nodes was expected')
  return new NodeScanner(list.scanner, list.count)
}

describe('a scanner of nodes', () => {
  test('tells of each what a decoder tells', () => {
    const scanner = scannerOf(leaf(nodes.map(nodeToCbor)))
    for (const { name, type, size, mtimeS, mtimeNs, ctimeS, ctimeNs, inode, content, subtree } of nodes) {
      expect(scanner.next()).toBe(true)
      expect({ type: scanner.type, size: scanner.size, mtimeS: scanner.mtimeS, mtimeNs: scanner.mtimeNs, ctimeS: scanner.ctimeS, ctimeNs: scanner.ctimeNs, inode: scanner.inode }).toEqual({ type, size, mtimeS, mtimeNs, ctimeS, ctimeNs, inode })
      expect([scanner.content, scanner.subtree]).toEqual([content, subtree].map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value && { ...value, records: Buffer.from((value as { records: Uint8Array }).records) })))
      expect(scanner.compareName(name)).toBe(0)
      expect(scanner.decode()).toEqual(nodes.find((node) => node.name === name))
    }
    expect(scanner.next()).toBe(false)
  })

  test('compares names as bytes do', () => {
    const scanner = scannerOf(leaf([nodeToCbor(nodes[1]!)]))
    scanner.next()
    const signs = ['a', 'aa', 'ab', 'abc', 'b', ''].map((name) => Math.sign(scanner.compareName(utf8(name))))
    expect(signs).toEqual([1, 1, 0, -1, -1, 1])
  })

  test('of bytes that are cut short or changed throws CORRUPT at most', () => {
    const whole = leaf(nodes.map(nodeToCbor))
    const read = (bytes: Uint8Array): void => {
      try {
        const scanner = scannerOf(bytes)
        while (scanner.next()) scanner.decode()
      } catch (error) {
        expect(error).toBeInstanceOf(BackupError)
      }
    }
    for (let length = 0; length < whole.length; length++) expect(() => read(whole.subarray(0, length))).not.toThrow()
    for (let at = 0; at < whole.length; at += 3) {
      const changed = whole.slice()
      changed[at] = 255 - changed[at]!
      read(changed)
    }
  })
})
