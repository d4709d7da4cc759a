import { describe, expect, test } from 'vitest'
import { findInPages, readPage } from '../../../src/features/browse/folder-pages.ts'
import type { TreeCache } from '../../../src/features/mount/tree-cache.ts'
import type { Node } from '../../../src/snapshot/node.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { expectRejected } from '../../util/expect-error.ts'

const LEAF = 250
const ROOT = utf8('root')
const nameOf = (i: number): Uint8Array => utf8(`file${String(i).padStart(7, '0')}`)
const nodeOf = (i: number): Node => ({ name: nameOf(i), type: 'file', mode: 0o644, uid: 0, gid: 0, size: i, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: i, links: 1 })
const texts = (nodes: readonly Node[]): string[] => nodes.map(({ name }) => Buffer.from(name).toString())

/** A folder whose leaves are made when they are read; `reads` are those. */
function folderOf(count: number): { readonly trees: TreeCache; readonly reads: string[] } {
  const reads: string[] = []
  const leaves = Math.ceil(count / LEAF)
  return {
    reads,
    trees: {
      async blob(id) {
        const key = Buffer.from(id).toString()
        reads.push(key)
        if (key === 'root') return { kind: 'directory', level: 1, children: Array.from({ length: leaves }, (_, i) => ({ firstName: nameOf(i * LEAF), id: utf8(`leaf${i}`) })) }
        const first = Number(key.slice(4)) * LEAF
        return { kind: 'directory', level: 0, nodes: Array.from({ length: Math.min(LEAF, count - first) }, (_, i) => nodeOf(first + i)) }
      },
    },
  }
}

describe('a folder page by page', () => {
  test('a page of a million entries reads the leaves that it lies in and no more', async () => {
    const { trees, reads } = folderOf(1_000_000)
    const page = await readPage(trees, ROOT, { name: nameOf(500_240), direction: 'from' }, 20)
    expect(texts(page.nodes)).toEqual(Array.from({ length: 20 }, (_, i) => Buffer.from(nameOf(500_240 + i)).toString()))
    expect(page.isEnd).toBe(false)
    expect(reads).toEqual(['root', 'leaf2000', 'leaf2001'])
    const last = await readPage(trees, ROOT, { name: undefined, direction: 'before' }, 3)
    expect(texts(last.nodes)).toEqual(['file0999997', 'file0999998', 'file0999999'])
    expect(reads.slice(3)).toEqual(['root', 'leaf3999'])
  })

  test('pages forwards and backwards give every entry once and in order, wherever leaves end', async () => {
    const { trees } = folderOf(1000)
    const all = Array.from({ length: 1000 }, (_, i) => Buffer.from(nameOf(i)).toString())
    for (const size of [1, 7, 249, 250, 251, 1000, 2000]) {
      const forward: string[] = []
      const backward: string[] = []
      for (let name: Uint8Array | undefined, isEnd = false; !isEnd; ) {
        const page = await readPage(trees, ROOT, { name, direction: 'after' }, size)
        forward.push(...texts(page.nodes))
        isEnd = page.isEnd
        name = page.nodes.at(-1)?.name
        if (size === 1 && forward.length === 300) break
      }
      for (let name: Uint8Array | undefined, isEnd = false; !isEnd; ) {
        const page = await readPage(trees, ROOT, { name, direction: 'before' }, size)
        backward.unshift(...texts(page.nodes))
        isEnd = page.isEnd
        name = page.nodes[0]?.name
        if (size === 1 && backward.length === 300) break
      }
      expect([size, forward]).toEqual([size, size === 1 ? all.slice(0, 300) : all])
      expect([size, backward]).toEqual([size, size === 1 ? all.slice(-300) : all])
    }
  })

  test('a name between two entries, before the first or behind the last is a place as well', async () => {
    const { trees } = folderOf(600)
    const page = (name: string, direction: 'from' | 'before'): Promise<string[]> => readPage(trees, ROOT, { name: utf8(name), direction }, 1).then(({ nodes }) => texts(nodes))
    expect(await page('file0000249x', 'from')).toEqual(['file0000250'])
    expect(await page('file0000249x', 'before')).toEqual(['file0000249'])
    expect([await page('a', 'from'), await page('a', 'before'), await page('z', 'from'), await page('z', 'before')]).toEqual([['file0000000'], [], [], ['file0000599']])
  })

  test('a name is looked for from where one is, and then from the other end', async () => {
    const { trees } = folderOf(1000)
    const found = async (from: number, direction: 'after' | 'before', text: string): Promise<string | undefined> => {
      const name = await findInPages(trees, ROOT, { name: nameOf(from), direction }, (own) => Buffer.from(own).toString().includes(text))
      return name === undefined ? undefined : Buffer.from(name).toString()
    }
    expect([await found(500, 'after', '00'), await found(500, 'before', '99'), await found(500, 'after', '0499'), await found(3, 'before', '0499'), await found(0, 'after', 'nothing')])
      .toEqual(['file0000501', 'file0000499', 'file0000499', 'file0000499', undefined])
  })

  test('looking through a large folder stops when it is told to', async () => {
    const { trees, reads } = folderOf(1_000_000)
    const controller = new AbortController()
    const looking = findInPages(trees, ROOT, { name: undefined, direction: 'from' }, () => false, controller.signal)
    setImmediate(() => controller.abort(new Error('told to')))
    await expect(looking).rejects.toThrow('told to')
    expect(reads.length).toBeLessThan(100)
  })

  test('a list that is out of order, or contains itself, is damage and no endless folder', async () => {
    const twice: TreeCache = { blob: async (id) => (Buffer.from(id).toString() === 'root' ? { kind: 'directory', level: 1, children: [{ firstName: nameOf(0), id: utf8('leaf') }, { firstName: nameOf(0), id: utf8('leaf') }] } : { kind: 'directory', level: 0, nodes: [nodeOf(0)] }) }
    const itself: TreeCache = { blob: async () => ({ kind: 'directory', level: 1, children: [{ firstName: nameOf(0), id: ROOT }] }) }
    for (const trees of [twice, itself]) {
      await expectRejected(readPage(trees, ROOT, { name: undefined, direction: 'from' }, 10), 'CORRUPT')
      await expectRejected(findInPages(trees, ROOT, { name: undefined, direction: 'before' }, () => false), 'CORRUPT')
    }
  })
})
