/**
 * From files to reads: where each blob lies, which frames lie together in a pack, and which files
 * are complete within one read. Restore works in the order of the frames, so each is fetched and
 * opened once, however the files lie.
 */
import type { BlobLocation, Catalogue } from '../../repository/catalogue/catalogue.ts'
import type { DataKeys } from '../../repository/blob-reader.ts'
import { BLOB_COLUMNS, type FrameAt, NO_FD, type RestoreRequest } from '../../repository/pool/open-messages.ts'
import type { ContentBlob } from '../content.ts'

/** One blob of one file. */
export interface BlobUse<File> {
  readonly file: File
  readonly blob: ContentBlob
  readonly position: number
  /** Where it lies, once that was looked up. */
  at?: BlobLocation | undefined
}

/** A stretch of one pack with the uses of the blobs in it. */
export interface Read<File> {
  readonly packId: string
  readonly offset: number
  length: number
  plainBytes: number
  readonly frames: BlobLocation[]
  /** Uses by frame, in the order of `frames`. */
  readonly uses: { readonly use: BlobUse<File>; readonly at: BlobLocation }[][]
}

const READ_BYTES = 4 * 1024 * 1024
/** So much is decompressed at once; small enough that the workers take turns. */
const READ_PLAIN_BYTES = 8 * 1024 * 1024
/** Bytes between two wanted frames that are cheaper to read over than to ask twice for. */
const GAP_BYTES = 64 * 1024

/**
 * @param round - which of a blob's locations to use, where it has several
 * @param onMissing - called for uses of blobs that are nowhere
 */
export function planReads<File>(catalogue: Catalogue, uses: readonly BlobUse<File>[], round: number, onMissing: (use: BlobUse<File>) => void): Read<File>[] {
  const byFrame = new Map<string, { at: BlobLocation; uses: { use: BlobUse<File>; at: BlobLocation }[] }>()
  for (const use of uses) {
    const at = round === 0 ? (use.at ?? catalogue.place(use.blob.id, 0)) : catalogue.place(use.blob.id, round)
    if (at === undefined) {
      onMissing(use)
      continue
    }
    const key = `${at.pack.packId}.${at.frameOffset}`
    const frame = byFrame.get(key) ?? { at, uses: [] }
    if (frame.uses.length === 0) byFrame.set(key, frame)
    frame.uses.push({ use, at })
  }
  const frames = [...byFrame.values()].sort((a, b) => (a.at.pack.packId < b.at.pack.packId ? -1 : a.at.pack.packId > b.at.pack.packId ? 1 : a.at.frameOffset - b.at.frameOffset))
  const reads: Read<File>[] = []
  for (const { at, uses: frameUses } of frames) {
    const last = reads.at(-1)
    if (last !== undefined && fits(last, at)) {
      last.length = at.frameOffset + at.storedBytes - last.offset
      last.plainBytes += at.plainBytes
      last.frames.push(at)
      last.uses.push(frameUses)
    } else {
      reads.push({ packId: at.pack.packId, offset: at.frameOffset, length: at.storedBytes, plainBytes: at.plainBytes, frames: [at], uses: [frameUses] })
    }
  }
  return reads
}

function fits(read: Read<unknown>, at: BlobLocation): boolean {
  const end = read.offset + read.length
  return (
    read.packId === at.pack.packId &&
    at.frameOffset - end <= GAP_BYTES &&
    at.frameOffset + at.storedBytes - read.offset <= READ_BYTES &&
    read.plainBytes + at.plainBytes <= READ_PLAIN_BYTES
  )
}

export function framesOf(read: Pick<Read<unknown>, 'offset' | 'frames'>, dataKeys: DataKeys): FrameAt[] {
  return read.frames.map((at) => ({
    at: at.frameOffset - read.offset,
    dataKey: dataKeys.of(at),
    blobType: at.blobType,
    codec: at.codec,
    plainBytes: at.plainBytes,
    storedBytes: at.storedBytes,
  }))
}

/** Rows of blobs of a request, and the ids beside them. */
export interface BlobTable {
  readonly blobs: RestoreRequest['blobs']
  readonly ids: RestoreRequest['ids']
}

export interface BlobRow {
  readonly frame: number
  readonly at: BlobLocation
  readonly id: Uint8Array
  /** Descriptor, where the blob goes into a file that is open. */
  readonly fd: number | undefined
  readonly position: number
}

export function blobTable(rows: readonly BlobRow[]): BlobTable {
  const blobs = new Float64Array(rows.length * BLOB_COLUMNS)
  const ids = new Uint8Array(rows.length * 32)
  for (const [i, row] of rows.entries()) {
    blobs.set([row.frame, row.at.offsetInFrame, row.at.length, row.fd ?? NO_FD, row.position], i * BLOB_COLUMNS)
    ids.set(row.id, i * 32)
  }
  return { blobs, ids }
}
