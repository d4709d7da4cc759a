/**
 * Where a blob lies, as the catalogue keeps it: 28 bytes a location.
 *
 *   0  number of the pack u32
 *   4  offset of the frame in the pack u32
 *   8  stored length of the frame u32
 *  12  plaintext length of the frame u32
 *  16  offset of the blob in the frame u32
 *  20  length of the blob u32
 *  24  codec u8
 *  25  blob type u8
 *  26  number of the envelope u8
 *  27  exclusive or of the bytes before: LevelDB does not check its blocks on every read, and a
 *      flipped bit must not pass for another place
 */
import { concatBytes, dataView } from '../../util/bytes.ts'
import { BLOB_TYPE_CODE, blobTypeOf, type BlobType } from '../format.ts'
import type { BlobEntry } from '../pack-entry.ts'

export const LOCATION_BYTES = 28
const AT_CHECK = 27

export interface LocationRecord {
  readonly packNumber: number
  readonly frameOffset: number
  readonly storedBytes: number
  readonly plainBytes: number
  readonly offsetInFrame: number
  readonly length: number
  readonly codec: number
  readonly blobType: BlobType
  readonly envelope: number
}

export function encodeLocation(packNumber: number, entry: BlobEntry): Uint8Array {
  const bytes = new Uint8Array(LOCATION_BYTES)
  const view = dataView(bytes)
  view.setUint32(0, packNumber, true)
  view.setUint32(4, entry.frame.offset, true)
  view.setUint32(8, entry.frame.storedBytes, true)
  view.setUint32(12, entry.frame.plainBytes, true)
  view.setUint32(16, entry.offsetInFrame, true)
  view.setUint32(20, entry.length, true)
  bytes[24] = entry.frame.codec
  bytes[25] = BLOB_TYPE_CODE[entry.frame.blobType]
  bytes[26] = entry.frame.envelope
  bytes[AT_CHECK] = checkOf(bytes, 0)
  return bytes
}

function checkOf(bytes: Uint8Array, at: number): number {
  let check = 0x5a
  for (let i = 0; i < AT_CHECK; i++) check ^= bytes[at + i]!
  return check
}

/** Numbers of the packs that hold the blob; undefined when a record is damaged. */
export function packNumbersOf(records: Uint8Array): number[] | undefined {
  if (records.length % LOCATION_BYTES !== 0) return undefined
  const view = dataView(records)
  const numbers: number[] = []
  for (let at = 0; at < records.length; at += LOCATION_BYTES) {
    if (records[at + AT_CHECK] !== checkOf(records, at)) return undefined
    numbers.push(view.getUint32(at, true))
  }
  return numbers
}

/** The i-th location of records that `packNumbersOf` accepted. */
export function decodeLocation(records: Uint8Array, i: number): LocationRecord {
  const view = dataView(records)
  const at = i * LOCATION_BYTES
  return {
    packNumber: view.getUint32(at, true),
    frameOffset: view.getUint32(at + 4, true),
    storedBytes: view.getUint32(at + 8, true),
    plainBytes: view.getUint32(at + 12, true),
    offsetInFrame: view.getUint32(at + 16, true),
    length: view.getUint32(at + 20, true),
    codec: view.getUint8(at + 24),
    blobType: blobTypeOf(view.getUint8(at + 25)) ?? 'data',
    envelope: view.getUint8(at + 26),
  }
}

/** Places in packs that are known no more leave the row, which would else grow with every prune. */
export function withLocation(before: Uint8Array | undefined, record: Uint8Array, isKnown: (packNumber: number) => boolean): Uint8Array {
  const numbers = before === undefined ? undefined : packNumbersOf(before)
  if (before === undefined || numbers === undefined) return record
  const kept = numbers.flatMap((number, at) => (isKnown(number) ? [before.subarray(at * LOCATION_BYTES, (at + 1) * LOCATION_BYTES)] : []))
  return concatBytes(...kept, record)
}
