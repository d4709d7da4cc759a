/**
 * Finding one's way in a snapshot's tree: to one path, and through all that lies below one. A walk
 * holds one leaf of a directory's list for each folder it is in, so its memory does not grow with
 * the tree.
 */
import { BackupError, throwIfAborted } from '../util/errors.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import type { Node } from './node.ts'
import { createPathGuard } from './path-guard.ts'
import { joinPath, splitPath } from './source-paths.ts'
import type { TreeReader } from './tree-reader.ts'

/** What a file system lets nobody reach; a tree that is deeper was not made by a backup. */
export const DEPTH_LIMIT = 4096

const ROOT = Uint8Array.of(0x2f)
const NO_NAME = new Uint8Array(0)

/** A folder for the snapshot's root, of which no node tells: it has no name and no times. */
export function rootNode(rootTree: Uint8Array): Node {
  return { name: NO_NAME, type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 1, subtree: rootTree }
}

/**
 * The node at an absolute path of the snapshot; for `/` a stand-in without a name (`rootNode`).
 * Links are not followed, and `.` and `..` are no names.
 * @throws {BackupError} PATH_NOT_FOUND - `details.nearest` is the last part of the path that is there
 */
export async function findPath(trees: TreeReader, rootTree: Uint8Array, path: Uint8Array): Promise<Node> {
  let node = rootNode(rootTree)
  let reached: Uint8Array = ROOT
  for (const name of splitPath(path)) {
    if (node.type !== 'directory') throw notFound(path, reached, `${escapeBytes(reached)} is a ${node.type}, not a folder`)
    const next = node.subtree === undefined ? undefined : await trees.find(node.subtree, name)
    if (next === undefined) throw notFound(path, reached, `the nearest folder that is there is ${escapeBytes(reached)}`)
    node = next
    reached = joinPath(reached, name)
  }
  return node
}

function notFound(path: Uint8Array, reached: Uint8Array, why: string): BackupError {
  const shown = escapeBytes(path)
  return new BackupError('PATH_NOT_FOUND', `the snapshot does not hold ${shown}: ${why}`, { path: shown, details: { nearest: escapeBytes(reached) } })
}

/** The path as the tree has it: one slash before each name and none at the end. */
export function normalPath(path: Uint8Array): Uint8Array {
  return splitPath(path).reduce<Uint8Array>(joinPath, ROOT)
}

export interface WalkEntry {
  readonly path: Uint8Array
  readonly node: Node
  /** 0 for the children of where the walk begins. */
  readonly depth: number
}

export interface WalkOptions {
  /** Whether folders are entered, true by default. A function decides for each of them. */
  readonly recursive?: boolean | ((entry: WalkEntry) => boolean) | undefined
  /** The absolute path of the folder whose list is walked: `/` by default. */
  readonly path?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * All that lies in a directory's list and below, depth first, a folder before its children and those
 * in byte order of their names.
 * @throws {BackupError} BLOB_MISSING, CORRUPT
 */
export async function* walkTree(trees: TreeReader, tree: Uint8Array, options: WalkOptions = {}): AsyncGenerator<WalkEntry, void, undefined> {
  const { recursive = true, signal } = options
  const guard = createPathGuard(trees, [tree], { signal })
  const stack: Open[] = [{ path: options.path ?? ROOT, lists: trees.nodes(tree), nodes: [], next: 0 }]
  while (stack.length > 0) {
    const folder = stack.at(-1)!
    const node = folder.nodes[folder.next++]
    if (node === undefined) {
      throwIfAborted(signal)
      const list = await folder.lists.next()
      if (list.done === true) stack.pop()
      else Object.assign(folder, { nodes: list.value, next: 0 })
      continue
    }
    const entry: WalkEntry = { path: joinPath(folder.path, node.name), node, depth: stack.length - 1 }
    yield entry
    if (node.subtree === undefined || !(typeof recursive === 'function' ? recursive(entry) : recursive)) continue
    if (stack.length >= DEPTH_LIMIT) throw new BackupError('CORRUPT', `a tree is deeper than ${DEPTH_LIMIT} folders`)
    await guard.entered()
    stack.push({ path: entry.path, lists: trees.nodes(node.subtree), nodes: [], next: 0 })
  }
}

interface Open {
  readonly path: Uint8Array
  readonly lists: AsyncGenerator<readonly Node[]>
  nodes: readonly Node[]
  next: number
}
