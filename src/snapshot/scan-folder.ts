/**
 * The folders of a walk over the source, and where each entry of one really lies: folders are opened
 * below one another by descriptor, so a name exchanged for a link meanwhile leads nowhere.
 */
import { compareBytes } from '../util/bytes.ts'
import { type DirectoryEntry, type EntryList, listEntries } from '../util/posix/directory.ts'
import { AT_FDCWD, close, openAt, OPEN_DIRECTORY, O_DIRECTORY, O_NOATIME, O_RDONLY } from '../util/posix/open.ts'
import { type FileStat, fstat, statAt } from '../util/posix/stat.ts'
import { PosixError } from '../util/posix/system-error.ts'
import { type DeviceNumbers, isUnchanged, nodeOfStat } from './file-node.ts'
import type { FolderFilter } from './filter.ts'
import type { Node } from './node.ts'
import { createParentCursor, NO_PARENT, type ParentCursor } from './parent-cursor.ts'
import type { ScanOptions } from './scan-types.ts'
import { NO_FOLDER, type SourceFolder, type SourceFolders } from './source-folder.ts'
import { isNamed, joinPath, leadsElsewhere, sortedChildren, type SourceBranch } from './source-paths.ts'
import { xattrsAt, xattrsOf } from './source-xattrs.ts'

/** An entry that is to come: by its name, or one that leads to what is wanted. */
export type Coming = DirectoryEntry & { readonly branch?: SourceBranch }

