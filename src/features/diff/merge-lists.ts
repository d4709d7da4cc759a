/**
 * Two directory lists, side by side in byte order of the names. Lists are cut by their own content,
 * so those of two snapshots share most of their blobs: a blob that stands on both sides is passed
 * over without being read, and what is read is proportional to what differs. In memory is one blob
 * a level and side.
 */
import { compareBytes, equalBytes, toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import type { Node } from '../../snapshot/node.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'
import { scanDirectory, type ScannedNode } from '../../snapshot/tree-scan.ts'
import { createFrontier, type Frontier, type Head } from '../list-frontier.ts'

/** What stands under one name; at least one of them. */
export interface Pair {
  readonly left: Node | undefined
  readonly right: Node | undefined
}

/**
 * All names of both lists but those whose nodes are the same to the byte.
 * @param left - id of a list's root, or undefined for an empty one
 * @throws {BackupError} BLOB_MISSING, CORRUPT
 */
export async function* mergeLists(trees: TreeReader, left: Uint8Array | undefined, right: Uint8Array | undefined): AsyncGenerator<readonly Pair[], void, undefined> {
  const [a, b] = [listOf(trees, left), listOf(trees, right)]
  let pairs: Pair[] = []
  for (;;) {
    const [x, y] = [a?.head(), b?.head()]
    if (x === undefined && y === undefined) break
    const order = x === undefined ? 1 : y === undefined ? -1 : compareBytes(x.name, y.name)
    const opened = order < 0 ? onlyOne(a!, x!, 'left', pairs) : order > 0 ? onlyOne(b!, y!, 'right', pairs) : both(a!, b!, x!, y!, pairs)
    if (opened.length === 0) continue
    if (pairs.length > 0) yield pairs
    pairs = []
    for (const side of opened) await side.open()
  }
  if (pairs.length > 0) yield pairs
}

/** @returns what must be opened before it goes on */
function onlyOne(list: Side, { item }: SideHead, side: 'left' | 'right', pairs: Pair[]): readonly Side[] {
  if (item === undefined) return [list]
  pairs.push(side === 'left' ? { left: item.decode(), right: undefined } : { left: undefined, right: item.decode() })
  list.skip()
  return NONE
}

function both(a: Side, b: Side, x: SideHead, y: SideHead, pairs: Pair[]): readonly Side[] {
  if (x.item !== undefined && y.item !== undefined) {
    // The same bytes are the same node, and of a folder the same list.
    if (!equalBytes(x.item.encoded, y.item.encoded)) pairs.push({ left: x.item.decode(), right: y.item.decode() })
  } else if (x.id !== undefined && y.id !== undefined) {
    // Of unequal levels the higher is opened: what equals the other may stand in it.
    if (x.level !== y.level) return x.level > y.level ? [a] : [b]
    if (!equalBytes(x.id, y.id)) return [a, b]
  } else return x.id === undefined ? [b] : [a]
  a.skip()
  b.skip()
  return NONE
}

const NONE: readonly Side[] = []
const NO_NAME = new Uint8Array(0)

type Side = Frontier<Uint8Array, ScannedNode>
type SideHead = Head<Uint8Array, ScannedNode>

function listOf(trees: TreeReader, root: Uint8Array | undefined): Side | undefined {
  if (root === undefined) return undefined
  return createFrontier<Uint8Array, ScannedNode>({
    root,
    noName: NO_NAME,
    compare: compareBytes,
    async load(id, below) {
      const list = scanDirectory(await trees.bytes(id), () => true)
      if (list.level >= below) throw new BackupError('CORRUPT', `tree blob ${toHex(id).slice(0, 16)} stands where it cannot`)
      if ('nodes' in list) return list.nodes.map((node) => ({ name: node.name, item: node, level: -1 }))
      return list.children.map((child) => ({ name: child.firstName, id: child.id, level: list.level }))
    },
  })
}
