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

/** What stands under one name; at least one of them. */
export interface Pair {
  readonly left: Node | undefined
  readonly right: Node | undefined
}

/**
 * All names of both lists but those in blobs that both share.
 * @param left - id of a list's root, or undefined for an empty one
 * @throws {BackupError} BLOB_MISSING, CORRUPT
 */
export async function* mergeLists(trees: TreeReader, left: Uint8Array | undefined, right: Uint8Array | undefined): AsyncGenerator<readonly Pair[], void, undefined> {
  const [a, b] = [createFrontier(trees, left), createFrontier(trees, right)]
  let pairs: Pair[] = []
  for (;;) {
    const [x, y] = [a.head(), b.head()]
    if (x === undefined && y === undefined) break
    const order = x === undefined ? 1 : y === undefined ? -1 : compareBytes(x.name, y.name)
    const opened = order < 0 ? onlyOne(a, x!, 'left', pairs) : order > 0 ? onlyOne(b, y!, 'right', pairs) : both(a, b, x!, y!, pairs)
    if (opened.length === 0) continue
    if (pairs.length > 0) yield pairs
    pairs = []
    for (const frontier of opened) await frontier.open()
  }
  if (pairs.length > 0) yield pairs
}

/** @returns what must be opened before it goes on */
function onlyOne(frontier: Frontier, head: Head, side: 'left' | 'right', pairs: Pair[]): readonly Frontier[] {
  if (head.node === undefined) return [frontier]
  pairs.push(side === 'left' ? { left: head.node, right: undefined } : { left: undefined, right: head.node })
  frontier.skip()
  return NONE
}

function both(a: Frontier, b: Frontier, x: Head, y: Head, pairs: Pair[]): readonly Frontier[] {
  if (x.node !== undefined && y.node !== undefined) pairs.push({ left: x.node, right: y.node })
  else if (x.id !== undefined && y.id !== undefined) {
    // Of unequal levels the higher is opened: what equals the other may stand in it.
    if (x.level !== y.level) return x.level > y.level ? [a] : [b]
    if (!equalBytes(x.id, y.id)) return [a, b]
  } else return x.id === undefined ? [b] : [a]
  a.skip()
  b.skip()
  return NONE
}

const NONE: readonly Frontier[] = []
const NO_NAME = new Uint8Array(0)

/** What comes next in a list: a node, or a blob of the list that has not been read. */
interface Head {
  /** Of the blob, its first. */
  readonly name: Uint8Array
  readonly node?: Node
  readonly id?: Uint8Array
  /** That of the blob is lower. */
  readonly level: number
}

interface Frontier {
  head(): Head | undefined
  skip(): void
  /** Reads the blob at the head and puts what is in it in its place. */
  open(): Promise<void>
}

interface Blob {
  readonly heads: readonly Head[]
  next: number
}

function createFrontier(trees: TreeReader, root: Uint8Array | undefined): Frontier {
  const stack: Blob[] = root === undefined ? [] : [{ heads: [{ name: NO_NAME, id: root, level: Number.POSITIVE_INFINITY }], next: 0 }]
  const head = (): Head | undefined => {
    for (;;) {
      const blob = stack.at(-1)
      if (blob === undefined) return undefined
      const found = blob.heads[blob.next]
      if (found !== undefined) return found
      stack.pop()
    }
  }
  const skip = (): void => void stack.at(-1)!.next++
  return {
    head,
    skip,
    async open() {
      const { id, level } = head()!
      const blob = await trees.blob(id!)
      // Levels fall strictly, so that no list, however hostile, contains itself.
      if (blob.kind !== 'directory' || blob.level >= level) throw new BackupError('CORRUPT', `tree blob ${toHex(id!).slice(0, 16)} stands where it cannot`)
      skip()
      const heads = 'nodes' in blob ? blob.nodes.map((node): Head => ({ name: node.name, node, level: -1 })) : blob.children.map((child): Head => ({ name: child.firstName, id: child.id, level: blob.level }))
      stack.push({ heads, next: 0 })
    },
  }
}
