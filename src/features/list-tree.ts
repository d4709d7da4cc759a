/** What a snapshot holds at a path. */
import { loadIndex } from '../repository/index-loader.ts'
import type { Repository } from '../repository/repository.ts'
import type { Node } from '../snapshot/node.ts'
import { findNode } from '../snapshot/restore-walk.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { joinPath } from '../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../snapshot/tree-reader.ts'

export interface ListedNode {
  readonly path: Uint8Array
  readonly node: Node
}

const ROOT = Buffer.from('/')

/**
 * The entries of a folder, or the file itself, in byte order of their names.
 * @throws {BackupError} PATH_NOT_FOUND
 */
export async function* listTree(repository: Repository, snapshot: Snapshot, path: Uint8Array | undefined, options: { readonly isRecursive?: boolean | undefined } = {}): AsyncGenerator<ListedNode> {
  await loadIndex(repository, { group: snapshot.group })
  const trees = await openTreeReader(repository)
  const { node, folder } = await findNode(trees, snapshot.tree, path ?? ROOT)
  const shown = node === undefined ? ROOT : joinPath(folder, node.name)
  if (node !== undefined && node.type !== 'directory') yield { path: shown, node }
  else yield* below(trees, node?.subtree ?? (node === undefined ? snapshot.tree : undefined), shown, options.isRecursive === true)
}

async function* below(trees: TreeReader, tree: Uint8Array | undefined, folder: Uint8Array, isRecursive: boolean): AsyncGenerator<ListedNode> {
  if (tree === undefined) return
  for await (const nodes of trees.nodes(tree)) {
    for (const node of nodes) {
      const path = joinPath(folder, node.name)
      yield { path, node }
      if (isRecursive && node.subtree !== undefined) yield* below(trees, node.subtree, path, true)
    }
  }
}
