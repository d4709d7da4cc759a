/**
 * Frames: the unit of compression and encryption, one large blob or many small ones. Deduplication
 * stays with the blobs, so they can be small without costing ratio or a cipher call each.
 *
 * The associated data binds a frame to its repository, its data key, what it holds and both of its
 * lengths. So the plaintext length is known to be true before anything is decompressed.
 *
 *   0  repository id[16]
 *  16  data-key id[16]
 *  32  record type u8 (pack)
 *  33  blob type u8
 *  34  codec u8
 *  35  zero u8
 *  36  plaintext length u32
 *  40  stored length u32 (nonce and tag included)
 */
import { open, seal, SEAL_OVERHEAD_BYTES } from '../crypto/aead.ts'
import type { Compressor, Decompressor } from '../codec/zstd.ts'
import type { Arena } from '../util/arena.ts'
import { dataView } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { release } from '../util/release.ts'
import type { DataKey } from './envelope.ts'
import { BLOB_TYPE_CODE, type BlobType, CODEC_STORED, CODEC_ZSTD, FRAME_BYTES_LIMIT, RECORD } from './format.ts'

export interface FrameShape {
  readonly blobType: BlobType
  readonly codec: number
  readonly plainBytes: number
  readonly storedBytes: number
}

export interface SealedFrame extends FrameShape {
  readonly bytes: Uint8Array<ArrayBuffer>
}

const AAD_BYTES = 44

function associatedData(repositoryId: Uint8Array, dataKeyId: Uint8Array, shape: FrameShape): Uint8Array {
  const aad = new Uint8Array(AAD_BYTES)
  const view = dataView(aad)
  aad.set(repositoryId, 0)
  aad.set(dataKeyId, 16)
  aad[32] = RECORD.pack
  aad[33] = BLOB_TYPE_CODE[shape.blobType]
  aad[34] = shape.codec
  view.setUint32(36, shape.plainBytes, true)
  view.setUint32(40, shape.storedBytes, true)
  return aad
}

/** What compression must save to be worth undoing at every read. */
const WORTHWHILE = 0.97

/** @param compressor - undefined stores the plaintext as it is */
export function sealFrame(repositoryId: Uint8Array, dataKey: DataKey, blobType: BlobType, plaintext: Uint8Array, compressor: Compressor | undefined): SealedFrame {
  const packed = compressor?.compress(plaintext, Math.floor(plaintext.length * WORTHWHILE))
  const body = packed ?? plaintext
  const shape: FrameShape = {
    blobType,
    codec: packed === undefined ? CODEC_STORED : CODEC_ZSTD,
    plainBytes: plaintext.length,
    storedBytes: body.length + SEAL_OVERHEAD_BYTES,
  }
  return { ...shape, bytes: seal(dataKey.key, body, associatedData(repositoryId, dataKey.id, shape)) }
}

/**
 * The frame's plaintext.
 * @param memory - where it is put if it must be decompressed; by default it gets a buffer of its own
 * @throws {BackupError} CORRUPT - a bit or a stated length differs from what was sealed
 */
export function openFrame(repositoryId: Uint8Array, dataKey: DataKey, shape: FrameShape, bytes: Uint8Array, decompressor: Decompressor, memory?: Arena): Uint8Array {
  if (shape.plainBytes > FRAME_BYTES_LIMIT) throw new BackupError('CORRUPT', `a frame states ${shape.plainBytes} bytes, more than any frame may hold`)
  if (bytes.length !== shape.storedBytes) throw new BackupError('CORRUPT', `a frame is cut short (${bytes.length} of ${shape.storedBytes} bytes)`)
  const body = open(dataKey.key, bytes, associatedData(repositoryId, dataKey.id, shape))
  if (shape.codec === CODEC_ZSTD) {
    const plaintext = memory?.take(shape.plainBytes) ?? new Uint8Array(shape.plainBytes)
    decompressor.decompress(body, plaintext)
    release(body)
    return plaintext
  }
  if (shape.codec !== CODEC_STORED) throw new BackupError('CORRUPT', `a frame uses codec ${shape.codec}, which this nacre does not know`)
  if (body.length !== shape.plainBytes) throw new BackupError('CORRUPT', 'a stored frame has another length than it states')
  return body
}
