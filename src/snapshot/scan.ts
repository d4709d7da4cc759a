/**
 * Walking the source, depth first and in byte order of the names, side by side with the parent's
 * tree. What comes out is batches of entries: large enough that the steps behind cost little for
 * each, and cut so that a worker can read the files of one into its memory at once.
 *
 * Folders are walked by descriptor, so a name exchanged for a link meanwhile leads nowhere.
 */
import { compareBytes } from '../util/bytes.ts'
import { nowNs } from '../util/clock.ts'
import { throwIfAborted } from '../util/errors.ts'
import { readlinkAt } from '../util/posix/create.ts'
import { type DirectoryEntry, listEntries } from '../util/posix/directory.ts'
import { AT_FDCWD, close, openAt, OPEN_DIRECTORY, O_DIRECTORY, O_NOATIME, O_RDONLY } from '../util/posix/open.ts'
import { groupName, userName } from '../util/posix/owners.ts'
import { type FileStat, fstat, statAt } from '../util/posix/stat.ts'
import { PosixError } from '../util/posix/system-error.ts'
import { mayHaveHoles } from './extents.ts'
import { createDeviceNumbers, type DeviceNumbers, hasSameAtime, hasSameContent, isUnchanged, nodeOfStat, type Tolerance } from './file-node.ts'
import type { Filter, FolderFilter, Taken } from './filter.ts'
import type { Node } from './node.ts'
import { createParentCursor, NO_PARENT, type ParentCursor } from './parent-cursor.ts'
import { createSourceFolders, NO_FOLDER, type SourceFolder, type SourceFolders } from './source-folder.ts'
import { joinPath, leadsElsewhere, type SourceBranch, type SourceStream, sortedChildren } from './source-paths.ts'
import { xattrsAt, xattrsOf } from './source-xattrs.ts'
import { DEPTH_LIMIT } from './tree-walk.ts'
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
  /** A file with other attributes, whose content is known: of the parent, or of a backup that was interrupted. */
  | { readonly kind: 'known'; readonly node: Node; readonly path: Uint8Array; readonly from: 'parent' | 'journal'; readonly isNew: boolean }
  /** A file whose content must be read, in a folder that is to be released afterwards. */
  | FileEntry
  /** A file whose content comes from elsewhere. */
  | { readonly kind: 'stream'; readonly node: Node; readonly path: Uint8Array; readonly stream: SourceStream; readonly isNew: boolean }

export interface FileEntry {
  readonly kind: 'file'
  readonly node: Node
  readonly path: Uint8Array
  readonly folder: SourceFolder
  /** Below the folder: not the node's where the file is shown elsewhere than it lies. */
  readonly name: Uint8Array
  readonly isNew: boolean
  readonly mayHaveHoles: boolean
}

export interface ScanProblem {
  readonly path: Uint8Array
  readonly code: string
  readonly message: string
}

export interface ScanOptions extends Tolerance {
  readonly root: SourceBranch
  readonly parentTree: Uint8Array | undefined
  readonly trees: TreeReader
  readonly filter: Filter
  /** Folders, as `device:inode`, that are left out with a word: the repository itself, the cache. */
  readonly ownFolders: ReadonlyMap<string, string>
  /** Whether tree blobs of the parent may be referred to without asking for each. */
  readonly trustsTrees: boolean
  /** Whether all that the parent's node refers to may be referred to. */
  readonly isLive: (node: Node) => boolean | Promise<boolean>
  /** What an interrupted backup knew of a file. */
  readonly known?: ((path: Uint8Array) => KnownContent | undefined) | undefined
  readonly isKnownLive: (known: KnownContent) => Promise<boolean>
  /** Whether the times of the last access are kept. */
  readonly withAtime?: boolean | undefined
  readonly onProblem: (problem: ScanProblem) => void
  readonly onOwnFolder: (path: Uint8Array, what: string) => void
  readonly onTaken: (path: Uint8Array, taken: Taken) => void
  /** Content of files up to this size is read whole, several in one batch. */
  readonly smallFileBytes: number
  readonly batchBytes: number
  readonly signal?: AbortSignal | undefined
}

/** Content, and the file that it was read from. */
export type KnownContent = Pick<Node, 'type' | 'size' | 'mtimeS' | 'mtimeNs' | 'ctimeS' | 'ctimeNs' | 'inode' | 'content' | 'extents'>

const BATCH_ENTRIES = 2048
const BATCH_FILES = 256

/** An entry that is to come: by its name, or one that leads to what is wanted. */
type Coming = DirectoryEntry & { readonly branch?: SourceBranch }

