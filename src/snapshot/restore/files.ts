/**
 * Restoring files in windows: so many files are gathered, their blobs are looked up and sorted by
 * pack and frame, and the workers write them. A file whose blobs come in one read is made whole by
 * a worker; one that is spread over several is open here while its parts arrive. Either has its
 * name only when it is complete.
 */
import { mapOrdered } from '../../util/map-ordered.ts'
import { createQueue } from '../../util/queue.ts'
import { isBackupError, messageOf } from '../../util/errors.ts'
import { close, O_DIRECTORY, O_PATH, O_RDONLY, openBeneath } from '../../util/posix/open.ts'
import { unlinkAtIfPresent } from '../../util/posix/create.ts'
import { setSize } from '../../util/posix/read-write.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { createTemporary, giveName, setAttributes, temporaryName } from '../../util/target-file.ts'
import type { Catalogue } from '../../repository/catalogue/catalogue.ts'
import type { DataKeys } from '../../repository/blob-reader.ts'
import type { OpenPool } from '../../repository/open-pool.ts'
import { encodeFiles, type WholeFile } from '../../repository/pool/file-table.ts'
import { DAMAGED, NAME_TAKEN } from '../../repository/pool/open-messages.ts'
import type { Repository } from '../../repository/repository.ts'
import { type Content, contentBlobs } from '../content.ts'
import { blobTable, type BlobRow, framesOf, planReads, type Read } from './requests.ts'
import { createWindowGatherer, misfits, type Pending, type RestoreFile, type RestoreWindow, type Use, wholeFiles } from './window.ts'
import type { TreeReader } from '../tree-reader.ts'

export interface FileEvents {
  onDone(file: RestoreFile, warning: string | undefined): void
  onProblem(file: RestoreFile, reason: 'kept' | 'damaged' | 'failed', message: string): void
  onBytes(bytes: number): void
}

/** To dispose before `finish` is to give up: what is under way leaves nothing behind. */
export interface FileRestorer extends AsyncDisposable {
  /** A promise only where it must wait. */
  add(file: RestoreFile): void | Promise<void>
  finish(): Promise<void>
}

export interface FileRestorerOptions extends FileEvents {
  readonly repository: Repository
  readonly catalogue: Catalogue
  readonly trees: TreeReader
  readonly dataKeys: DataKeys
  readonly pool: OpenPool
  readonly targetFd: number
  readonly sparse: boolean
  readonly signal: AbortSignal | undefined
}

/** A blob is tried in so many places before it is given up. */
const ROUNDS = 4
/** Windows that wait while their reads are being begun: memory, against workers without work. */
const WINDOWS_WAITING = 1

/** What the functions below share. */
interface Run extends FileRestorerOptions {
  /** Files that are open under a temporary name. */
  readonly opened: Set<Pending>
}

export function createFileRestorer(options: FileRestorerOptions): FileRestorer {
  const run: Run = { ...options, opened: new Set() }
  const gatherer = createWindowGatherer()
  const windows = createQueue<RestoreWindow>(WINDOWS_WAITING)
  const running = restoreWindows(run, windows)
  // Who adds is told at once when it fails, and `finish` in any case.
  running.catch((error: unknown) => windows.fail(error))

  const ended = (pending: Pending): void | Promise<void> => {
    if (!pending.placement.isComplete()) misfits(pending)
    const window = gatherer.takeIfFull(undefined)
    if (window !== undefined) return windows.push(window)
  }

  const addLong = async (pending: Pending, content: Content): Promise<void> => {
    try {
      for await (const blobs of options.trees.content(content)) {
        gatherer.addBlobs(pending, blobs)
        const window = gatherer.takeIfFull(pending)
        if (window !== undefined) await windows.push(window)
      }
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      pending.problem = { reason: 'damaged', message: error.message }
    }
    return ended(pending)
  }

  return {
    add(file) {
      const pending = gatherer.addFile(file)
      const { content } = file.node
      if (content?.kind === 'list') return addLong(pending, content)
      if (content !== undefined) gatherer.addBlobs(pending, contentBlobs(content.records))
      return ended(pending)
    },
    async finish() {
      await windows.push(gatherer.take(undefined))
      windows.end()
      await running
    },
    async [Symbol.asyncDispose]() {
      windows.fail(new Error('the restore was given up'))
      await running.catch(() => undefined)
      for (const pending of run.opened) discard(run, pending)
    },
  }
}

