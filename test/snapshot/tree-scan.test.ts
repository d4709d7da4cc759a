import { describe, expect, test } from 'vitest'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { type Node, nodeToCbor } from '../../src/snapshot/node.ts'
import { scanDirectory } from '../../src/snapshot/tree-scan.ts'
import { BackupError } from '../../src/util/errors.ts'
import { utf8 } from '../../src/util/bytes.ts'

const base: Node = { name: utf8('n'), type: 'file', mode: 0o644, uid: 70_000, gid: 0, user: 'ada', size: 2 ** 40, mtimeS: -5, mtimeNs: 2, ctimeS: 3, ctimeNs: 4, inode: 2n ** 60n, links: 1 }
const nodes: Node[] = [
  { ...base, content: { kind: 'inline', records: new Uint8Array(36 * 9).fill(7) }, xattrs: [{ name: utf8('user.a'), value: new Uint8Array(300) }, { name: utf8('user.b'), value: new Uint8Array(0) }], extents: [{ offset: 0, length: 5 }, { offset: 2 ** 35, length: 70_000 }] },
  { ...base, name: Uint8Array.of(0x6f, 0xff), type: 'directory', size: 0, subtree: new Uint8Array(32).fill(1) },
  { ...base, name: utf8('p'.repeat(255)), type: 'character', size: 0, rdev: { major: 1, minor: 4096 } },
]
const leaf = (entries: readonly unknown[]): Uint8Array => encodeCbor(new Map<number, unknown>([[1, 1], [2, 0], [3, entries]]))

describe('scanDirectory', () => {
  test('finds names and types, and decodes what is wanted', () => {
    const seen: string[] = []
    const list = scanDirectory(leaf(nodes.map(nodeToCbor)), (name, isDirectory) => {
      seen.push(`${name.slice(0, 3)} ${isDirectory}`)
      return isDirectory || name.length === 1
    })
    expect(seen).toEqual(['n false', 'o\xff true', 'ppp false'])
    expect('nodes' in list && list.nodes.map((node) => node.decode())).toEqual([nodes[0], nodes[1]])
  })

  test('gives the children of a long list', () => {
    const children = [[utf8('a'), new Uint8Array(32)], [utf8('m'), new Uint8Array(32).fill(2)]]
    expect(scanDirectory(encodeCbor(new Map<number, unknown>([[1, 1], [2, 3], [3, children]])), () => true)).toMatchObject({ level: 3, children: [{ firstName: utf8('a') }, { firstName: utf8('m') }] })
  })

  test('refuses what is cut short, of another kind, or no name, and nothing else is thrown', () => {
    const whole = leaf(nodes.map(nodeToCbor))
    const bad = [new Uint8Array(0), leaf([[1]]), leaf([new Map<number, unknown>([[1, utf8('x')]])]), encodeCbor(new Map<number, unknown>([[1, 2], [2, 0], [3, new Uint8Array(36)]])), leaf([nodeToCbor({ ...base, name: utf8('..') })])]
    for (let length = 0; length < whole.length; length++) bad.push(whole.subarray(0, length))
    for (const bytes of bad) expect(() => scanDirectory(bytes, () => true)).toThrow(BackupError)
    // Any byte another one: it is refused, or something comes out, but it ends.
    for (let at = 0; at < 200; at++) {
      const changed = whole.slice()
      changed[at] = 255 - changed[at]!
      try {
        scanDirectory(changed, () => true)
      } catch (error) {
        expect(error).toBeInstanceOf(BackupError)
      }
    }
  })
})
