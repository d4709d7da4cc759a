/**
 * Files that are open while their parts arrive, and how each ends: with its own name when it is
 * complete, and else without a trace. Only a file that is written in place has its name all along.
 */
import { BackupError, isBackupError, messageOf } from '../../util/errors.ts'
import { cloneFile, punchHole } from '../../util/posix/blocks.ts'
import { unlinkAtIfPresent } from '../../util/posix/create.ts'
import { close, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR, openAtIfPresent, openBeneath, OPEN_TO_READ } from '../../util/posix/open.ts'
import { pwrite, setSize } from '../../util/posix/read-write.ts'
import { fstat } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { createTemporary, giveName, setAttributes, temporaryName } from '../../util/target-file.ts'
import type { DataKeys } from '../../repository/blob-reader.ts'
import type { Catalogue } from '../../repository/catalogue/catalogue.ts'
import type { OpenPool } from '../../repository/open-pool.ts'
import type { OpenProblem } from '../../repository/pool/open-messages.ts'
import type { Repository } from '../../repository/repository.ts'
import { type Extent, holesOf } from '../extents.ts'
import type { TreeReader } from '../tree-reader.ts'
import { clearExtraXattrs } from './adjust.ts'
import { markOf, openHalf } from './leftovers.ts'
import type { OpenFile, Pending, RestoreFile } from './window.ts'

export interface FileEvents {
  onDone(file: RestoreFile, warning: string | undefined): void
  /** In a dry run, instead of `onDone`. */
  onPlanned(file: RestoreFile, fetched: number): void
  onProblem(file: RestoreFile, reason: 'kept' | 'damaged' | 'failed', message: string): void
  /** Bytes of content, from the repository. */
  onBytes(bytes: number): void
  /** Bytes of content, from what stood there. */
  onReused(bytes: number): void
  /** Bytes of packs. */
  onFetched(bytes: number): void
  /** So many files stay half-written, for the next restore to go on with. */
  onHalves(files: number): void
}

export interface FileRestorerOptions extends FileEvents {
  readonly repository: Repository
  readonly catalogue: Catalogue
  readonly trees: TreeReader
  readonly dataKeys: DataKeys
  readonly pool: OpenPool
  readonly targetFd: number
  readonly group: number
  readonly sparse: boolean
  readonly inPlace: boolean
  readonly isDry: boolean
  readonly signal: AbortSignal | undefined
}

/** What the parts of a restore of files share. */
export interface Run extends FileRestorerOptions {
  readonly opened: Set<Pending>
  /** Until the target's file system has said that it shares no blocks. */
  canClone: boolean
  /** What has ended the restore before its time. */
  failure: unknown
}

const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** @throws {BackupError} TARGET_FULL - nothing more can be written, so nothing more is tried */
export function requireRoom(problem: Pick<OpenProblem, 'code' | 'message'> | undefined): void {
  if (problem === undefined || !FULL.has(problem.code)) return
  throw new BackupError('TARGET_FULL', `the target is full: ${problem.message}; what is complete stays, and the same restore goes on from there when there is room`)
}

/** Opens the file if it is not open; false when it cannot be. */
export function openPending(run: Run, pending: Pending): boolean {
  if (pending.problem !== undefined) return false
  if (pending.open !== undefined) return true
  try {
    const { folder } = pending.file
    const dirFd = folder.length === 0 ? run.targetFd : openBeneath(run.targetFd, folder, O_RDONLY | O_PATH | O_DIRECTORY)
    try {
      pending.open = (run.inPlace && !run.isDry ? openInPlace(pending, dirFd) : undefined) ?? openBeside(run, pending, dirFd)
    } finally {
      if (pending.open === undefined && dirFd !== run.targetFd) close(dirFd)
    }
    run.opened.add(pending)
    return true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    requireRoom(error)
    pending.problem = { reason: 'failed', message: messageOf(error) }
    return false
  }
}