interface Folder {
  /** undefined where there is none: it could not be opened, or only leads to what lies elsewhere. */
  readonly source: SourceFolder | undefined
  readonly path: Uint8Array
  readonly node: Node
  readonly device: number
  readonly parent: Node | undefined
  readonly cursor: ParentCursor
  readonly entries: { next(): Coming | undefined }
  /** undefined above what is wanted. */
  readonly filter: FolderFilter | undefined
  isAligned: boolean
}

export async function* scan(options: ScanOptions): AsyncGenerator<readonly ScanEntry[]> {
  const walk: Walk = { options, devices: createDeviceNumbers(), folders: createSourceFolders(), problem: problemsOf(options) }
  const stack: Folder[] = []
  let batch: ScanEntry[] = []
  let batchBytes = 0
  let batchFiles = 0

  const takeBatch = (): readonly ScanEntry[] => {
    const taken = batch
    batch = []
    batchBytes = 0
    batchFiles = 0
    return taken
  }

  const addFile = (entry: FileEntry, isSmall: boolean): void => {
    entry.folder.hold()
    batch.push(entry)
    batchFiles++
    batchBytes += isSmall ? entry.node.size : options.batchBytes
  }

  const enter = (folder: Folder): void => {
    batch.push({ kind: 'enter', node: folder.node, parent: folder.parent })
    stack.push(folder)
  }

  try {
    enter(rootFolder(walk))
    while (stack.length > 0) {
      const folder = stack.at(-1)!
      const entry = folder.entries.next()
      if (entry === undefined) {
        stack.pop()
        folder.source?.leave()
        const above = stack.at(-1)
        const isIdentical = folder.isAligned && (await isExhausted(folder.cursor))
        const isSame = isIdentical && folder.parent !== undefined && isSameFolder(folder.parent, folder.node)
        const isAligned = isSame && above !== undefined && above.isAligned && !above.cursor.hasSkipped
        if (above !== undefined) above.isAligned = isAligned
        batch.push({ kind: 'leave', isIdentical, isSame, isAligned })
        if (walk.folders.isFull()) {
          yield takeBatch()
          await walk.folders.room()
        }
        continue
      }
      const path = joinPath(folder.path, entry.name)
      const taken = folder.filter?.takes(path, entry.type === 'directory')
      if (taken !== undefined) {
        options.onTaken(path, taken)
        continue
      }
      let before = folder.cursor.at(entry.name)
      while (before === 'behind') {
        await folder.cursor.advance()
        before = folder.cursor.at(entry.name)
      }
      if (folder.cursor.hasSkipped) folder.isAligned = false
      const place = placeOf(folder, entry)
      const stat = entry.branch?.stream === undefined ? statEntry(walk, entry, place, path) : undefined
      if (entry.branch?.stream !== undefined) {
        folder.isAligned = false
        batch.push({ kind: 'stream', node: streamNode(entry.name), path, stream: entry.branch.stream, isNew: before === undefined })
        yield takeBatch()
        continue
      }
      if (stat === undefined) {
        folder.isAligned = false
        continue
      }
      // Some file systems do not tell the type of an entry before it is asked for.
      const late = entry.type === 'unknown' && stat.type === 'directory' ? folder.filter?.takes(path, true) : undefined
      const unwanted = late ?? (stat.type === 'file' ? options.filter.takesFile(stat) : undefined)
      if (unwanted !== undefined) {
        options.onTaken(path, unwanted)
        continue
      }
      if (stat.type === 'directory') {
        const own = options.ownFolders.get(`${stat.device}:${stat.inode}`)
        if (own !== undefined) {
          options.onOwnFolder(path, own)
          folder.isAligned = false
          continue
        }
        if (stack.length >= DEPTH_LIMIT) {
          options.onProblem({ path, code: 'ELOOP', message: `it lies deeper than ${DEPTH_LIMIT} folders and is left out` })
          folder.isAligned = false
          continue
        }
        const opened = openFolder(walk, folder, entry, place, stat, path, before)
        if (opened === undefined) folder.isAligned = false
        else enter(opened)
        continue
      }
      const isSame = before !== undefined && isUnchanged(before, stat) && (await options.isLive(before))
      if (isSame && (options.withAtime !== true || hasSameAtime(before!, stat))) {
        batch.push({ kind: 'same', node: before!, isAligned: folder.isAligned })
      } else {
        folder.isAligned = false
        const xattrs = isSame ? before!.xattrs : xattrsAt(place.dirFd, place.name, (error) => walk.problem(path, error))
        const node = { ...nodeOfStat(entry.name, stat, before, walk.devices, options.withAtime), xattrs }
        const isNew = before === undefined
        if (stat.type === 'file') {
          const known = await knownContent(options, path, stat, before, isSame)
          if (known !== undefined) {
            batch.push({ kind: 'known', node: { ...node, content: known.content, extents: known.extents }, path, from: known === before ? 'parent' : 'journal', isNew })
          } else {
            const isSmall = stat.size <= options.smallFileBytes
            if (batchFiles > 0 && (!isSmall || batchBytes + stat.size > options.batchBytes)) yield takeBatch()
            addFile({ kind: 'file', node, path, folder: place.folder, name: place.name, isNew, mayHaveHoles: mayHaveHoles(stat.size, stat.blocks) }, isSmall)
          }
        } else {
          const complete = completed(walk, node, place, path)
          if (complete !== undefined) batch.push({ kind: 'node', node: complete, isNew })
        }
      }
      if (batch.length >= BATCH_ENTRIES || batchFiles >= BATCH_FILES || batchBytes >= options.batchBytes) {
        throwIfAborted(options.signal)
        yield takeBatch()
      }
    }
    yield takeBatch()
  } finally {
    for (const folder of stack) folder.source?.leave()
    for (const entry of batch) if (entry.kind === 'file') entry.folder.release()
  }
}

