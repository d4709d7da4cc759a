/**
 * The versions of one path. For each snapshot one path of lists is read, and what was found in a
 * list once is not looked for in it again: snapshots that share a folder share the answer.
 */
import { toHex } from '../../util/bytes.ts'
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Node } from '../../snapshot/node.ts'
import { absolutePath } from '../../snapshot/select.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { splitPath } from '../../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { rootNode } from '../../snapshot/tree-walk.ts'
import { versionKey } from './version.ts'

export interface PathVersion<S> {
  readonly node: Node
  /** Those that hold it, in the order in which they were given. */
  readonly snapshots: readonly S[]
}

export interface PathHistory<S> {
  /** Absolute. */
  readonly path: Uint8Array
  /** In the order in which they first appear. */
  readonly versions: readonly PathVersion<S>[]
  /** Snapshots that do not hold the path. */
  readonly without: readonly S[]
}

/**
 * @param path - made absolute
 * @throws {BackupError} PATH_NOT_FOUND - none of the snapshots holds it; BLOB_MISSING, CORRUPT
 */
export async function pathHistory<S extends Pick<Snapshot, 'tree'>>(repository: Repository, snapshots: readonly S[], path: string | Uint8Array, signal?: AbortSignal): Promise<PathHistory<S>> {
  const trees = await openTreeReader(repository)
  const at = absolutePath(path)
  const find = createFinder(trees, splitPath(at))
  const versions = new Map<string, { node: Node; snapshots: S[] }>()
  const without: S[] = []
  for (const snapshot of snapshots) {
    throwIfAborted(signal)
    const node = await find(snapshot.tree)
    if (node === undefined) {
      without.push(snapshot)
      continue
    }
    // A folder is another one when what is in it is.
    const key = `${versionKey(node)}\0${node.subtree === undefined ? '' : toHex(node.subtree)}`
    const version = versions.get(key) ?? { node, snapshots: [] }
    version.snapshots.push(snapshot)
    versions.set(key, version)
  }
  if (versions.size === 0) throw new BackupError('PATH_NOT_FOUND', `no snapshot holds ${escapeBytes(at)}; "nacre find" looks for names`, { path: escapeBytes(at) })
  return { path: at, versions: [...versions.values()], without }
}

function createFinder(trees: TreeReader, names: readonly Uint8Array[]): (root: Uint8Array) => Promise<Node | undefined> {
  /** What was found in each list, by depth: the name that is looked for there is always the same. */
  const known = names.map(() => new Map<string, Node | undefined>())
  return async (root) => {
    let node: Node | undefined = rootNode(root)
    for (const [depth, name] of names.entries()) {
      const list: Uint8Array | undefined = node.subtree
      if (list === undefined) return undefined
      const key = toHex(list)
      const answers = known[depth]!
      if (!answers.has(key)) answers.set(key, await trees.find(list, name))
      node = answers.get(key)
      if (node === undefined) return undefined
    }
    return node
  }
}
