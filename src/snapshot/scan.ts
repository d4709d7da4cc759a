/**
 * Walking the source, depth first and in byte order of the names, side by side with the parent's
 * tree. What comes out is batches of entries: large enough that the steps behind cost little for
 * each, and cut so that a worker can read the files of one into its memory at once.
 *
 * Folders are walked by descriptor, so a name exchanged for a link meanwhile leads nowhere.
 */
import { compareBytes } from '../util/bytes.ts'
import { throwIfAborted } from '../util/errors.ts'
import { readlinkAt } from '../util/posix/create.ts'
import { type DirectoryEntry, readEntries } from '../util/posix/directory.ts'
import { AT_FDCWD, close, openAt, OPEN_DIRECTORY, O_DIRECTORY, O_RDONLY } from '../util/posix/open.ts'
import { type FileStat, fstat, statAt } from '../util/posix/stat.ts'
import { PosixError } from '../util/posix/system-error.ts'
import type { Excluder } from './exclude.ts'
import { mayHaveHoles } from './extents.ts'
import { createDeviceNumbers, isUnchanged, nodeOfStat } from './file-node.ts'
import type { Node } from './node.ts'
import { createParentCursor, NO_PARENT, type ParentCursor } from './parent-cursor.ts'
import { joinPath, type SourceBranch, sortedChildren } from './source-paths.ts'
import { xattrsAt, xattrsOf } from './source-xattrs.ts'
import type { TreeReader } from './tree-reader.ts'

export type ScanEntry =
  /** A folder begins. `parent` is its node in the parent snapshot. */
  | { readonly kind: 'enter'; readonly node: Node; readonly parent: Node | undefined }
  /** It ends. `isIdentical`: every entry of it is the parent's, and no other; `isSame`: so is the folder itself. */
  | { readonly kind: 'leave'; readonly isIdentical: boolean; readonly isSame: boolean; readonly isAligned: boolean }
  /** The parent's node still holds. `isAligned`: so did all before it in this folder, one by one. */
  | { readonly kind: 'same'; readonly node: Node; readonly isAligned: boolean }
  /** Complete, and new or changed. */
  | { readonly kind: 'node'; readonly node: Node; readonly isNew: boolean }
  /** A file whose content must be read. */
  | { readonly kind: 'file'; readonly node: Node; readonly path: Uint8Array; readonly isNew: boolean; readonly mayHaveHoles: boolean }

export interface ScanProblem {
  readonly path: Uint8Array
  readonly code: string
  readonly message: string
}

export interface ScanOptions {
  readonly root: SourceBranch
  readonly parentTree: Uint8Array | undefined
  readonly trees: TreeReader
  readonly excluder: Excluder
  /** Folders, as `device:inode`, that are left out with a word: the repository itself, the cache. */
  readonly ownFolders: ReadonlyMap<string, string>
  /** Whether tree blobs of the parent may be referred to without asking for each. */
  readonly trustsTrees: boolean
  /** Whether all that the parent's node refers to may be referred to. */
  readonly isLive: (node: Node) => boolean | Promise<boolean>
  readonly onProblem: (problem: ScanProblem) => void
  readonly onOwnFolder: (path: Uint8Array, what: string) => void
  /** Content of files up to this size is read whole, several in one batch. */
  readonly smallFileBytes: number
  readonly batchBytes: number
  readonly signal?: AbortSignal | undefined
}

const BATCH_ENTRIES = 2048
const BATCH_FILES = 256

interface Folder {
  readonly fd: number
  readonly path: Uint8Array
  readonly node: Node
  readonly parent: Node | undefined
  readonly cursor: ParentCursor
  /** Names yet to come: of the folder itself, or the branches that lead down to what is wanted. */
  readonly entries: readonly (DirectoryEntry & { readonly branch?: SourceBranch })[]
  next: number
  isAligned: boolean
}

