/** What `ls` shows of a snapshot: a folder's children, or a file itself. */
import type { Repository } from '../repository/repository.ts'
import type { Node } from '../snapshot/node.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { openTreeReader } from '../snapshot/tree-reader.ts'
import { findPath, normalPath, walkTree } from '../snapshot/tree-walk.ts'

export interface ListedNode {
  /** Absolute. */
  readonly path: Uint8Array
  readonly node: Node
}

export interface ListTreeOptions {
  /** All that lies below as well; false by default. */
  readonly recursive?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * @param path - absolute in the snapshot; undefined is its root
 * @throws {BackupError} PATH_NOT_FOUND, BLOB_MISSING, CORRUPT
 */
export async function* listTree(repository: Repository, snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array | undefined, options: ListTreeOptions = {}): AsyncGenerator<ListedNode, void, undefined> {
  const trees = await openTreeReader(repository)
  const at = normalPath(path ?? new Uint8Array(0))
  const start = await findPath(trees, snapshot.tree, at)
  if (start.type !== 'directory') yield { path: at, node: start }
  else if (start.subtree !== undefined) {
    const walk = walkTree(trees, start.subtree, { path: at, recursive: options.recursive ?? false, signal: options.signal })
    for await (const entry of walk) yield { path: entry.path, node: entry.node }
  }
}

/**
 * What stands at a path.
 * @param path - absolute in the snapshot
 * @throws {BackupError} PATH_NOT_FOUND, BLOB_MISSING, CORRUPT
 */
export async function findNode(repository: Repository, snapshot: Pick<Snapshot, 'tree'>, path: Uint8Array): Promise<Node> {
  return findPath(await openTreeReader(repository), snapshot.tree, path)
}
