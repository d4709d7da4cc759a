/**
 * Gathers blobs into frames, seals each frame, and opens it again before it leaves: what a broken
 * compressor, cipher or memory bar made of it would otherwise be found when it is needed.
 */
import { HASH_BYTES, type KeyedHash } from '../../crypto/hash.ts'
import type { Compressor, Decompressor } from '../../codec/zstd.ts'
import { type Arena, createArena } from '../../util/arena.ts'
import { dataView, equalBytes } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { release } from '../../util/release.ts'
import type { DataKey } from '../envelope.ts'
import type { BlobType } from '../format.ts'
import { openFrame, sealFrame, type SealedFrame } from '../frame.ts'
import { BLOB_RECORD_BYTES } from '../pack-entry.ts'

export interface FrameBuilderOptions {
  readonly repositoryId: Uint8Array
  readonly dataKey: DataKey
  readonly blobType: BlobType
  readonly frameBytes: number
  /** The largest blob that may come. */
  readonly blobBytesMax: number
  readonly hash: KeyedHash
  readonly compressor: Compressor | undefined
  readonly decompressor: Decompressor
  readonly verifyFraction: number
  readonly onFrame: (frame: SealedFrame, records: Uint8Array<ArrayBuffer>) => void
}

export interface FrameBuilder {
  /** Copies the blob; `record` is its id ‖ length. */
  add(blob: Uint8Array, record: Uint8Array): void
  flush(): void
}

export function createFrameBuilder(options: FrameBuilderOptions): FrameBuilder {
  const plaintext = new Uint8Array(options.frameBytes + options.blobBytesMax)
  let records = new Uint8Array(256 * BLOB_RECORD_BYTES)
  let length = 0
  let recordBytes = 0
  const memory = createArena(plaintext.length)
  // Verification of a fraction is spread evenly: every time the sum passes a whole number.
  let verifySum = 0

  const flush = (): void => {
    if (recordBytes === 0) return
    const body = plaintext.subarray(0, length)
    const frame = sealFrame(options.repositoryId, options.dataKey, options.blobType, body, options.compressor)
    const own = records.slice(0, recordBytes)
    verifySum += options.verifyFraction
    if (verifySum >= 1) {
      verifySum -= 1
      verifyFrame(options, frame, own, memory)
    }
    length = 0
    recordBytes = 0
    options.onFrame(frame, own)
  }

  return {
    add(blob, record) {
      if (length > 0 && length + blob.length > options.frameBytes) flush()
      plaintext.set(blob, length)
      length += blob.length
      if (recordBytes + BLOB_RECORD_BYTES > records.length) {
        const larger = new Uint8Array(records.length * 2)
        larger.set(records)
        records = larger
      }
      records.set(record, recordBytes)
      recordBytes += BLOB_RECORD_BYTES
      if (length >= options.frameBytes) flush()
    },
    flush,
  }
}

function verifyFrame(options: FrameBuilderOptions, frame: SealedFrame, records: Uint8Array, memory: Arena): void {
  const opened = openFrame(options.repositoryId, options.dataKey, frame, frame.bytes, options.decompressor, memory)
  const view = dataView(records)
  let at = 0
  for (let record = 0; record < records.length; record += BLOB_RECORD_BYTES) {
    const end = at + view.getUint32(record + HASH_BYTES, true)
    if (!equalBytes(options.hash(opened.subarray(at, end)), records.subarray(record, record + HASH_BYTES))) {
      throw new BackupError('CORRUPT', 'a frame does not open to what was put in: memory or a library of this machine is faulty; nothing of it was stored')
    }
    at = end
  }
  release(opened)
  memory.reset()
}