export async function* scan(options: ScanOptions): AsyncGenerator<readonly ScanEntry[]> {
  const devices = createDeviceNumbers()
  const stack: Folder[] = []
  let batch: ScanEntry[] = []
  let batchBytes = 0
  let batchFiles = 0

  const problem = (path: Uint8Array, error: unknown): void => {
    if (!(error instanceof PosixError)) throw error
    options.onProblem({ path, code: error.code, message: error.message })
  }

  const enter = (folder: Folder): void => {
    batch.push({ kind: 'enter', node: folder.node, parent: folder.parent })
    stack.push(folder)
  }

  try {
    enter(rootFolder(options, devices))
    while (stack.length > 0) {
      const folder = stack.at(-1)!
      if (folder.next === folder.entries.length) {
        stack.pop()
        if (folder.fd !== -1) close(folder.fd)
        const above = stack.at(-1)
        const isIdentical = folder.isAligned && (await isExhausted(folder.cursor))
        const isSame = isIdentical && folder.parent !== undefined && isSameFolder(folder.parent, folder.node)
        const isAligned = isSame && above !== undefined && above.isAligned && !above.cursor.hasSkipped
        if (above !== undefined) above.isAligned = isAligned
        batch.push({ kind: 'leave', isIdentical, isSame, isAligned })
        continue
      }
      const entry = folder.entries[folder.next++]!
      const path = joinPath(folder.path, entry.name)
      if (entry.branch === undefined && options.excluder.excludes(path, entry.type === 'directory')) continue
      let before = folder.cursor.at(entry.name)
      while (before === 'behind') {
        await folder.cursor.advance()
        before = folder.cursor.at(entry.name)
      }
      if (folder.cursor.hasSkipped) folder.isAligned = false
      const stat = statEntry(folder, entry, path, problem)
      if (stat === undefined) {
        folder.isAligned = false
        continue
      }
      if (stat.type === 'directory') {
        const own = options.ownFolders.get(`${stat.device}:${stat.inode}`)
        if (own !== undefined) {
          options.onOwnFolder(path, own)
          folder.isAligned = false
          continue
        }
        const opened = openFolder(options, devices, folder, entry, stat, path, before, problem)
        if (opened !== undefined) enter(opened)
        continue
      }
      if (before !== undefined && isUnchanged(before, stat) && (await options.isLive(before))) {
        batch.push({ kind: 'same', node: before, isAligned: folder.isAligned })
      } else {
        folder.isAligned = false
        const xattrs = xattrsAt(folder.fd, entry.name, (error) => problem(path, error))
        const node = { ...nodeOfStat(entry.name, stat, before, devices), xattrs }
        if (stat.type === 'file') {
          const isSmall = stat.size <= options.smallFileBytes
          if (batchFiles > 0 && (!isSmall || batchBytes + stat.size > options.batchBytes)) {
            yield batch
            batch = []
            batchBytes = 0
            batchFiles = 0
          }
          batch.push({ kind: 'file', node, path, isNew: before === undefined, mayHaveHoles: mayHaveHoles(stat.size, stat.blocks) })
          batchFiles++
          batchBytes += isSmall ? stat.size : options.batchBytes
        } else {
          const complete = completed(node, folder, entry, path, problem)
          if (complete !== undefined) batch.push({ kind: 'node', node: complete, isNew: before === undefined })
        }
      }
      if (batch.length >= BATCH_ENTRIES || batchFiles >= BATCH_FILES || batchBytes >= options.batchBytes) {
        throwIfAborted(options.signal)
        yield batch
        batch = []
        batchBytes = 0
        batchFiles = 0
      }
    }
    yield batch
  } finally {
    for (const folder of stack) if (folder.fd !== -1) close(folder.fd)
  }
}

type OnProblem = (path: Uint8Array, error: unknown) => void
type Devices = ReturnType<typeof createDeviceNumbers>
const ROOT = Buffer.from('/')

function isExhausted(cursor: ParentCursor): Promise<boolean> {
  return cursor.isExhausted().catch(() => false)
}

function cursorOf(options: ScanOptions, before: Node | undefined): ParentCursor {
  return before?.subtree === undefined ? NO_PARENT : createParentCursor(tolerant(options.trees.nodes(before.subtree)))
}

