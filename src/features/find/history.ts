/**
 * The versions of one path. For each snapshot one path of lists is read, and what was found in a
 * list once is not looked for in it again: snapshots that share a folder share the answer. The way
 * down to the paths of the backup is remembered from run to run, and what was found at the last few
 * paths.
 */
import { compareBytes, toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Node } from '../../snapshot/node.ts'
import { absolutePath, noneAtAll } from '../../snapshot/select.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { splitPath } from '../../snapshot/source-paths.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { rootNode } from '../../snapshot/tree-walk.ts'
import { type KnownFolders, openKnownFolders } from './known-folders.ts'
import { type KnownVersion, openKnownVersions } from './known-versions.ts'
import { versionKey } from './version.ts'

/** The paths of the backup are where looking begins, once it is known what stands there. */
export type HistorySnapshot = Pick<Snapshot, 'tree'> & Partial<Pick<Snapshot, 'paths'>>

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
 * @throws {BackupError} SNAPSHOT_NOT_FOUND - there are none to look in; PATH_NOT_FOUND - none of them holds it; BLOB_MISSING, CORRUPT
 */
export async function pathHistory<S extends HistorySnapshot>(repository: Repository, snapshots: readonly S[], path: string | Uint8Array, signal?: AbortSignal): Promise<PathHistory<S>> {
  if (snapshots.length === 0) throw noneAtAll()
  const trees = await openTreeReader(repository)
  const at = absolutePath(path)
  const finder = createFinder(repository, trees, splitPath(at))
  const known = await openKnownVersions(repository, at)
  const versions = new Map<string, { node: Node; snapshots: S[] }>()
  const byNode = new Map<Node, { node: Node; snapshots: S[] }>()
  const without: S[] = []
  const versionOf = (node: Node): { node: Node; snapshots: S[] } => {
    // A folder is another one when what is in it is.
    const key = `${versionKey(node)}\0${node.subtree === undefined ? '' : toHex(node.subtree)}`
    const version = versions.get(key) ?? { node, snapshots: [] }
    versions.set(key, version)
    byNode.set(node, version)
    return version
  }
  const add = (snapshot: S, found: KnownVersion): void => {
    if (found === 'none') without.push(snapshot)
    else (byNode.get(found) ?? versionOf(found)).snapshots.push(snapshot)
  }
  const look = async (snapshot: S): Promise<{ snapshot: S; found: KnownVersion }> => {
    const found = known.get(snapshot.tree) ?? (await finder.find(snapshot)) ?? 'none'
    known.set(snapshot.tree, found)
    return { snapshot, found }
  }
  for await (const { snapshot, found } of mapOrdered(snapshots, { concurrency: repository.backend.connections, signal }, look)) add(snapshot, found)
  await finder.remember()
  known.remember()
  if (versions.size === 0) throw new BackupError('PATH_NOT_FOUND', `no snapshot holds ${escapeBytes(at)}; "nacre find" looks for names`, { path: escapeBytes(at) })
  return { path: at, versions: [...versions.values()], without }
}

interface Finder {
  find(snapshot: HistorySnapshot): Promise<Node | undefined>
  remember(): Promise<void>
}

function createFinder(repository: Repository, trees: TreeReader, names: readonly Uint8Array[]): Finder {
  /** What was found in each list, by depth: the name that is looked for there is always the same. */
  const answers = names.map(() => new Map<string, Promise<Node | undefined>>())
  const known = new Map<number, Promise<KnownFolders>>()

  const knownAt = (depth: number): Promise<KnownFolders> => {
    const folders = known.get(depth) ?? openKnownFolders(repository, names.slice(0, depth))
    known.set(depth, folders)
    return folders
  }

  const step = (list: Uint8Array, depth: number): Promise<Node | undefined> => {
    const key = toHex(list)
    const asked = answers[depth]!
    const answer = asked.get(key) ?? trees.find(list, names[depth]!)
    asked.set(key, answer)
    return answer
  }

  const walk = async (from: Node, start: number, end: number): Promise<Node | undefined> => {
    let node: Node | undefined = from
    for (let depth = start; node !== undefined && depth < end; depth++) {
      node = node.subtree === undefined ? undefined : await step(node.subtree, depth)
    }
    return node
  }

  return {
    async find({ tree, paths = [] }) {
      const depth = depthAbove(names, paths)
      if (depth === 0) return walk(rootNode(tree), 0, names.length)
      const folders = await knownAt(depth)
      let list = folders.get(tree)
      if (list === undefined) {
        list = (await walk(rootNode(tree), 0, depth))?.subtree ?? 'none'
        folders.set(tree, list)
      }
      return list === 'none' ? undefined : walk(rootNode(list), depth, names.length)
    },
    async remember() {
      for (const folders of known.values()) (await folders).remember()
    },
  }
}

/** How many of the names lead to the path of the backup that the file lies below. */
function depthAbove(names: readonly Uint8Array[], paths: readonly Uint8Array[]): number {
  const depths = paths.map(splitPath).filter((own) => own.length < names.length && own.every((name, i) => compareBytes(name, names[i]!) === 0))
  return depths.reduce((most, own) => Math.max(most, own.length), 0)
}
