/** One read of a pack and what the workers make of it: parts of files that are open, and files that are whole. */
import { isBackupError } from '../../util/errors.ts'
import { encodeFiles, type WholeFile } from '../../repository/pool/file-table.ts'
import { DAMAGED, NAME_TAKEN } from '../../repository/pool/open-messages.ts'
import { openPending, requireRoom, type Run } from './pending.ts'
import { blobTable, type BlobRow, framesOf, type Read } from './requests.ts'
import type { Pending } from './window.ts'

/** @param damaged - gets the files that a damaged or missing frame has spoilt */
export async function performRead(run: Run, read: Read<Pending>, whole: ReadonlyMap<Pending, Read<Pending>>, damaged: Map<Pending, string>): Promise<void> {
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
    files.push({ folder: folders.get(key)!, name: pending.file.node.name, firstBlob: rows.length, blobCount: fileRows.length, attributes: pending.file.attributes, replaces: pending.file.replaces })
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
  run.onFetched(read.length)
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
    requireRoom(problem)
    if (problem.code === DAMAGED) damaged.set(file, problem.message + inPack)
    else file.problem ??= { reason: 'failed', message: problem.message }
  }
  for (const row of partRows) run.onBytes(row.at.length)
  for (const [i, pending] of made.entries()) {
    const problem = reply.fileProblems.get(i)
    requireRoom(problem)
    if (problem === undefined) {
      pending.isDone = true
      run.onBytes(pending.file.node.size)
      run.onDone(pending.file, reply.warnings.get(i))
    } else if (problem.code === DAMAGED) damaged.set(pending, problem.message + inPack)
    else pending.problem = { reason: problem.code === NAME_TAKEN ? 'kept' : 'failed', message: problem.message }
  }
}