/** A parent that cannot be read only means that more is read from the source. */
async function* tolerant(lists: AsyncGenerator<readonly Node[]>): AsyncGenerator<readonly Node[]> {
  try {
    yield* lists
  } catch {
    yield [MISMATCH]
  }
}

/** Sorts behind every name, so that a list broken off is never taken for a complete one. */
const MISMATCH: Node = { name: new Uint8Array(256).fill(255), type: 'socket', mode: 0, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 0 }

function rootFolder(options: ScanOptions, devices: Devices): Folder {
  const fd = openAt(AT_FDCWD, ROOT, O_RDONLY | O_DIRECTORY)
  const node = { ...nodeOfStat(new Uint8Array(0), fstat(fd), undefined, devices) }
  const parent = options.parentTree === undefined ? undefined : { ...node, subtree: options.parentTree }
  return { fd, path: ROOT, node, parent, cursor: cursorOf(options, parent), entries: listed(options.root, fd), next: 0, isAligned: parent !== undefined && options.trustsTrees }
}

/** What of a folder is walked: all of it, or the branches that lead down to what is wanted. */
function listed(branch: SourceBranch | undefined, fd: number): Folder['entries'] {
  if (branch === undefined || branch.isWhole) return readEntries(fd)
  return sortedChildren(branch).map((child) => ({ name: Buffer.from(child.name), type: 'unknown', branch: child }))
}

function statEntry(folder: Folder, entry: Folder['entries'][number], path: Uint8Array, problem: OnProblem): FileStat | undefined {
  try {
    // Above what is wanted, a link to a folder stands for the folder: the path was given so.
    const isOnTheWay = entry.branch !== undefined && !entry.branch.isWhole
    if (isOnTheWay) return statAt(folder.fd, entry.name, { follow: true })
    return statAt(folder.fd, entry.name)
  } catch (error) {
    problem(path, error)
    return undefined
  }
}

function openFolder(options: ScanOptions, devices: Devices, above: Folder, entry: Folder['entries'][number], stat: FileStat, path: Uint8Array, before: Node | undefined, problem: OnProblem): Folder | undefined {
  let node = nodeOfStat(entry.name, stat, before, devices)
  const parent = before?.type === 'directory' ? before : undefined
  let fd = -1
  let entries: Folder['entries'] = []
  let isAligned = parent !== undefined && options.trustsTrees
  try {
    const isOnTheWay = entry.branch !== undefined && !entry.branch.isWhole
    fd = openAt(above.fd, entry.name, isOnTheWay ? O_RDONLY | O_DIRECTORY : OPEN_DIRECTORY)
    entries = listed(entry.branch, fd)
  } catch (error) {
    problem(path, error)
    isAligned = false
    if (fd !== -1) close(fd)
    fd = -1
    // It is there, but not to be opened: it is kept as an empty folder, and reported.
    if (error instanceof PosixError && error.code === 'ENOENT') return undefined
  }
  const refused = (error: PosixError): void => problem(path, error)
  const xattrs = before !== undefined && isUnchanged(before, stat) ? before.xattrs : fd === -1 ? xattrsAt(above.fd, entry.name, refused) : xattrsOf(fd, refused)
  if (xattrs !== undefined) node = { ...node, xattrs }
  return { fd, path, node, parent, cursor: cursorOf(options, parent), entries, next: 0, isAligned }
}

function isSameFolder(before: Node, now: Node): boolean {
  return (
    before.mtimeNs === now.mtimeNs && before.mtimeS === now.mtimeS && before.ctimeNs === now.ctimeNs && before.ctimeS === now.ctimeS &&
    before.inode === now.inode && before.mode === now.mode && before.uid === now.uid && before.gid === now.gid && before.links === now.links &&
    before.user === now.user && before.group === now.group && compareBytes(before.name, now.name) === 0
  )
}

function completed(node: Node, folder: Folder, entry: DirectoryEntry, path: Uint8Array, problem: OnProblem): Node | undefined {
  if (node.type !== 'symlink') return node
  try {
    return { ...node, target: readlinkAt(folder.fd, entry.name) }
  } catch (error) {
    problem(path, error)
    return undefined
  }
}