/** undefined where the file has other names: these are not ours to change. */
function openInPlace({ file }: Pending, dirFd: number): OpenFile | undefined {
  if (!file.hasBasis) return undefined
  const fd = openAtIfPresent(dirFd, file.node.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
  if (fd === undefined) return undefined
  const stat = fstat(fd)
  if (stat.type === 'file' && stat.links === 1) return { fd, dirFd, temporary: undefined, bases: [fd] }
  close(fd)
  return undefined
}

function openBeside(run: Run, { file }: Pending, dirFd: number): OpenFile {
  const basisFd = file.hasBasis ? openBasis(dirFd, file.node.name) : undefined
  const bases = basisFd === undefined ? [] : [basisFd]
  // A dry run opens nothing to write: what it compares stands for the file.
  if (run.isDry) return { fd: basisFd ?? -1, dirFd, temporary: undefined, bases }
  const half = file.half === undefined ? undefined : openHalf(dirFd, file.half)
  if (half !== undefined) return { fd: half, dirFd, temporary: file.half, bases: [half, ...bases] }
  if (file.half !== undefined) unlinkAtIfPresent(dirFd, file.half)
  let fd: number | undefined
  const temporary = temporaryName(markOf(file.node))
  try {
    fd = createTemporary(dirFd, temporary)
    if (basisFd === undefined || !canClone(run, file) || !(run.canClone = cloneFile(basisFd, fd))) return { fd, dirFd, temporary, bases }
  } catch (error) {
    if (basisFd !== undefined) close(basisFd)
    throw error
  }
  close(basisFd)
  return { fd, dirFd, temporary, bases: [fd] }
}

/** Where holes are to be, the clone might have bytes. */
function canClone(run: Run, { node }: RestoreFile): boolean {
  return run.canClone && !run.sparse && node.extents === undefined
}

function openBasis(dirFd: number, name: Uint8Array): number | undefined {
  try {
    const fd = openAtIfPresent(dirFd, name, OPEN_TO_READ)
    if (fd === undefined || fstat(fd).type === 'file') return fd
    close(fd)
    return undefined
  } catch (error) {
    // It is made without.
    if (!(error instanceof PosixError)) throw error
    return undefined
  }
}

/** Gives a complete file its name; of one with a problem, nothing stays. */
export function settle(run: Run, pending: Pending): void {
  // A file without content comes with no read.
  if (!pending.isDone && pending.problem === undefined && !run.isDry) openPending(run, pending)
  const { open, file } = pending
  let warning: string | undefined
  if (open !== undefined && pending.problem === undefined && !run.isDry) {
    try {
      warning = complete(run, pending, open)
      if (pending.open?.temporary === undefined) closePending(run, pending)
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      requireRoom(error)
      pending.problem = { reason: 'failed', message: error.message }
    }
  }
  discard(run, pending)
  if (pending.problem !== undefined) {
    const isPartly = open !== undefined && !run.isDry && open.temporary === undefined
    run.onProblem(file, pending.problem.reason, pending.problem.message + (isPartly ? '; it may be partly overwritten' : ''))
  } else if (run.isDry) run.onPlanned(file, pending.fetched)
  else if (!pending.isDone) run.onDone(file, warning)
  file.onEnd()
}

function complete(run: Run, pending: Pending, open: OpenFile): string | undefined {
  const { node, attributes, replaces } = pending.file
  const hasOldBytes = open.bases.includes(open.fd)
  if (node.extents !== undefined || run.sparse || hasOldBytes) setSize(open.fd, node.size)
  if (hasOldBytes) for (const hole of holesOf(node.size, node.extents ?? [{ offset: 0, length: node.size }])) makeHole(open.fd, hole)
  if (open.temporary === undefined) clearExtraXattrs(open.fd, attributes)
  const warning = setAttributes(open.fd, attributes)
  if (open.temporary === undefined) return warning
  if (giveName(open.dirFd, open.temporary, node.name, replaces)) pending.open = { ...open, temporary: undefined }
  else pending.problem = { reason: 'kept', message: 'something stands there' }
  return warning
}

const ZEROS = new Uint8Array(64 * 1024)

/** Where files have no holes, zeros stand for one. */
function makeHole(fd: number, { offset, length }: Extent): void {
  try {
    punchHole(fd, offset, length)
  } catch (error) {
    if (!(error instanceof PosixError) || error.code !== 'EOPNOTSUPP') throw error
    for (let at = 0; at < length; at += ZEROS.length) pwrite(fd, ZEROS, 0, Math.min(ZEROS.length, length - at), offset + at)
  }
}

/**
 * Of a restore that ends before its time, a large file that has been begun stays, with the name by
 * which the next restore knows it; unless there is no room, which it would take. Whether it does.
 */
export function keepHalf(run: Run, pending: Pending): boolean {
  const { open, problem, file } = pending
  const isFull = isBackupError(run.failure, 'TARGET_FULL')
  if (open?.temporary === undefined || problem !== undefined || isFull || run.isDry || run.sparse || markOf(file.node) === undefined) return false
  try {
    if (fstat(open.fd).blocks === 0) return false
    closePending(run, pending)
    return true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    return false
  }
}

/** Closes what is open, and takes away what has no name of its own yet. */
export function discard(run: Run, pending: Pending): void {
  if (pending.open === undefined) return
  try {
    const { dirFd, temporary } = pending.open
    if (temporary !== undefined) unlinkAtIfPresent(dirFd, temporary)
    closePending(run, pending)
  } catch (error) {
    // It was given up already; what is left of it bears a temporary name.
    if (!(error instanceof PosixError)) throw error
  }
}

function closePending(run: Run, pending: Pending): void {
  const { open } = pending
  if (open === undefined) return
  pending.open = undefined
  run.opened.delete(pending)
  for (const fd of open.bases) if (fd !== open.fd) close(fd)
  if (open.fd !== -1) close(open.fd)
  if (open.dirFd !== run.targetFd) close(open.dirFd)
}