interface Walk {
  readonly options: ScanOptions
  readonly devices: DeviceNumbers
  readonly folders: SourceFolders
  readonly problem: OnProblem
}

/** Where an entry really lies. */
interface Place {
  readonly folder: SourceFolder
  readonly dirFd: number
  readonly name: Uint8Array
}

const ROOT = Buffer.from('/')
/** What a process has open of a folder that it reads; access times stay as they are. */
const OPEN_ON_THE_WAY = O_RDONLY | O_DIRECTORY | O_NOATIME

function problemsOf(options: ScanOptions): OnProblem {
  return (path, error) => {
    if (!(error instanceof PosixError)) throw error
    options.onProblem({ path, code: error.code, message: error.message })
  }
}

function placeOf(folder: Folder, entry: Coming): Place {
  const real = entry.branch?.real
  if (real !== undefined || folder.source === undefined) return { folder: NO_FOLDER, dirFd: NO_FOLDER.fd, name: real ?? joinPath(folder.path, entry.name) }
  return { folder: folder.source, dirFd: folder.source.fd, name: entry.name }
}

/** What is known of a file's content without reading it. */
async function knownContent(options: ScanOptions, path: Uint8Array, stat: FileStat, before: Node | undefined, isSame: boolean): Promise<KnownContent | undefined> {
  if (isSame) return before
  const isRelaxed = options.ignoreInode === true || options.ignoreCtime === true
  if (isRelaxed && before !== undefined && hasSameContent(before, stat, options) && (await options.isLive(before))) return before
  const known = options.known?.(path)
  return known !== undefined && hasSameContent(known, stat, options) && (await options.isKnownLive(known)) ? known : undefined
}

/** Of a stream the system knows nothing; who reads it owns it. */
function streamNode(name: Uint8Array): Node {
  const ns = nowNs()
  const time = { s: Number(ns / 1_000_000_000n), ns: Number(ns % 1_000_000_000n) }
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  return { name, type: 'file', mode: 0o600, uid, gid, user: userName(uid), group: groupName(gid), size: 0, mtimeS: time.s, mtimeNs: time.ns, ctimeS: time.s, ctimeNs: time.ns, inode: 0, links: 1 }
}

type OnProblem = (path: Uint8Array, error: unknown) => void

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

function rootFolder(walk: Walk): Folder {
  const { options } = walk
  const fd = openAt(AT_FDCWD, options.root.real ?? ROOT, OPEN_ON_THE_WAY)
  const stat = fstat(fd)
  const node = nodeOfStat(new Uint8Array(0), stat, undefined, walk.devices)
  const parent = options.parentTree === undefined ? undefined : { ...node, subtree: options.parentTree }
  return { source: walk.folders.open(fd), path: ROOT, node, device: stat.device, parent, cursor: cursorOf(options, parent), isAligned: parent !== undefined && options.trustsTrees, ...listed(walk, options.root, fd, ROOT, undefined) }
}

