/**
 * A repository as a tree of folders: from numbers and names to nodes, and from offsets to bytes. It
 * knows nothing of the kernel's protocol, but gives what a file system is asked for: numbers that
 * name nodes without a table of them, inodes, and lists that go on where they ended.
 */
import type { InodeNumber } from '../../fuse/replies.ts'
import { BackupError } from '../../util/errors.ts'
import { toHex } from '../../util/bytes.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'
import { type Piece, piecesOfRange } from './content-range.ts'
import { findInFolder, type ListLeaf, piecesOf } from './folder-list.ts'
import type { FrameStore } from './frame-store.ts'
import { inodeOfFile, inodeOfName } from './inode-number.ts'
import type { LayoutEntry, LayoutFolder } from './layout.ts'
import { layoutNode, type Owner } from './layout-node.ts'
import { createLayoutNumbers, folderIn } from './layout-numbers.ts'
import { createLeafTable, leafNumberOf, nodeNumber, placeOf } from './leaf-table.ts'
import type { ReadAhead } from './read-ahead.ts'
import type { TreeCache } from './tree-cache.ts'

export interface ViewEntry {
  /** Names the node as long as it is counted more often than it is forgotten. */
  readonly number: number
  readonly inode: InodeNumber
  readonly node: Node
  /** Part of a snapshot: what it is never changes. */
  readonly isFixed: boolean
  /** Neither does what it is called. */
  readonly isNameFixed: boolean
}

/** A stretch of a folder's list. */
export interface ListedPiece {
  /** The first that was asked for, and the one behind the last. */
  readonly from: number
  readonly to: number
  entry(place: number): ViewEntry
  /** Where the list goes on behind that entry; above 2. */
  cookieBehind(place: number): bigint
}

export interface MountView {
  /** undefined: a number that nothing has, or has any more. */
  entry(number: number): Promise<ViewEntry | undefined>
  /** undefined: the folder holds no such name. */
  look(folder: ViewEntry, name: Uint8Array): Promise<ViewEntry | undefined>
  list(folder: ViewEntry, cookie: bigint | undefined): AsyncGenerator<ListedPiece, void, undefined>
  /** Of the folder that it is in. */
  parentInode(entry: ViewEntry): Promise<InodeNumber>
  /** Hands the bytes of a range, as parts, to a function that uses them at once. Ends where the file does. */
  read<Result>(file: ViewEntry, start: number, sizeBytes: number, use: (parts: readonly Uint8Array[]) => Result): Promise<Result>
  count(number: number): void
  forget(number: number, lookups: number): void
  /** For people: which snapshot, and the path in it. */
  describe(number: number): Promise<{ readonly snapshot: Snapshot | undefined; readonly path: readonly Uint8Array[] }>
}

export interface ViewParts {
  readonly trees: TreeCache
  readonly frames: FrameStore
  readonly readAhead: ReadAhead
  /** As it is now. */
  readonly layout: () => Promise<LayoutFolder>
  readonly owner: Owner
}

const ROOT_INODE: InodeNumber = { high: 0, low: 1 }
const LAYOUT_COOKIES = 3n
const ZEROS = new Uint8Array(256 * 1024)

