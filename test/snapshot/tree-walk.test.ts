import { describe, expect, test } from 'vitest'
import type { Node } from '../../src/snapshot/node.ts'
import type { TreeReader } from '../../src/snapshot/tree-reader.ts'
import { DEPTH_LIMIT, findPath, normalPath, walkTree, type WalkOptions } from '../../src/snapshot/tree-walk.ts'
import { compareBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'

/** A folder of names; a text is a file, a link, or whatever node is wanted. */
interface Folder {
  readonly [name: string]: Folder | 'file' | 'symlink'
}

const BASE = { mode: 0o644, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 1, links: 1 }

/** Trees in a Map, each list in stretches of two. */
function treesOf(root: Folder): { trees: TreeReader; tree: Uint8Array; reads: () => number } {
  const lists = new Map<string, Node[]>()
  let reads = 0
  const store = (folder: Folder): Uint8Array => {
    const nodes = Object.entries(folder).map(([name, entry]): Node => {
      if (typeof entry === 'string') return { ...BASE, name: utf8(name), type: entry }
      return { ...BASE, name: utf8(name), type: 'directory', subtree: store(entry) }
    })
    const id = new Uint8Array(32)
    new DataView(id.buffer).setUint32(0, lists.size)
    lists.set(toHex(id), nodes.sort((a, b) => compareBytes(a.name, b.name)))
    return id
  }
  const listOf = (id: Uint8Array): Node[] => {
    reads++
    const nodes = lists.get(toHex(id))
    if (nodes === undefined) throw new BackupError('BLOB_MISSING', 'no such list')
    return nodes
  }
  const trees: TreeReader = {
    blob: () => Promise.reject(new Error('not asked for here')),
    bytes: () => Promise.reject(new Error('not asked for here')),
    remember: () => undefined,
    async *nodes(id) {
      const nodes = listOf(id)
      for (let at = 0; at < nodes.length; at += 2) yield nodes.slice(at, at + 2)
    },
    find: (id, name) => Promise.resolve(listOf(id).find((node) => compareBytes(node.name, name) === 0)),
    async *scanners() {},
    async *content() {},
  }
  return { trees, tree: store(root), reads: () => reads }
}

/** Walks folders in folders, so many deep and then an empty one. */
async function countChain(depth: number): Promise<number> {
  const idOf = (level: number): Uint8Array => Uint8Array.of(level >> 8, level & 255)
  const folder = (level: number): Node => ({ ...BASE, name: utf8('d'), type: 'directory', subtree: level < depth ? idOf(level) : undefined })
  const trees: TreeReader = {
    ...treesOf({}).trees,
    async *nodes(id) {
      yield [folder((id[0]! << 8) + id[1]! + 1)]
    },
  }
  let count = 0
  for await (const entry of walkTree(trees, idOf(0))) count = Math.max(count, entry.depth + 1)
  return count
}

const TREE: Folder = { home: { ada: { notes: 'file', pictures: { a: 'file', b: 'file', c: 'file' } }, link: 'symlink' }, etc: {}, zz: 'file' }

async function walked(folder: Folder, options: WalkOptions = {}): Promise<string[]> {
  const { trees, tree } = treesOf(folder)
  const seen: string[] = []
  for await (const entry of walkTree(trees, tree, options)) seen.push(`${entry.depth} ${Buffer.from(entry.path).toString()}`)
  return seen
}

describe('walkTree', () => {
  test('goes depth first, a folder before its children', async () => {
    expect(await walked(TREE)).toEqual([
      '0 /etc', '0 /home', '1 /home/ada', '2 /home/ada/notes', '2 /home/ada/pictures', '3 /home/ada/pictures/a', '3 /home/ada/pictures/b', '3 /home/ada/pictures/c', '1 /home/link', '0 /zz',
    ])
  })

  test('stays in the folder when it is not recursive', async () => {
    expect(await walked(TREE, { recursive: false })).toEqual(['0 /etc', '0 /home', '0 /zz'])
  })

  test('begins its paths where it is told', async () => {
    expect(await walked({ a: { b: 'file' } }, { path: utf8('/x/y') })).toEqual(['0 /x/y/a', '1 /x/y/a/b'])
  })

  test('enters only the folders that are chosen', async () => {
    const options: WalkOptions = { recursive: ({ node }) => compareBytes(node.name, utf8('pictures')) !== 0 }
    expect(await walked(TREE, options)).toEqual(['0 /etc', '0 /home', '1 /home/ada', '2 /home/ada/notes', '2 /home/ada/pictures', '1 /home/link', '0 /zz'])
  })

  test('reads nothing that nobody comes to', async () => {
    const { trees, tree, reads } = treesOf(TREE)
    for await (const { path } of walkTree(trees, tree)) if (compareBytes(path, utf8('/home')) === 0) break
    expect(reads()).toBe(2)
  })

  test('stops for an aborted signal', async () => {
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    await expect(walked(TREE, { signal: abort.signal })).rejects.toThrow('enough')
  })

  test('refuses a tree that is deeper than any file system allows', async () => {
    expect(await countChain(DEPTH_LIMIT)).toBe(DEPTH_LIMIT)
    await expect(countChain(DEPTH_LIMIT + 1)).rejects.toMatchObject({ code: 'CORRUPT' })
  })
})

describe('findPath', () => {
  const { trees, tree } = treesOf(TREE)
  const find = (path: string): Promise<Node> => findPath(trees, tree, utf8(path))

  test.each(['/home/ada/notes', '//home//ada/notes/', 'home/ada/notes'])('finds %s', async (path) => {
    const node = await find(path)
    expect(Buffer.from(node.name).toString()).toBe('notes')
    expect(node.type).toBe('file')
  })

  test.each(['/', '', '//'])('gives a folder without a name for the root "%s"', async (path) => {
    expect(await find(path)).toMatchObject({ type: 'directory', name: new Uint8Array(0), subtree: tree })
  })

  test.each([
    ['/home/bob/notes', '/home'],
    ['/nowhere', '/'],
    ['/home/ada/../ada', '/home/ada'],
    ['/etc/passwd', '/etc'],
  ])('names the nearest folder that is there for %s', async (path, nearest) => {
    const error: unknown = await find(path).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'PATH_NOT_FOUND', details: { nearest } })
    expect((error as Error).message).toContain(path)
  })

  test.each([['/zz/x', 'file'], ['/home/link/x', 'symlink']])('says that %s leads through a %s', async (path, type) => {
    await expect(find(path)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND', message: expect.stringContaining(`is a ${type}, not a folder`) as string })
  })
})

describe('normalPath', () => {
  test.each([['/a//b/', '/a/b'], ['a', '/a'], ['', '/'], ['///', '/']])('makes of "%s" "%s"', (path, normal) => {
    expect(Buffer.from(normalPath(utf8(path))).toString()).toBe(normal)
  })
})
