/**
 * A pack in stretches of whole frames, from its first byte to its last: it is read and verified a
 * few megabytes at a time, so that neither memory nor waiting grows with the size of packs.
 */
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from './pack-entry.ts'

export interface Stretch {
  readonly offset: number
  readonly length: number
  /** Number of the first frame that lies in it. */
  readonly first: number
  readonly frames: readonly FrameEntry[]
  /** Blob records of the frames. */
  readonly records: Uint8Array
  readonly isLast: boolean
}

const STRETCH_BYTES = 4 * 1024 * 1024

/** @param entry - its frames in the order of their offsets, as every entry that was decoded has them */
export function* stretchesOf(entry: PackEntry): Generator<Stretch> {
  let offset = 0
  let first = 0
  let record = 0
  for (;;) {
    let next = first
    let blobs = 0
    while (next < entry.frames.length && (next === first || endOf(entry.frames[next]!) - offset <= STRETCH_BYTES)) blobs += entry.frames[next++]!.blobCount
    const isLast = next === entry.frames.length
    const end = isLast ? entry.sizeBytes : entry.frames[next]!.offset
    const recordsEnd = record + blobs * BLOB_RECORD_BYTES
    yield { offset, length: end - offset, first, frames: entry.frames.slice(first, next), records: entry.blobs.subarray(record, recordsEnd), isLast }
    if (isLast) return
    offset = end
    first = next
    record = recordsEnd
  }
}

function endOf(frame: FrameEntry): number {
  return frame.offset + frame.storedBytes
}
