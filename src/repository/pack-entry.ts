/**
 * What a pack holds, as its own directory and the index objects state it: frames and the blobs in
 * them, as two columns of fixed records. An index of a million blobs is then a million times 36
 * bytes and no parsing to speak of.
 *
 * Frame record, 20 bytes: offset in pack u32 ‖ stored length u32 ‖ plaintext length u32 ‖
 * number of blobs u32 ‖ codec u8 ‖ blob type u8 ‖ number of its envelope u8 ‖ zero u8.
 * Blob record, 36 bytes: id[32] ‖ length u32. Blobs stand in the order of the frames that hold
 * them, back to back, so a blob's place in its frame is the sum of the lengths before it.
 */
import { asArray, asBytes, asCount, asMap, type CborMap } from '../codec/cbor.ts'
import { dataView, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { type Envelope, envelopesFromCbor, envelopesToCbor } from './envelope.ts'
import { BLOB_TYPE_CODE, blobTypeOf, type BlobType, FRAME_BYTES_LIMIT, ID_BYTES, PACK_BYTES_LIMIT, SID_BYTES } from './format.ts'
import type { FrameShape } from './frame.ts'

export const FRAME_RECORD_BYTES = 20
export const BLOB_RECORD_BYTES = 36

export interface FrameEntry extends FrameShape {
  readonly offset: number
  readonly blobCount: number
  /** Which of the pack's envelopes holds its data key. */
  readonly envelope: number
}

/** Frames and blobs of one pack. */
export interface PackDirectory {
  readonly frames: readonly FrameEntry[]
  /** Blob records, in the order of the frames. */
  readonly blobs: Uint8Array
}

/** A pack as an index object states it. */
export interface PackEntry extends PackDirectory {
  readonly packId: string
  readonly sizeBytes: number
  readonly session: Uint8Array
  readonly envelopes: readonly Envelope[]
}

export function encodeFrames(frames: readonly FrameEntry[]): Uint8Array {
  const bytes = new Uint8Array(frames.length * FRAME_RECORD_BYTES)
  const view = dataView(bytes)
  frames.forEach((frame, i) => {
    const at = i * FRAME_RECORD_BYTES
    view.setUint32(at, frame.offset, true)
    view.setUint32(at + 4, frame.storedBytes, true)
    view.setUint32(at + 8, frame.plainBytes, true)
    view.setUint32(at + 12, frame.blobCount, true)
    bytes[at + 16] = frame.codec
    bytes[at + 17] = BLOB_TYPE_CODE[frame.blobType]
    bytes[at + 18] = frame.envelope
  })
  return bytes
}

/**
 * Both columns, checked: frames lie one behind another inside the pack, and the lengths of each
 * frame's blobs add up to the frame's.
 * @throws {BackupError} CORRUPT
 */
export function decodeDirectory(frameBytes: Uint8Array, blobs: Uint8Array, what: string): PackDirectory {
  if (frameBytes.length % FRAME_RECORD_BYTES !== 0 || blobs.length % BLOB_RECORD_BYTES !== 0) throw new BackupError('CORRUPT', `${what} has a broken table`)
  const view = dataView(frameBytes)
  const blobView = dataView(blobs)
  const frames: FrameEntry[] = []
  let blobAt = 0
  let packAt = 0
  for (let at = 0; at < frameBytes.length; at += FRAME_RECORD_BYTES) {
    const frame = decodeFrame(view, at, what)
    if (frame.offset < packAt) throw new BackupError('CORRUPT', `${what} has frames that overlap`)
    packAt = frame.offset + frame.storedBytes
    if (frame.blobCount > (blobs.length - blobAt) / BLOB_RECORD_BYTES) throw new BackupError('CORRUPT', `${what} states more blobs than it lists`)
    let plain = 0
    for (let i = 0; i < frame.blobCount; i++, blobAt += BLOB_RECORD_BYTES) plain += blobView.getUint32(blobAt + ID_BYTES, true)
    if (plain !== frame.plainBytes) throw new BackupError('CORRUPT', `${what} has a frame whose blobs do not add up`)
    frames.push(frame)
  }
  if (blobAt !== blobs.length || packAt > PACK_BYTES_LIMIT) throw new BackupError('CORRUPT', `${what} has tables that do not fit each other`)
  return { frames, blobs }
}

function decodeFrame(view: DataView, at: number, what: string): FrameEntry {
  const blobType: BlobType | undefined = blobTypeOf(view.getUint8(at + 17))
  const plainBytes = view.getUint32(at + 8, true)
  if (blobType === undefined || plainBytes > FRAME_BYTES_LIMIT) throw new BackupError('CORRUPT', `${what} has a frame that cannot be`)
  return {
    offset: view.getUint32(at, true),
    storedBytes: view.getUint32(at + 4, true),
    plainBytes,
    blobCount: view.getUint32(at + 12, true),
    codec: view.getUint8(at + 16),
    blobType,
    envelope: view.getUint8(at + 18),
  }
}

export interface BlobEntry {
  readonly id: Uint8Array
  readonly length: number
  readonly offsetInFrame: number
  readonly frame: FrameEntry
}

/** Every blob with its frame. The ids are views. */
export function* blobEntries(directory: PackDirectory): Generator<BlobEntry> {
  const view = dataView(directory.blobs)
  let at = 0
  for (const frame of directory.frames) {
    let offsetInFrame = 0
    for (let i = 0; i < frame.blobCount; i++, at += BLOB_RECORD_BYTES) {
      const length = view.getUint32(at + ID_BYTES, true)
      yield { id: directory.blobs.subarray(at, at + ID_BYTES), length, offsetInFrame, frame }
      offsetInFrame += length
    }
  }
}

export function blobCount(directory: PackDirectory): number {
  return directory.blobs.length / BLOB_RECORD_BYTES
}

/** {1: pack id, 2: size, 3: session, 4: envelopes, 5: frames, 6: blobs} */
export function packEntryToCbor(entry: PackEntry): CborMap {
  return new Map<number, unknown>([
    [1, new Uint8Array(Buffer.from(entry.packId, 'hex'))],
    [2, entry.sizeBytes],
    [3, entry.session],
    [4, envelopesToCbor(entry.envelopes)],
    [5, encodeFrames(entry.frames)],
    [6, entry.blobs],
  ])
}

export function packEntryFromCbor(value: unknown): PackEntry {
  const map = asMap(value, 'pack entry')
  const packId = toHex(asBytes(map.get(1), 'pack id', ID_BYTES))
  const what = `the index entry of pack ${packId.slice(0, 8)}`
  const entry: PackEntry = {
    packId,
    sizeBytes: asCount(map.get(2), 'pack size', PACK_BYTES_LIMIT),
    session: asBytes(map.get(3), 'session', SID_BYTES),
    envelopes: envelopesFromCbor(map.get(4)),
    ...decodeDirectory(asBytes(map.get(5), 'frames'), asBytes(map.get(6), 'blobs'), what),
  }
  if (entry.frames.some((frame) => frame.envelope >= entry.envelopes.length)) throw new BackupError('CORRUPT', `${what} has a frame without an envelope`)
  const last = entry.frames.at(-1)
  if (last !== undefined && last.offset + last.storedBytes > entry.sizeBytes) throw new BackupError('CORRUPT', `${what} has frames beyond its end`)
  return entry
}

export function packEntriesFromCbor(value: unknown): PackEntry[] {
  return asArray(value, 'pack entries').map(packEntryFromCbor)
}
