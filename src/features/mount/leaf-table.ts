/**
 * Names for what the kernel knows of a snapshot. The kernel names a node by a number, and a table of
 * all nodes that it has seen would grow with what is looked at: a folder of a million entries would
 * be a million rows. So a row stands for a leaf, a blob of a folder's list that holds about 256
 * entries, and the number of a node is that of its leaf with its place in it. A row goes when the
 * kernel has forgotten all nodes of its leaf; numbers are never given twice.
 */
import type { InodeNumber } from '../../fuse/replies.ts'

export interface Leaf {
  readonly number: number
  /** Id of the tree blob. */
  readonly id: Uint8Array
  /** Number of the node of the folder that it is part of, and its inode. */
  readonly folder: number
  readonly folderInode: InodeNumber
  /** How often the kernel has looked up nodes of it and not forgotten them. */
  lookups: number
}

/** A tree blob of 2 MiB, the most there is, holds fewer entries than this. */
const PLACES = 2 ** 20

export interface LeafTable {
  readonly size: number
  /** The leaf of a folder. */
  intern(folder: number, folderInode: InodeNumber, id: Uint8Array): Leaf
  get(number: number): Leaf | undefined
  /** The kernel knows one more node of it. */
  count(node: number): void
  forget(node: number, lookups: number): void
}

export function nodeNumber(leaf: Leaf, place: number): number {
  if (place >= PLACES) throw new RangeError('a leaf has more entries than a blob can hold')
  return leaf.number * PLACES + place
}

/** 0 for what is no part of a snapshot. */
export function leafNumberOf(node: number): number {
  return Math.floor(node / PLACES)
}

export function placeOf(node: number): number {
  return node % PLACES
}

/** Rows that nothing was looked up in yet, as by a list without attributes; then the oldest of them go. */
const IDLE_MOST = 4096

export function createLeafTable(): LeafTable {
  const byNumber = new Map<number, Leaf>()
  const byName = new Map<string, Leaf>()
  const idle = new Map<number, Leaf>()
  let next = 1

  const nameOf = (folder: number, id: Uint8Array): string => `${folder} ${Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1')}`
  const drop = (leaf: Leaf): void => {
    byNumber.delete(leaf.number)
    byName.delete(nameOf(leaf.folder, leaf.id))
    idle.delete(leaf.number)
  }

  return {
    get size() {
      return byNumber.size
    },
    intern(folder, folderInode, id) {
      const name = nameOf(folder, id)
      const known = byName.get(name)
      if (known !== undefined) return known
      const leaf: Leaf = { number: next++, id: id.slice(), folder, folderInode, lookups: 0 }
      byNumber.set(leaf.number, leaf)
      byName.set(name, leaf)
      idle.set(leaf.number, leaf)
      if (idle.size > IDLE_MOST) for (const oldest of idle.values()) return drop(oldest), leaf
      return leaf
    },
    get: (number) => byNumber.get(number),
    count(node) {
      const leaf = byNumber.get(leafNumberOf(node))
      if (leaf === undefined) return
      if (leaf.lookups++ === 0) idle.delete(leaf.number)
    },
    forget(node, lookups) {
      const leaf = byNumber.get(leafNumberOf(node))
      if (leaf === undefined) return
      leaf.lookups -= lookups
      if (leaf.lookups <= 0) drop(leaf)
    },
  }
}
