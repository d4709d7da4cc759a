/**
 * Restoring files in windows: so many files are gathered, their blobs are looked up and sorted by
 * pack and frame, and the workers write them. A file whose blobs come in one read is made whole by
 * a worker; one that is spread over several is open here while its parts arrive. Either has its
 * name only when it is complete.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError, messageOf } from '../util/errors.ts'
import { close, O_DIRECTORY, O_PATH, O_RDONLY, openBeneath } from '../util/posix/open.ts'
import { unlinkAtIfPresent } from '../util/posix/create.ts'
import { setSize } from '../util/posix/read-write.ts'
import { PosixError } from '../util/posix/system-error.ts'
import { createTemporary, giveName, setAttributes, type TargetAttributes, temporaryName } from '../util/target-file.ts'
import type { Catalogue } from '../repository/catalogue/catalogue.ts'
import type { DataKeys } from '../repository/blob-reader.ts'
import type { OpenPool } from '../repository/open-pool.ts'
import { DAMAGED, NAME_TAKEN, type WholeFile } from '../repository/pool/open-messages.ts'
import type { Repository } from '../repository/repository.ts'
import type { Content, ContentBlob } from './content.ts'
import { contentBlobs } from './content.ts'
import { createPlacement, type Placement } from './extents.ts'
import type { Node } from './node.ts'
import { blobTable, type BlobRow, type BlobUse, framesOf, planReads, type Read } from './restore-requests.ts'
import type { TreeReader } from './tree-reader.ts'

export interface RestoreFile {
  readonly path: Uint8Array
  readonly folder: Uint8Array
  readonly node: Node
  readonly attributes: TargetAttributes
}

export interface FileEvents {
  onDone(file: RestoreFile, warning: string | undefined): void
  onProblem(file: RestoreFile, reason: 'kept' | 'damaged' | 'failed', message: string): void
  onBytes(bytes: number): void
}

export interface FileRestorer {
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

const WINDOW_FILES = 2048
const WINDOW_BLOBS = 16_384
/** A blob is tried in so many places before it is given up. */
const ROUNDS = 4

/** A file on its way. */
interface Pending {
  readonly file: RestoreFile
  readonly placement: Placement
  /** Open under a temporary name, when its parts come from several reads. */
  open: { readonly fd: number; readonly dirFd: number; readonly temporary: Uint8Array } | undefined
  problem: { readonly reason: 'kept' | 'damaged' | 'failed'; readonly message: string } | undefined
  isDone: boolean
}

type Use = BlobUse<Pending>

export function createFileRestorer(options: FileRestorerOptions): FileRestorer {
  let files: Pending[] = []
  let uses: Use[] = []

  // One window is restored while the next is gathered; they follow one another.
  let running: Promise<void> = Promise.resolve()
  const flush = async (last: Pending | undefined): Promise<void> => {
    const window = files
    const wanted = uses
    files = last === undefined ? [] : [last]
    uses = []
    await running
    running = restoreWindow(options, window, wanted, last)
    // It is awaited before the next, and at the end.
    running.catch(() => undefined)
  }

  const misfits = (pending: Pending): void => {
    pending.problem ??= { reason: 'damaged', message: `the snapshot says ${pending.file.node.size} bytes and lists others` }
  }

  const gather = (pending: Pending, blobs: Iterable<ContentBlob>): void => {
    for (const blob of blobs) {
      const position = pending.placement.place(blob.length)
      if (position === undefined) return misfits(pending)
      uses.push({ file: pending, blob, position })
    }
  }

  const ended = (pending: Pending): void | Promise<void> => {
    if (!pending.placement.isComplete()) misfits(pending)
    if (files.length >= WINDOW_FILES || uses.length >= WINDOW_BLOBS) return flush(undefined)
  }

  const addLong = async (pending: Pending, content: Content): Promise<void> => {
    try {
      for await (const blobs of options.trees.content(content)) {
        gather(pending, blobs)
        if (uses.length >= WINDOW_BLOBS) await flush(pending)
      }
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      pending.problem = { reason: 'damaged', message: error.message }
    }
    return ended(pending)
  }

  return {
    add(file) {
      const { content, size, extents } = file.node
      const pending: Pending = { file, placement: createPlacement(size, extents), open: undefined, problem: undefined, isDone: false }
      files.push(pending)
      if (content?.kind === 'list') return addLong(pending, content)
      if (content !== undefined) gather(pending, contentBlobs(content.records))
      return ended(pending)
    },
    async finish() {
      await flush(undefined)
      await running
    },
  }
}

async function restoreWindow(options: FileRestorerOptions, files: readonly Pending[], uses: readonly Use[], last: Pending | undefined): Promise<void> {
  let wanted: readonly Use[] = uses.filter((use) => use.file.problem === undefined)
  const isSpread = new Set<Pending>(last === undefined ? [] : [last])
  // A worker writes a whole file from its beginning on, without holes.
  for (const file of files) if (file.open !== undefined || file.file.node.extents !== undefined) isSpread.add(file)
  for (let round = 0; round < ROUNDS && (round === 0 || wanted.length > 0); round++) {
    const damaged = new Map<Pending, string>()
    const reads = planReads(options.catalogue, wanted, round, (use) => damaged.set(use.file, 'a blob of it is in no pack that the index knows; "nacre check" tells more'))
    const whole = round === 0 ? wholeFiles(reads, isSpread) : new Map<Pending, Read<Pending>>()
    const perform = (read: Read<Pending>): Promise<void> => performRead(options, read, whole, damaged)
    for await (const _ of mapOrdered(reads, { concurrency: options.pool.workers * 2, signal: options.signal }, perform)) void _
    // Files that a damaged frame spoilt are tried again as a whole, from other places.
    wanted = round + 1 < ROUNDS ? wanted.filter((use) => damaged.has(use.file) && hasMorePlaces(options.catalogue, use, round, uses)) : []
    const again = new Set(wanted.map((use) => use.file))
    for (const [file, message] of damaged) if (!again.has(file)) file.problem ??= { reason: 'damaged', message }
  }
  for (const file of files) if (file !== last) settle(options, file)
}

