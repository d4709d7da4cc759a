/**
 * A folder of a snapshot page by page, in both directions: who looks at it sees some rows of it, and
 * a folder of a million entries costs what these rows cost. A place in it is a name, which stays what
 * it is whatever else was read; names ascend over the whole list, so a hostile one cannot go in circles.
 */
import { setImmediate } from 'node:timers/promises'
import { compareBytes, toHex } from '../../util/bytes.ts'
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import type { Node } from '../../snapshot/node.ts'
import type { DirectoryChild } from '../../snapshot/tree-blob.ts'
import { requireKind } from '../../snapshot/tree-reader.ts'
import type { TreeCache } from '../mount/tree-cache.ts'

/** `from` begins with that name, `after` behind it, `before` ahead of it and goes backwards; without a name they begin at the end of the folder that they go away from. */
export interface PageStart {
  readonly name: Uint8Array | undefined
  readonly direction: 'from' | 'after' | 'before'
}

export interface FolderPage {
  /** In the order of the folder, whatever the direction was. */
  readonly nodes: readonly Node[]
  /** Nothing comes behind it in that direction. */
  readonly isEnd: boolean
}

/** @throws {BackupError} BLOB_MISSING, CORRUPT, or what the storage says */
export async function readPage(trees: TreeCache, list: Uint8Array, start: PageStart, count: number, signal?: AbortSignal): Promise<FolderPage> {
  const isForward = start.direction !== 'before'
  const found: Node[] = []
  for await (const nodes of leaves(trees, { id: list, level: TOP }, start)) {
    throwIfAborted(signal)
    for (const node of nodes) {
      if (found.length === count) return { nodes: ordered(found, isForward), isEnd: false }
      requireOrder(found.at(-1), node, isForward)
      found.push(node)
    }
  }
  return { nodes: ordered(found, isForward), isEnd: true }
}

/**
 * The nearest entry in that direction whose name is wanted, beginning anew at the other end when there is none.
 * @throws {BackupError} as `readPage`
 */
export async function findInPages(trees: TreeCache, list: Uint8Array, start: PageStart, isWanted: (name: Uint8Array) => boolean, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const around: PageStart = { name: undefined, direction: start.direction === 'before' ? 'before' : 'from' }
  for (const from of start.name === undefined ? [around] : [start, around]) {
    let last: Node | undefined
    for await (const nodes of leaves(trees, { id: list, level: TOP }, from)) {
      for (const node of nodes) {
        requireOrder(last, node, from.direction !== 'before')
        last = node
        if (isWanted(node.name)) return node.name
      }
      // What is in the catalogue comes without waiting, and somebody may want to stop it.
      await setImmediate()
      throwIfAborted(signal)
    }
  }
  return undefined
}

const TOP = Number.POSITIVE_INFINITY

interface ListAt {
  readonly id: Uint8Array
  /** Of the list above. */
  readonly level: number
}

/** Leaf by leaf, each in the order of the direction. */
async function* leaves(trees: TreeCache, at: ListAt, start: PageStart): AsyncGenerator<readonly Node[], void, undefined> {
  const blob = await trees.blob(at.id)
  requireKind(blob, 'directory', at.level, at.id)
  if (blob.kind !== 'directory') throw new BackupError('CORRUPT', `tree blob ${toHex(at.id).slice(0, 16)} is not the list of a folder`)
  if ('nodes' in blob) {
    const nodes = blob.nodes.filter(({ name }) => isBeyond(name, start))
    yield start.direction === 'before' ? nodes.reverse() : nodes
    return
  }
  for (const child of childrenBeyond(blob.children, start)) yield* leaves(trees, { id: child.id, level: blob.level }, start)
}

function isBeyond(name: Uint8Array, { name: from, direction }: PageStart): boolean {
  if (from === undefined) return true
  const order = compareBytes(name, from)
  return direction === 'before' ? order < 0 : direction === 'from' ? order >= 0 : order > 0
}

/** Those that may hold what is beyond: the last that begins at or before the name, and all on its other side. */
function childrenBeyond(children: readonly DirectoryChild[], { name, direction }: PageStart): readonly DirectoryChild[] {
  const at = name === undefined ? -1 : children.findLastIndex(({ firstName }) => compareBytes(firstName, name) <= 0)
  if (direction !== 'before') return children.slice(Math.max(0, at))
  return children.slice(0, name === undefined ? children.length : at + 1).reverse()
}

function requireOrder(last: Node | undefined, node: Node, isForward: boolean): void {
  if (last === undefined) return
  const order = compareBytes(last.name, node.name)
  if (isForward ? order >= 0 : order <= 0) throw new BackupError('CORRUPT', 'the list of a folder has names that are out of order')
}

function ordered(nodes: Node[], isForward: boolean): Node[] {
  return isForward ? nodes : nodes.reverse()
}