interface WindowRead {
  readonly window: RestoreWindow
  /** undefined stands behind the window's last read. */
  readonly read: Read<Pending> | undefined
  readonly whole: ReadonlyMap<Pending, Read<Pending>>
}

/**
 * The reads of all windows as one stream, so that the workers have no pause between two. Results
 * come in order, so behind a window's last read all of the window is there.
 */
async function restoreWindows(run: Run, windows: AsyncIterable<RestoreWindow>): Promise<void> {
  const perform = async (item: WindowRead): Promise<WindowRead> => {
    if (item.read !== undefined) await performRead(run, item.read, item.whole, item.window.damaged)
    return item
  }
  for await (const { window, read } of mapOrdered(windowReads(run, windows), { concurrency: run.pool.workers * 4, signal: run.signal }, perform)) {
    if (read !== undefined) continue
    if (window.damaged.size > 0) await tryElsewhere(run, window)
    for (const file of window.files) if (file !== window.last) settle(run, file)
  }
}

async function* windowReads(run: Run, windows: AsyncIterable<RestoreWindow>): AsyncGenerator<WindowRead> {
  for await (const window of windows) {
    const wanted = window.uses.filter((use) => use.file.problem === undefined)
    const reads = planReads(run.catalogue, wanted, 0, (use) => window.damaged.set(use.file, NOWHERE))
    const whole = wholeFiles(reads)
    for (const read of reads) yield { window, read, whole }
    yield { window, read: undefined, whole }
  }
}

const NOWHERE = 'a blob of it is in no pack that the index knows; "nacre check" tells more'

/** Files that a damaged frame has spoilt are tried again as a whole, from other places. */
async function tryElsewhere(run: Run, window: RestoreWindow): Promise<void> {
  for (let round = 1; round < ROUNDS && window.damaged.size > 0; round++) {
    const before = new Map(window.damaged)
    window.damaged.clear()
    const again = new Set([...before.keys()].filter((file) => hasMorePlaces(run.catalogue, file, round, window.uses)))
    for (const [file, message] of before) if (!again.has(file)) file.problem ??= { reason: 'damaged', message }
    const reads = planReads(run.catalogue, window.uses.filter((use) => again.has(use.file)), round, (use) => window.damaged.set(use.file, NOWHERE))
    for (const read of reads) await performRead(run, read, new Map(), window.damaged)
  }
  for (const [file, message] of window.damaged) file.problem ??= { reason: 'damaged', message }
}

/** Whether any blob of the file can be had elsewhere. */
function hasMorePlaces(catalogue: Catalogue, file: Pending, round: number, uses: readonly Use[]): boolean {
  return uses.some((use) => use.file === file && catalogue.locate(use.blob.id).length > round)
}

