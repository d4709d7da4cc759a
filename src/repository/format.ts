/**
 * The numbers of format version 1: what docs/format.md fixes, in one place. A change here is a
 * change of the format.
 */

/** Not ASCII at first, then CR LF, ^Z and LF, as in PNG: a transfer that mangles text shows at once. */
export const MAGIC = Uint8Array.of(0x89, 0x4e, 0x43, 0x52, 0x0d, 0x0a, 0x1a, 0x0a)
export const FORMAT_VERSION = 1
/** XChaCha20-Poly1305, keyed BLAKE3-256, HKDF-SHA256, SHA-256, Ed25519, X25519. */
export const SUITE = 1

export const RECORD = {
  config: 1,
  key: 2,
  pack: 3,
  index: 4,
  session: 5,
  snapshot: 6,
  fence: 7,
  forgotten: 8,
  mark: 9,
  gcPlan: 10,
  gcVerdict: 11,
  gcDone: 12,
} as const
export type RecordType = (typeof RECORD)[keyof typeof RECORD]

export type BlobType = 'data' | 'tree'
export const BLOB_TYPE_CODE = { data: 1, tree: 2 } as const

export const CODEC_STORED = 0
export const CODEC_ZSTD = 1

export const ID_BYTES = 32
export const SID_BYTES = 16
export const REPOSITORY_ID_BYTES = 16
export const KEY_ID_BYTES = 16

/** The owners' dedup group. */
export const OWNER_GROUP = 0

export const KIB = 1024
export const MIB = 1024 * KIB

/** Sizes measured to be good; they are kept in the config so that they may differ. */
export const FRAME_BYTES_DEFAULT = MIB
export const PACK_BYTES_DEFAULT = 32 * MIB

/** What a reader accepts at most, whatever a hostile repository states. */
export const FRAME_BYTES_LIMIT = 64 * MIB
export const PACK_BYTES_LIMIT = 1024 * MIB
/** The largest tree blob that is made or accepted. */
export const BLOB_TREE_LIMIT = 2 * MIB
/** Config, keys, sessions, snapshots, gc records and index objects. */
export const OBJECT_BYTES_LIMIT = 512 * MIB

export function blobTypeOf(code: number): BlobType | undefined {
  return code === 1 ? 'data' : code === 2 ? 'tree' : undefined
}
