/**
 * A folder's list as it is asked for piece by piece: by a name, or from where a piece ended. Where
 * it ended is a number that says the way through the list of lists, so that nothing need be kept for
 * a folder that is being read, and a list of a million goes on where it was in one step.
 *
 *   cookie: bit 62 ‖ up to three places in inner lists, 14 bits each ‖ place behind the entry, 20 bits
 *
 * Names must ascend over the whole list: a hostile one cannot repeat itself without end.
 */
import { compareBytes, toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import type { Node } from '../../snapshot/node.ts'
import { type DirectoryChild } from '../../snapshot/tree-blob.ts'
import { requireKind } from '../../snapshot/tree-reader.ts'
import type { TreeCache } from './tree-cache.ts'

export interface ListLeaf {
  readonly id: Uint8Array
  readonly nodes: readonly Node[]
}

const INNER_BITS = 14n
const INNER_MOST = 1 << 14
const INNER_LEVELS = 3
const PLACE_BITS = 20n
const PLACE_MASK = (1n << PLACE_BITS) - 1n
const MARK = 1n << 62n
const TOP = Number.POSITIVE_INFINITY

/** The entry of that name, with the leaf that it is in and its place there. */
export async function findInFolder(trees: TreeCache, root: Uint8Array, name: Uint8Array): Promise<{ readonly leaf: ListLeaf; readonly place: number } | undefined> {
  let id = root
  for (let below = TOP; ; ) {
    const blob = await trees.blob(id)
    requireKind(blob, 'directory', below, id)
    if (blob.kind !== 'directory') throw wrong(id)
    if ('nodes' in blob) {
      const place = lastNotBehind(blob.nodes, name, (node) => node.name)
      const node = blob.nodes[place]
      return node !== undefined && compareBytes(node.name, name) === 0 ? { leaf: { id, nodes: blob.nodes }, place } : undefined
    }
    const child = blob.children[lastNotBehind(blob.children, name, (one) => one.firstName)]
    if (child === undefined) return undefined
    below = blob.level
    id = child.id
  }
}

/** Position of the last whose name is not behind the given one; -1 when all are. */
function lastNotBehind<Item>(items: readonly Item[], name: Uint8Array, nameOf: (item: Item) => Uint8Array): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(nameOf(items[middle]!), name) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

export interface ListPiece {
  readonly leaf: ListLeaf
  /** The first entry that is wanted. */
  readonly place: number
  /** What to ask for behind an entry. */
  cookieBehind(place: number): bigint
}

/** Leaf by leaf from a cookie on, or from the beginning. */
export async function* piecesOf(trees: TreeCache, root: Uint8Array, cookie: bigint | undefined): AsyncGenerator<ListPiece, void, undefined> {
  const start = cookie === undefined ? undefined : wayOf(cookie)
  yield* piecesBelow({ trees, start: start?.way, place: start?.place ?? 0 }, { id: root, level: TOP, from: undefined, to: undefined, way: [] })
}

interface Walk {
  readonly trees: TreeCache
  readonly start: readonly number[] | undefined
  readonly place: number
}

interface At {
  readonly id: Uint8Array
  /** Of the list above. */
  readonly level: number
  /** The first name that it must have, and one that all are before. */
  readonly from: Uint8Array | undefined
  readonly to: Uint8Array | undefined
  readonly way: readonly number[]
}

async function* piecesBelow(walk: Walk, at: At): AsyncGenerator<ListPiece, void, undefined> {
  const blob = await walk.trees.blob(at.id)
  requireKind(blob, 'directory', at.level, at.id)
  if (blob.kind !== 'directory') throw wrong(at.id)
  const depth = at.way.length
  if ('nodes' in blob) {
    requireWithin(at, blob.nodes.map((node) => node.name))
    const base = MARK | (packed(at.way) << PLACE_BITS)
    yield { leaf: { id: at.id, nodes: blob.nodes }, place: walk.start === undefined ? 0 : walk.place, cookieBehind: (place) => base | BigInt(place + 1) }
    return
  }
  if (depth === INNER_LEVELS || blob.children.length >= INNER_MOST) throw new BackupError('CORRUPT', `the list ${toHex(at.id).slice(0, 16)} of a folder is deeper or wider than any that was made by a backup`)
  requireWithin(at, blob.children.map((child) => child.firstName))
  const first = walk.start?.[depth] ?? 0
  for (let i = first; i < blob.children.length; i++) {
    const child: DirectoryChild = blob.children[i]!
    const isOnWay = i === first && walk.start !== undefined
    const next = { id: child.id, level: blob.level, from: child.firstName, to: blob.children[i + 1]?.firstName ?? at.to, way: [...at.way, i] }
    yield* piecesBelow(isOnWay ? walk : { ...walk, start: undefined }, next)
  }
}

function requireWithin(at: At, names: readonly Uint8Array[]): void {
  const [first] = names
  const last = names.at(-1)
  const isRight = (at.from === undefined || (first !== undefined && compareBytes(first, at.from) === 0)) && (at.to === undefined || (last !== undefined && compareBytes(last, at.to) < 0))
  if (!isRight) throw new BackupError('CORRUPT', `the list ${toHex(at.id).slice(0, 16)} of a folder has names that are out of order`)
}

function packed(way: readonly number[]): bigint {
  let bits = 0n
  for (let i = 0; i < INNER_LEVELS; i++) bits = (bits << INNER_BITS) | BigInt(way[i] ?? 0)
  return bits
}

/** Any number is a way; a wrong one leads to an end or to entries that are there. */
function wayOf(cookie: bigint): { readonly way: readonly number[]; readonly place: number } {
  const way: number[] = []
  for (let i = 0; i < INNER_LEVELS; i++) way.unshift(Number((cookie >> (PLACE_BITS + INNER_BITS * BigInt(i))) & BigInt(INNER_MOST - 1)))
  return { way, place: Number(cookie & PLACE_MASK) }
}

function wrong(id: Uint8Array): BackupError {
  return new BackupError('CORRUPT', `tree blob ${toHex(id).slice(0, 16)} is not the list of a folder`)
}