/** What of a folder is walked: all of it, or the branches that lead down to what is wanted. */
function listed(walk: Walk, branch: SourceBranch | undefined, fd: number, path: Uint8Array, above: FolderFilter | undefined): Pick<Folder, 'entries' | 'filter'> {
  if (branch !== undefined && !branch.isWhole) return { ...branchEntries(branch), filter: undefined }
  const entries = listEntries(fd)
  const folder = { fd, path, names: entries }
  return { entries, filter: above === undefined ? walk.options.filter.begin(folder) : above.enter(folder) }
}

function branchEntries(branch: SourceBranch): Pick<Folder, 'entries'> {
  const children = sortedChildren(branch).map((child): Coming => ({ name: Buffer.from(child.name), type: 'unknown', branch: child }))
  let at = 0
  return { entries: { next: () => children[at++] } }
}

function isOnTheWay(entry: Coming): boolean {
  return entry.branch !== undefined && !entry.branch.isWhole
}

function statEntry(walk: Walk, entry: Coming, place: Place, path: Uint8Array): FileStat | undefined {
  try {
    // Above what is wanted, a link to a folder stands for the folder: the path was given so. What is
    // shown elsewhere is given by its path as well.
    return statAt(place.dirFd, place.name, { follow: isOnTheWay(entry) || entry.branch?.real !== undefined })
  } catch (error) {
    if (isOnTheWay(entry) && leadsElsewhere(entry.branch!) && error instanceof PosixError && error.code === 'ENOENT') return MADE_UP
    walk.problem(path, error)
    return undefined
  }
}

/** A folder that is not there, above what is shown in it. */
const MADE_UP: FileStat = {
  type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, inode: 0, device: 0, links: 1,
  mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, atimeS: 0, atimeNs: 0, rdevMajor: 0, rdevMinor: 0, blocks: 0,
}

const EMPTY: Pick<Folder, 'entries' | 'filter'> = { entries: { next: () => undefined }, filter: undefined }

function openFolder(walk: Walk, above: Folder, entry: Coming, place: Place, stat: FileStat, path: Uint8Array, before: Node | undefined): Folder | undefined {
  const { options } = walk
  let node = nodeOfStat(entry.name, stat, before, walk.devices, options.withAtime)
  const parent = before?.type === 'directory' ? before : undefined
  const shared = { path, device: stat.device, parent, cursor: cursorOf(options, parent) }
  if (stat === MADE_UP) return { ...shared, source: undefined, node, isAligned: false, ...branchEntries(entry.branch!), filter: undefined }
  let fd = -1
  let contents = EMPTY
  let isAligned = parent !== undefined && options.trustsTrees
  try {
    const follows = isOnTheWay(entry) || entry.branch?.real !== undefined
    fd = openAt(place.dirFd, place.name, follows ? OPEN_ON_THE_WAY : OPEN_DIRECTORY)
    const isBorder = options.filter.oneFileSystem && entry.branch === undefined && stat.device !== above.device
    if (isBorder) options.onTaken(path, { rule: 'what is in it lies on another file system', origin: '--one-file-system' })
    else contents = listed(walk, entry.branch, fd, path, above.filter)
  } catch (error) {
    walk.problem(path, error)
    isAligned = false
    if (fd !== -1) close(fd)
    fd = -1
    // It is there, but not to be opened: it is kept as an empty folder, and reported.
    if (error instanceof PosixError && error.code === 'ENOENT') return undefined
  }
  const refused = (error: PosixError): void => walk.problem(path, error)
  const xattrs = before !== undefined && isUnchanged(before, stat) ? before.xattrs : fd === -1 ? xattrsAt(place.dirFd, place.name, refused) : xattrsOf(fd, refused)
  if (xattrs !== undefined) node = { ...node, xattrs }
  return { ...shared, source: fd === -1 ? undefined : walk.folders.open(fd), node, isAligned, ...contents }
}

function isSameFolder(before: Node, now: Node): boolean {
  return (
    before.mtimeNs === now.mtimeNs && before.mtimeS === now.mtimeS && before.ctimeNs === now.ctimeNs && before.ctimeS === now.ctimeS &&
    before.inode === now.inode && before.mode === now.mode && before.uid === now.uid && before.gid === now.gid && before.links === now.links &&
    before.user === now.user && before.group === now.group && before.atime?.s === now.atime?.s && before.atime?.ns === now.atime?.ns && compareBytes(before.name, now.name) === 0
  )
}

function completed(walk: Walk, node: Node, place: Place, path: Uint8Array): Node | undefined {
  if (node.type !== 'symlink') return node
  try {
    return { ...node, target: readlinkAt(place.dirFd, place.name) }
  } catch (error) {
    walk.problem(path, error)
    return undefined
  }
}
