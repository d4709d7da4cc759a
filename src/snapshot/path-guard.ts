/**
 * A tree can hold more paths than anybody can walk: sixty folders of which each holds the next one
 * twice are 2^60 paths in sixty small blobs. Whoever goes through all paths of a tree, and not each
 * list once, asks this guard at every folder. Most walks end before it does anything; of one that goes
 * on for long the paths are counted, each list once, and a tree that no backup made is refused.
 */
import { BackupError, throwIfAborted } from '../util/errors.ts'
import { toHex } from '../util/bytes.ts'
import type { NodeScanner } from './node-scanner.ts'
import type { TreeReader } from './tree-reader.ts'

export interface PathGuard {
  /** To be called, and awaited where there is something to await, for each folder that is entered. @throws {BackupError} CORRUPT */
  entered(): Promise<void> | undefined
}

export interface PathGuardOptions {
  readonly signal?: AbortSignal | undefined
  /** Folders that are entered before anything is counted. */
  readonly foldersBefore?: number | undefined
}

/** Four times what ext4 can hold in all, and more than anybody has backed up. */
const PATHS_LIMIT = 2 ** 34
/** To count a tree of so many folders takes a second. */
const FOLDERS_BEFORE = 1 << 16
/** As `DEPTH_LIMIT` of the walks, which are built on this. */
const DEPTH_LIMIT = 4096

/** @param roots - of the lists that are walked side by side */
export function createPathGuard(trees: Pick<TreeReader, 'scanners'>, roots: readonly (Uint8Array | undefined)[], { signal, foldersBefore = FOLDERS_BEFORE }: PathGuardOptions = {}): PathGuard {
  let folders = 0
  return {
    entered() {
      return ++folders === foldersBefore ? requireFew(trees, roots, signal) : undefined
    },
  }
}

async function requireFew(trees: Pick<TreeReader, 'scanners'>, roots: readonly (Uint8Array | undefined)[], signal: AbortSignal | undefined): Promise<void> {
  const known = new Map<string, number>()

  const countBelow = async (root: Uint8Array, depth: number): Promise<number> => {
    const key = toHex(root)
    const before = known.get(key)
    if (before !== undefined) return before
    throwIfAborted(signal)
    // What lies deeper is the walk's own to refuse.
    if (depth >= DEPTH_LIMIT) return 0
    let paths = 0
    for (const subtree of await subtreesOf(trees, root, (count) => (paths += count))) paths += await countBelow(subtree, depth + 1)
    if (paths > PATHS_LIMIT) throw new BackupError('CORRUPT', `a tree holds more than ${PATHS_LIMIT} paths: no backup made it, and nobody can go through it`)
    known.set(key, paths)
    return paths
  }

  for (const root of roots) if (root !== undefined) await countBelow(root, 0)
}

/** Lists of the folders in a folder, as copies: a view would keep the blob that it stands in. */
async function subtreesOf(trees: Pick<TreeReader, 'scanners'>, root: Uint8Array, onNodes: (count: number) => void): Promise<Uint8Array[]> {
  const subtrees: Uint8Array[] = []
  for await (const scanner of trees.scanners(root)) {
    let count = 0
    for (const node: NodeScanner = scanner; node.next(); count++) if (node.subtree !== undefined) subtrees.push(node.subtree.slice())
    onNodes(count)
  }
  return subtrees
}
