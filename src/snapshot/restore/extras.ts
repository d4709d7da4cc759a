/**
 * What stands in the restored folders and not in the snapshot: counted, shown or deleted. Only
 * folders whose list is whole in the snapshot are looked at, so never one above the backup's paths
 * or one that it could not read. Everything goes by descriptors, and no link is ever followed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sha256 } from '../../crypto/hash.ts'
import { compareBytes } from '../../util/bytes.ts'
import { throwIfAborted } from '../../util/errors.ts'
import { IdSet } from '../../util/id-set.ts'
import { type DirectoryEntry, listEntries } from '../../util/posix/directory.ts'
import { close, OPEN_DIRECTORY, openAtIfPresent } from '../../util/posix/open.ts'
import { fstat, isMountPoint, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { temporaryOwner } from '../../util/target-file.ts'
import type { Repository } from '../../repository/repository.ts'
import { ownFolders } from '../backup.ts'
import { createExcluder } from '../exclude.ts'
import type { Node } from '../node.ts'
import { loadSkipped } from '../skipped.ts'
import type { Snapshot } from '../snapshot.ts'
import { joinPath } from '../source-paths.ts'
import type { TreeReader } from '../tree-reader.ts'
import { decideOther } from './decide.ts'
import type { Remover } from './remover.ts'
import type { Overwrite } from './types.ts'
import { findNode, type Selection } from './walk.ts'

export interface Extras {
  /**
   * Visits every extra, what is in a folder before it.
   * @param conflicts - whether folders in the way of something else are extras too
   * @throws {BackupError} CORRUPT, BLOB_MISSING - a list of the snapshot cannot be read
   */
  visit(remover: Remover, conflicts: boolean): Promise<void>
  /** Visits what stands in the way of something else; answers whether it is gone. */
  clear(remover: Remover, place: Place, entry: DirectoryEntry): Promise<boolean>
}

export interface Place {
  readonly dirFd: number
  /** Of the folder, in the snapshot and below the target. */
  readonly shown: Uint8Array
  readonly path: Uint8Array
}

export interface ExtrasOptions {
  readonly repository: Repository
  readonly trees: TreeReader
  readonly snapshot: Snapshot
  readonly selection: Selection
  readonly targetFd: number
  readonly overwrite: Overwrite
  readonly signal: AbortSignal | undefined
}

const SLASH = 0x2f
const ROOT = Buffer.from('/')
const EMPTY = new Uint8Array(0)
const DEPTH_LIMIT = 4096
/** After so many names others have their turn, and an interruption is noticed. */
const TURN_NAMES = 1024