export interface Folder {
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

export interface Walk {
  readonly options: ScanOptions
  readonly devices: DeviceNumbers
  readonly folders: SourceFolders
  readonly problem: OnProblem
}

/** Where an entry really lies. */
export interface Place {
  readonly folder: SourceFolder
  readonly dirFd: number
  readonly name: Uint8Array
}

const ROOT = Buffer.from('/')
/** What a process has open of a folder that it reads; access times stay as they are. */
const OPEN_ON_THE_WAY = O_RDONLY | O_DIRECTORY | O_NOATIME

export function problemsOf(options: ScanOptions): OnProblem {
  return (path, error) => {
    if (!(error instanceof PosixError)) throw error
    options.onProblem({ path, code: error.code, message: error.message })
  }
}

export function placeOf(folder: Folder, entry: Coming): Place {
  const real = entry.branch?.real
  if (real !== undefined || folder.source === undefined) return { folder: NO_FOLDER, dirFd: NO_FOLDER.fd, name: real ?? joinPath(folder.path, entry.name) }
  return { folder: folder.source, dirFd: folder.source.fd, name: entry.name }
}

export type OnProblem = (path: Uint8Array, error: unknown) => void

function cursorOf(options: ScanOptions, before: Node | undefined): ParentCursor {
  return before?.subtree === undefined ? NO_PARENT : createParentCursor(options.trees.scanners(before.subtree))
}

export function rootFolder(walk: Walk): Folder {
  const { options } = walk
  const fd = openAt(AT_FDCWD, options.root.real ?? ROOT, OPEN_ON_THE_WAY)
  const stat = fstat(fd)
  const node = nodeOfStat(new Uint8Array(0), stat, undefined, walk.devices)
  const parent = options.parentTree === undefined ? undefined : { ...node, subtree: options.parentTree }
  return { source: walk.folders.open(fd), path: ROOT, node, device: stat.device, parent, cursor: cursorOf(options, parent), isAligned: parent !== undefined && options.trustsParent, ...listed(walk, options.root, fd, ROOT, undefined) }
}

/** What of a folder is walked: all of it, or the branches that lead down to what is wanted. */
function listed(walk: Walk, branch: SourceBranch | undefined, fd: number, path: Uint8Array, above: FolderFilter | undefined): Pick<Folder, 'entries' | 'filter'> {
  if (branch !== undefined && isOnTheWay(branch)) return { ...branchEntries(branch), filter: undefined }
  const names = listEntries(fd)
  const entries = branch === undefined ? names : withBranches(names, branch)
  const folder = { fd, path, names }
  return { entries, filter: above === undefined ? walk.options.filter.begin(folder) : above.enter(folder) }
}

function branchEntries(branch: SourceBranch): Pick<Folder, 'entries'> {
  const children = sortedChildren(branch).map(comingOf)
  let at = 0
  return { entries: { next: () => children[at++] } }
}

function comingOf(branch: SourceBranch): Coming {
  return { name: Buffer.from(branch.name), type: 'unknown', branch }
}

/** All of a folder, and in its place what is shown there and lies elsewhere. */
function withBranches(names: EntryList, branch: SourceBranch): Folder['entries'] {
  const shown = sortedChildren(branch).filter(leadsElsewhere)
  if (shown.length === 0) return names
  let entry = names.next()
  let at = 0
  const next = (): DirectoryEntry | undefined => {
    const taken = entry
    entry = names.next()
    return taken
  }
  return {
    next() {
      const child = shown[at]
      const order = child === undefined ? -1 : entry === undefined ? 1 : compareBytes(entry.name, child.name)
      if (order < 0) return next()
      if (order === 0) next()
      at++
      return comingOf(child!)
    },
  }
}

/** Whether the branch only leads to what is wanted. */
function isOnTheWay(branch: SourceBranch | undefined): boolean {
  return branch !== undefined && !branch.isWhole && !branch.isWithin
}

export function statEntry(walk: Walk, folder: Folder, entry: Coming, place: Place): FileStat | undefined {
  const { branch } = entry
  const leads = branch !== undefined && !branch.isWhole && leadsElsewhere(branch)
  if (leads && branch.isWithin && folder.source === undefined) return MADE_UP
  try {
    // Above what is wanted, a link to a folder stands for the folder: the path was given so. What is
    // shown elsewhere is given by its path as well.
    const stat = statAt(place.dirFd, place.name, { follow: isOnTheWay(branch) || branch?.real !== undefined })
    if (!leads || stat.type === 'directory') return stat
    if (branch.isWithin) walk.options.onProblem({ path: joinPath(folder.path, entry.name), code: 'ENOTDIR', message: `it is a ${stat.type} and is left out: something else is shown below it, so it is a folder in the snapshot` })
    return MADE_UP
  } catch (error) {
    if (leads && error instanceof PosixError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return MADE_UP
    walk.problem(joinPath(folder.path, entry.name), error)
    return undefined
  }
}

/** A folder that is not there, above what is shown in it. */
const MADE_UP: FileStat = {
  type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, inode: 0, device: 0, links: 1,
  mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, atimeS: 0, atimeNs: 0, rdevMajor: 0, rdevMinor: 0, blocks: 0,
}

const EMPTY: Pick<Folder, 'entries' | 'filter'> = { entries: { next: () => undefined }, filter: undefined }

export function openFolder(walk: Walk, above: Folder, entry: Coming, place: Place, stat: FileStat, path: Uint8Array, before: Node | undefined): Folder | undefined {
  const { options } = walk
  let node = nodeOfStat(entry.name, stat, before, walk.devices, options.withAtime)
  const parent = before?.type === 'directory' ? before : undefined
  const shared = { path, device: stat.device, parent, cursor: cursorOf(options, parent) }
  if (stat === MADE_UP) return { ...shared, source: undefined, node, isAligned: false, ...branchEntries(entry.branch!), filter: undefined }
  let fd = -1
  let contents = EMPTY
  let isAligned = parent !== undefined && options.trustsParent
  try {
    const follows = isOnTheWay(entry.branch) || entry.branch?.real !== undefined
    fd = openAt(place.dirFd, place.name, follows ? OPEN_ON_THE_WAY : OPEN_DIRECTORY)
    const isBorder = options.filter.oneFileSystem && stat.device !== above.device && entry.branch?.isWithin !== false && !isNamed(options.root, path)
    if (isBorder) options.onTaken(path, { rule: 'what is in it lies on another file system', origin: '--one-file-system' })
    if (isBorder && entry.branch !== undefined) contents = { ...branchEntries(entry.branch), filter: undefined }
    else if (!isBorder) contents = listed(walk, entry.branch, fd, path, above.filter)
  } catch (error) {
    walk.problem(path, error)
    isAligned = false
    if (fd !== -1) close(fd)
    fd = -1
    // It is there, but not to be opened: it is kept as an empty folder, and reported.
    if (error instanceof PosixError && error.code === 'ENOENT') return undefined
    if (entry.branch !== undefined && leadsElsewhere(entry.branch)) contents = { ...branchEntries(entry.branch), filter: undefined }
  }
  const refused = (error: PosixError): void => walk.problem(path, error)
  const xattrs = before !== undefined && isUnchanged(before, stat) ? before.xattrs : fd === -1 ? xattrsAt(place.dirFd, place.name, refused) : xattrsOf(fd, refused)
  if (xattrs !== undefined) node = { ...node, xattrs }
  return { ...shared, source: fd === -1 ? undefined : walk.folders.open(fd), node, isAligned, ...contents }
}