async function performRead(run: Run, read: Read<Pending>, whole: ReadonlyMap<Pending, Read<Pending>>, damaged: Map<Pending, string>): Promise<void> {
  const wholeRows = new Map<Pending, BlobRow[]>()
  const partRows: (BlobRow & { readonly file: Pending })[] = []
  for (const [frame, uses] of read.uses.entries()) {
    for (const { use, at } of uses) {
      // A file that lacks a blob must not be made of the others.
      if (damaged.has(use.file)) continue
      const row = { frame, at, id: use.blob.id, fd: undefined, position: use.position }
      if (whole.get(use.file) === read) {
        const rows = wholeRows.get(use.file) ?? []
        if (rows.length === 0) wholeRows.set(use.file, rows)
        rows.push(row)
      } else if (openPending(run, use.file)) {
        partRows.push({ ...row, fd: use.file.open!.fd, file: use.file })
      }
    }
  }
  const rows: BlobRow[] = [...partRows]
  const made: Pending[] = []
  const folders = new Map<string, number>()
  const folderPaths: Uint8Array[] = []
  const files: WholeFile[] = []
  for (const [pending, fileRows] of wholeRows) {
    const key = Buffer.from(pending.file.folder).toString('latin1')
    if (!folders.has(key)) folders.set(key, folderPaths.push(pending.file.folder) - 1)
    files.push({ folder: folders.get(key)!, name: pending.file.node.name, firstBlob: rows.length, blobCount: fileRows.length, attributes: pending.file.attributes })
    made.push(pending)
    rows.push(...fileRows.sort((a, b) => a.position - b.position))
  }
  let bytes: Uint8Array
  try {
    bytes = await run.repository.backend.load({ type: 'packs', name: read.packId }, { offset: read.offset, length: read.length }, { signal: run.signal, memory: run.pool.memory })
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_NOT_FOUND') && !isBackupError(error, 'BACKEND_TRUNCATED')) throw error
    for (const uses of read.uses) for (const { use } of uses) damaged.set(use.file, `pack ${read.packId.slice(0, 16)} is missing or cut short`)
    return
  }
  const group = read.frames[0]!.pack.group
  const reply = await run.pool.restore({
    bytes: bytes as Uint8Array<ArrayBuffer>,
    blobIdKey: run.repository.keyring.blobId(group, 'data'),
    frames: framesOf(read, run.dataKeys),
    ...blobTable(rows),
    folders: folderPaths,
    files: encodeFiles(files),
  })
  const inPack = ` (pack ${read.packId.slice(0, 16)})`
  for (const [row, problem] of reply.blobProblems) {
    const { file } = partRows[row]!
    if (problem.code === DAMAGED) damaged.set(file, problem.message + inPack)
    else file.problem ??= { reason: 'failed', message: problem.message }
  }
  for (const row of partRows) run.onBytes(row.at.length)
  for (const [i, pending] of made.entries()) {
    const problem = reply.fileProblems.get(i)
    if (problem === undefined) {
      pending.isDone = true
      run.onBytes(pending.file.node.size)
      run.onDone(pending.file, reply.warnings.get(i))
    } else if (problem.code === DAMAGED) damaged.set(pending, problem.message + inPack)
    else pending.problem = { reason: problem.code === NAME_TAKEN ? 'kept' : 'failed', message: problem.message }
  }
}

/** Opens the file under a temporary name if it is not open; false when it cannot be. */
function openPending(run: Run, pending: Pending): boolean {
  if (pending.problem !== undefined) return false
  if (pending.open !== undefined) return true
  try {
    const { folder } = pending.file
    const dirFd = folder.length === 0 ? run.targetFd : openBeneath(run.targetFd, folder, O_RDONLY | O_PATH | O_DIRECTORY)
    const temporary = temporaryName()
    pending.open = { fd: createTemporary(dirFd, temporary), dirFd, temporary }
    run.opened.add(pending)
    return true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    pending.problem = { reason: 'failed', message: messageOf(error) }
    return false
  }
}

/** Gives a complete file its name; of one with a problem, nothing stays. */
function settle(run: Run, pending: Pending): void {
  // A file without content comes with no read.
  if (!pending.isDone && pending.problem === undefined) openPending(run, pending)
  const { open, file } = pending
  let warning: string | undefined
  if (open !== undefined && pending.problem === undefined) {
    try {
      if (file.node.extents !== undefined || run.sparse) setSize(open.fd, file.node.size)
      warning = setAttributes(open.fd, file.attributes)
      if (!giveName(open.dirFd, open.temporary, file.node.name)) pending.problem = { reason: 'kept', message: 'something stands there' }
      closePending(run, pending)
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      pending.problem = { reason: 'failed', message: error.message }
    }
  }
  if (pending.problem !== undefined) {
    discard(run, pending)
    run.onProblem(file, pending.problem.reason, pending.problem.message)
  } else if (!pending.isDone) run.onDone(file, warning)
  file.onEnd()
}

function discard(run: Run, pending: Pending): void {
  if (pending.open === undefined) return
  try {
    unlinkAtIfPresent(pending.open.dirFd, pending.open.temporary)
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
  close(open.fd)
  if (open.dirFd !== run.targetFd) close(open.dirFd)
}