/** Whether any blob of the use's file can be had elsewhere. */
function hasMorePlaces(catalogue: Catalogue, use: Use, round: number, uses: readonly Use[]): boolean {
  return uses.some((other) => other.file === use.file && catalogue.locate(other.blob.id).length > round + 1)
}

/** Files all of whose blobs come with one read. */
function wholeFiles(reads: readonly Read<Pending>[], isSpread: ReadonlySet<Pending>): Map<Pending, Read<Pending>> {
  const whole = new Map<Pending, Read<Pending>>()
  const spread = new Set(isSpread)
  for (const read of reads) {
    for (const uses of read.uses) {
      for (const { use } of uses) {
        const before = whole.get(use.file)
        if (before === undefined) whole.set(use.file, read)
        else if (before !== read) spread.add(use.file)
      }
    }
  }
  for (const file of spread) whole.delete(file)
  return whole
}

async function performRead(options: FileRestorerOptions, read: Read<Pending>, whole: ReadonlyMap<Pending, Read<Pending>>, damaged: Map<Pending, string>): Promise<void> {
  const wholeRows = new Map<Pending, BlobRow[]>()
  const partRows: (BlobRow & { readonly file: Pending })[] = []
  for (const [frame, uses] of read.uses.entries()) {
    for (const { use, at } of uses) {
      const row = { frame, at, id: use.blob.id, fd: undefined, position: use.position }
      if (whole.get(use.file) === read) {
        const rows = wholeRows.get(use.file) ?? []
        if (rows.length === 0) wholeRows.set(use.file, rows)
        rows.push(row)
      } else if (openPending(options, use.file)) {
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
    bytes = await options.repository.backend.load({ type: 'packs', name: read.packId }, { offset: read.offset, length: read.length }, { signal: options.signal })
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_NOT_FOUND') && !isBackupError(error, 'BACKEND_TRUNCATED')) throw error
    for (const uses of read.uses) for (const { use } of uses) damaged.set(use.file, `pack ${read.packId.slice(0, 16)} is missing or cut short`)
    return
  }
  const group = read.frames[0]!.pack.group
  const reply = await options.pool.restore({
    bytes: bytes as Uint8Array<ArrayBuffer>,
    blobIdKey: options.repository.keyring.blobId(group, 'data'),
    frames: framesOf(read, options.dataKeys),
    ...blobTable(rows),
    folders: folderPaths,
    files,
  })
  const inPack = ` (pack ${read.packId.slice(0, 16)})`
  for (const [row, problem] of reply.blobProblems) {
    const { file } = partRows[row]!
    if (problem.code === DAMAGED) damaged.set(file, problem.message + inPack)
    else file.problem ??= { reason: 'failed', message: problem.message }
  }
  for (const row of partRows) options.onBytes(row.at.length)
  for (const [i, pending] of made.entries()) {
    const problem = reply.fileProblems.get(i)
    if (problem === undefined) {
      pending.isDone = true
      options.onBytes(pending.file.node.size)
      options.onDone(pending.file, reply.warnings.get(i))
    } else if (problem.code === DAMAGED) damaged.set(pending, problem.message + inPack)
    else pending.problem = { reason: problem.code === NAME_TAKEN ? 'kept' : 'failed', message: problem.message }
  }
}

/** Opens the file under a temporary name if it is not open; false when it cannot be. */
function openPending(options: FileRestorerOptions, pending: Pending): boolean {
  if (pending.problem !== undefined) return false
  if (pending.open !== undefined) return true
  try {
    const { folder } = pending.file
    const dirFd = folder.length === 0 ? options.targetFd : openBeneath(options.targetFd, folder, O_RDONLY | O_PATH | O_DIRECTORY)
    const temporary = temporaryName()
    pending.open = { fd: createTemporary(dirFd, temporary), dirFd, temporary }
    return true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    pending.problem = { reason: 'failed', message: messageOf(error) }
    return false
  }
}

/** Gives a complete file its name; of one with a problem, nothing stays. */
function settle(options: FileRestorerOptions, pending: Pending): void {
  // A file without content comes with no read.
  if (!pending.isDone && pending.problem === undefined) openPending(options, pending)
  const { open, file } = pending
  let warning: string | undefined
  if (open !== undefined) {
    try {
      if (pending.problem === undefined) {
        if (file.node.extents !== undefined || options.sparse) setSize(open.fd, file.node.size)
        warning = setAttributes(open.fd, file.attributes)
        if (!giveName(open.dirFd, open.temporary, file.node.name)) pending.problem = { reason: 'kept', message: 'something stands there' }
      } else unlinkAtIfPresent(open.dirFd, open.temporary)
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      pending.problem ??= { reason: 'failed', message: error.message }
    } finally {
      close(open.fd)
      if (open.dirFd !== options.targetFd) close(open.dirFd)
      pending.open = undefined
    }
  }
  if (pending.problem !== undefined) options.onProblem(file, pending.problem.reason, pending.problem.message)
  else if (!pending.isDone) options.onDone(file, warning)
}