export async function createExtras(options: ExtrasOptions): Promise<Extras> {
  const { trees, snapshot, selection, targetFd, overwrite, signal } = options
  const excluder = createExcluder(selection.exclude)
  const includer = selection.include.length === 0 ? undefined : createExcluder(selection.include)
  const own = ownFolders(options.repository)
  const spared = await skippedPaths(options)
  let names = 0

  const isRestored = (shown: Uint8Array): boolean => snapshot.paths.some((path) => isAtOrBelow(shown, path))
  const isWanted = (shown: Uint8Array, isFolder: boolean): boolean => includer === undefined || includer.excludes(shown, isFolder)

  /** undefined where it is no folder, or one that is not ours to empty: another file system's, or the repository itself. */
  const openFolder = (dirFd: number, name: Uint8Array): number | undefined => {
    let fd: number | undefined
    try {
      fd = openAtIfPresent(dirFd, name, OPEN_DIRECTORY)
    } catch (error) {
      // A link that has come there since is none of ours.
      if (!(error instanceof PosixError) || error.code !== 'ELOOP') throw error
    }
    if (fd === undefined) return undefined
    const { device, inode } = fstat(fd)
    if (device === fstat(dirFd).device && !isMountPoint(fd) && !own.has(`${device}:${inode}`)) return fd
    close(fd)
    return undefined
  }

  const attempt = async (remover: Remover, path: Uint8Array, act: () => Promise<boolean>): Promise<boolean> => {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      remover.problem(path, error)
      return false
    }
  }

  /** Whether nothing is left of it. */
  const visitExtra = async (remover: Remover, place: Place, { name, type }: DirectoryEntry, depth: number): Promise<boolean> => {
    if (++names % TURN_NAMES === 0) await nextTurn()
    throwIfAborted(signal)
    const { dirFd } = place
    const shown = joinPath(place.shown, name)
    const path = joinPath(place.path, name)
    if (temporaryOwner(name) !== undefined || spared.has(sha256(shown)) || depth > DEPTH_LIMIT) return false
    return attempt(remover, path, async () => {
      const isFolder = (type === 'unknown' ? statAtIfPresent(dirFd, name)?.type : type) === 'directory'
      if (excluder.excludes(shown, isFolder)) return false
      if (!isFolder) return isWanted(shown, false) && remover.file(dirFd, name, path)
      const fd = openFolder(dirFd, name)
      if (fd === undefined) return false
      let isEmpty = true
      try {
        const entries = listEntries(fd)
        for (let entry = entries.next(); entry !== undefined; entry = entries.next()) {
          isEmpty = (await visitExtra(remover, { dirFd: fd, shown, path }, entry, depth + 1)) && isEmpty
        }
      } finally {
        close(fd)
      }
      return isEmpty && isWanted(shown, true) && remover.folder(dirFd, name, path)
    })
  }

  const isConflict = (place: Place, node: Node): boolean => {
    const standing = statAtIfPresent(place.dirFd, node.name)
    return standing?.type === 'directory' && decideOther(overwrite, node, standing) === 'replace'
  }

  const visitFolder = async (remover: Remover, place: Place, tree: Uint8Array, conflicts: boolean, depth: number): Promise<void> => {
    const live = isRestored(place.shown) ? listEntries(place.dirFd) : undefined
    let entry = live?.next()
    const visitBefore = async (name: Uint8Array | undefined): Promise<void> => {
      for (; entry !== undefined; entry = live?.next()) {
        const order = name === undefined ? -1 : compareBytes(entry.name, name)
        if (order > 0) return
        if (order < 0) await visitExtra(remover, place, entry, depth)
      }
    }
    for await (const nodes of trees.nodes(tree)) {
      throwIfAborted(signal)
      for (const node of nodes) {
        await visitBefore(node.name)
        const shown = joinPath(place.shown, node.name)
        if (node.type === 'directory') await visitKnown(remover, place, node, conflicts, depth)
        else if (conflicts && isRestored(shown) && isConflict(place, node)) await visitExtra(remover, place, { name: Buffer.from(node.name), type: 'directory' }, depth)
      }
    }
    await visitBefore(undefined)
  }

  /** A folder of the snapshot. Without a list it could not be read when it was backed up, and nothing is known of it. */
  const visitKnown = async (remover: Remover, place: Place, node: Node, conflicts: boolean, depth: number): Promise<void> => {
    const shown = joinPath(place.shown, node.name)
    const path = joinPath(place.path, node.name)
    const { subtree } = node
    if (subtree === undefined || depth > DEPTH_LIMIT || excluder.excludes(shown, true)) return
    await attempt(remover, path, async () => {
      const fd = openFolder(place.dirFd, node.name)
      if (fd === undefined) return false
      try {
        const before = remover.removed()
        await visitFolder(remover, { dirFd: fd, shown, path }, subtree, conflicts, depth + 1)
        if (remover.removed() > before) remover.touched(fd, node)
      } finally {
        close(fd)
      }
      return true
    })
  }

  return {
    async visit(remover, conflicts) {
      const start = await findNode(trees, selection.tree, selection.path ?? ROOT)
      if (start.node !== undefined && start.node.type !== 'directory') return
      const tree = start.node === undefined ? selection.tree : start.node.subtree
      const shown = start.node === undefined ? ROOT : joinPath(start.folder, start.node.name)
      if (tree !== undefined) await attempt(remover, EMPTY, async () => {
        await visitFolder(remover, { dirFd: targetFd, shown, path: EMPTY }, tree, conflicts, 1)
        return true
      })
    },
    async clear(remover, place, entry) {
      return isRestored(joinPath(place.shown, entry.name)) && (await visitExtra(remover, place, entry, 1))
    },
  }
}

function isAtOrBelow(path: Uint8Array, folder: Uint8Array): boolean {
  const length = folder.length === 1 ? 0 : folder.length
  if (path.length < length || compareBytes(path.subarray(0, length), folder.subarray(0, length)) !== 0) return false
  return path.length === length || path[length] === SLASH
}

/** Paths that are not in the snapshot because the backup could not read them. */
async function skippedPaths({ repository, snapshot, signal }: ExtrasOptions): Promise<IdSet> {
  const paths = new IdSet()
  for await (const { path } of loadSkipped(repository, snapshot, { signal })) paths.add(sha256(path))
  return paths
}
