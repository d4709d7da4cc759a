/**
 * The files of a restore request as a few typed arrays: cloning an object for each would cost the
 * two threads more than writing a small file does.
 */
import type { TargetAttributes } from '../../util/target-file.ts'

/** A file that is complete within its request. */
export interface WholeFile {
  /** Which of the request's folders it goes into. */
  readonly folder: number
  readonly name: Uint8Array
  readonly firstBlob: number
  readonly blobCount: number
  readonly attributes: TargetAttributes
  /** Whether it takes the name from what has it. */
  readonly replaces: boolean
}

/** What few files have. */
type RareAttributes = Pick<TargetAttributes, 'atimeS' | 'atimeNs' | 'xattrs' | 'clearsAcl'>

export interface FileTable {
  /** Rows of folder, first blob, number of blobs, mode, uid, gid, seconds and nanoseconds of mtime, whether it replaces. */
  readonly rows: Float64Array<ArrayBuffer>
  /** Names, one after another. */
  readonly names: Uint8Array<ArrayBuffer>
  /** Where each name ends. */
  readonly nameEnds: Uint32Array<ArrayBuffer>
  /** By position of the file. */
  readonly rare: ReadonlyMap<number, RareAttributes>
}

const COLUMNS = 9

export function encodeFiles(files: readonly WholeFile[]): FileTable {
  const rows = new Float64Array(files.length * COLUMNS)
  const nameEnds = new Uint32Array(files.length)
  let length = 0
  for (const [i, { name }] of files.entries()) nameEnds[i] = length += name.length
  const names = new Uint8Array(length)
  const rare = new Map<number, RareAttributes>()
  for (const [i, file] of files.entries()) {
    names.set(file.name, nameEnds[i]! - file.name.length)
    const { mode, uid, gid, mtimeS, mtimeNs, atimeS, atimeNs, xattrs, clearsAcl } = file.attributes
    if (atimeS !== undefined || xattrs !== undefined || clearsAcl === true) rare.set(i, { atimeS, atimeNs, xattrs, clearsAcl })
    const at = i * COLUMNS
    rows[at] = file.folder
    rows[at + 1] = file.firstBlob
    rows[at + 2] = file.blobCount
    rows[at + 3] = mode
    rows[at + 4] = uid
    rows[at + 5] = gid
    rows[at + 6] = mtimeS
    rows[at + 7] = mtimeNs
    rows[at + 8] = file.replaces ? 1 : 0
  }
  return { rows, names, nameEnds, rare }
}

export function fileCount(table: FileTable): number {
  return table.nameEnds.length
}

export function fileAt({ rows, names, nameEnds, rare }: FileTable, i: number): WholeFile {
  const at = i * COLUMNS
  return {
    folder: rows[at]!,
    firstBlob: rows[at + 1]!,
    blobCount: rows[at + 2]!,
    name: names.subarray(i === 0 ? 0 : nameEnds[i - 1]!, nameEnds[i]),
    attributes: { mode: rows[at + 3]!, uid: rows[at + 4]!, gid: rows[at + 5]!, mtimeS: rows[at + 6]!, mtimeNs: rows[at + 7]!, ...rare.get(i) },
    replaces: rows[at + 8] === 1,
  }
}