export function createView({ trees, frames, readAhead, layout, owner }: ViewParts): MountView {
  const leaves = createLeafTable()
  const numbers = createLayoutNumbers()

  const layoutInode = (path: string): InodeNumber => (path === '' ? ROOT_INODE : inodeOfName(ROOT_INODE, Buffer.from(path)))
  const layoutEntry = (name: string, entry: LayoutEntry): ViewEntry => ({
    number: numbers.of(entry),
    inode: layoutInode(entry.path),
    node: layoutNode(name, entry, owner),
    isFixed: entry.kind !== 'folder',
    isNameFixed: false,
  })

  const leafOf = async (number: number): Promise<ListLeaf | undefined> => {
    const row = leaves.get(leafNumberOf(number))
    if (row === undefined) return undefined
    const blob = await trees.blob(row.id)
    return 'nodes' in blob ? { id: row.id, nodes: blob.nodes } : undefined
  }

  const entryOf = async (number: number): Promise<ViewEntry | undefined> => {
    if (leafNumberOf(number) > 0) {
      const row = leaves.get(leafNumberOf(number))
      const node = (await leafOf(number))?.nodes[placeOf(number)]
      return row === undefined || node === undefined ? undefined : nodeEntry(number, node, row.folderInode)
    }
    const root = await layout()
    const seen = number === numbers.of(root) ? root : numbers.get(number)
    if (seen === undefined) return undefined
    const now = seen.kind === 'folder' ? folderIn(root, seen.path) : seen
    return now === undefined ? undefined : layoutEntry(now.path.slice(now.path.lastIndexOf('/') + 1), now)
  }

  const layoutFolder = async (folder: ViewEntry): Promise<LayoutFolder | undefined> => {
    const seen = leafNumberOf(folder.number) === 0 ? numbers.get(folder.number) : undefined
    return seen?.kind === 'folder' ? folderIn(await layout(), seen.path) : undefined
  }

  return {
    entry: entryOf,
    async look(folder, name) {
      const above = await layoutFolder(folder)
      if (above !== undefined) {
        const text = Buffer.from(name).toString()
        const entry = Buffer.from(text).equals(name) ? above.entries.get(text) : undefined
        return entry === undefined ? undefined : layoutEntry(text, entry)
      }
      if (folder.node.subtree === undefined) return undefined
      const found = await findInFolder(trees, folder.node.subtree, name)
      if (found === undefined) return undefined
      const row = leaves.intern(folder.number, folder.inode, found.leaf.id)
      return nodeEntry(nodeNumber(row, found.place), found.leaf.nodes[found.place]!, folder.inode)
    },
    async *list(folder, cookie) {
      const above = await layoutFolder(folder)
      if (above !== undefined) {
        const entries = [...above.entries]
        yield {
          from: cookie === undefined ? 0 : Math.min(entries.length, Number(cookie - LAYOUT_COOKIES + 1n)),
          to: entries.length,
          entry: (place) => layoutEntry(...entries[place]!),
          cookieBehind: (place) => LAYOUT_COOKIES + BigInt(place),
        }
        return
      }
      if (folder.node.subtree === undefined) return
      for await (const piece of piecesOf(trees, folder.node.subtree, cookie)) {
        const { nodes, id } = piece.leaf
        const row = leaves.intern(folder.number, folder.inode, id)
        yield {
          from: piece.place,
          to: nodes.length,
          entry: (place) => nodeEntry(nodeNumber(row, place), nodes[place]!, folder.inode),
          cookieBehind: piece.cookieBehind,
        }
      }
    },
    async parentInode({ number }) {
      const row = leaves.get(leafNumberOf(number))
      if (row !== undefined) return row.folderInode
      const path = numbers.get(number)?.path ?? ''
      return layoutInode(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
    },
    async read(file, start, sizeBytes, use) {
      const { node } = file
      const end = Math.min(node.size, start + sizeBytes)
      if (node.type !== 'file' || start >= end) return use([])
      const leaf = await leafOf(file.number)
      const pieces = await piecesOfRange(trees, node, start, end)
      const blobs = pieces.flatMap((piece) => (piece.kind === 'blob' ? [piece.blob] : []))
      const reading = frames.read('data', blobs, (bytes) => use(partsOf(pieces, bytes)))
      if (leaf !== undefined) readAhead.saw({ number: file.number, node, siblings: leaf.nodes, place: placeOf(file.number) }, start, end)
      return reading
    },
    count: leaves.count,
    forget: leaves.forget,
    async describe(number) {
      const path: Uint8Array[] = []
      let at = number
      for (let row = leaves.get(leafNumberOf(at)); row !== undefined && path.length < DEPTH_LIMIT; row = leaves.get(leafNumberOf(at))) {
        const name = (await leafOf(at))?.nodes[placeOf(at)]?.name
        path.unshift(name ?? Buffer.from('?'))
        at = row.folder
      }
      const top = numbers.get(at)
      return { snapshot: top?.kind === 'snapshot' ? top.snapshot : undefined, path }
    },
  }
}

function nodeEntry(number: number, node: Node, folderInode: InodeNumber): ViewEntry {
  return { number, inode: node.type === 'directory' ? inodeOfName(folderInode, node.name) : inodeOfFile(node), node, isFixed: true, isNameFixed: true }
}

/** @param bytes - of the pieces that are blobs, in their order */
function partsOf(pieces: readonly Piece[], bytes: readonly Uint8Array[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  let next = 0
  for (const piece of pieces) {
    if (piece.kind === 'blob') {
      const blob = bytes[next++]
      if (blob === undefined || blob.length < piece.from + piece.length) throw new BackupError('CORRUPT', `blob ${toHex(piece.blob.id).slice(0, 16)} is shorter than the file says`)
      parts.push(blob.subarray(piece.from, piece.from + piece.length))
    } else for (let left = piece.length; left > 0; left -= ZEROS.length) parts.push(ZEROS.subarray(0, Math.min(left, ZEROS.length)))
  }
  return parts
}
