/**
 * What passes between a backup and its store workers. Lists of files and chunks travel as a few
 * typed arrays: cloning an object a file would cost the main thread more than its stat does.
 *
 * A worker owns numbered slots of memory. Bytes read into a slot stay there until the main thread
 * has said which of their chunks are new, so that only those are compressed.
 */
import type { ChunkerParams } from '../../chunker/params.ts'
import type { DataKey } from '../envelope.ts'
import type { BlobType } from '../format.ts'
import type { FrameShape } from '../frame.ts'

export interface StoreInit {
  readonly chunker: ChunkerParams
  readonly repositoryId: Uint8Array
  readonly dataKey: DataKey
  readonly blobIdKeys: Readonly<Record<BlobType, Uint8Array>>
  /** undefined: frames are stored as they are. */
  readonly level: number | undefined
  readonly frameBytes: number
  readonly slots: number
  readonly slotBytes: number
  /** Of frames opened again before they leave: 1 all, 0 none. */
  readonly verifyFraction: number
}

export type StoreRequest =
  /** Read whole files, each small enough to fit the slot together with the others. */
  | { readonly kind: 'files'; readonly job: number; readonly slot: number; readonly files: PackedFiles }
  /** Read from an open file at an offset that begins a chunk, and not beyond `end`. */
  | { readonly kind: 'segment'; readonly job: number; readonly slot: number; readonly fd: number; readonly offset: number; readonly end: number }
  /** Keep those chunks of the slot whose byte is 1; the slot is free afterwards. */
  | { readonly kind: 'store'; readonly job: number; readonly slot: number; readonly isNew: Uint8Array }
  /** Seal blobs that the main thread made; only a job that is not negative is answered. */
  | { readonly kind: 'blobs'; readonly job: number; readonly blobType: BlobType; readonly bytes: Uint8Array<ArrayBuffer>; readonly records: Uint8Array<ArrayBuffer> }
  /** Seal what has gathered, however little. */
  | { readonly kind: 'flush'; readonly job: number }

export interface PackedFiles {
  /** Names, one after another. */
  readonly names: Uint8Array<ArrayBuffer>
  /** Where each name ends. */
  readonly nameEnds: Uint32Array<ArrayBuffer>
  /** Descriptor of the folder that each is in: threads share them. */
  readonly folders: Int32Array<ArrayBuffer>
  /** Expected sizes. */
  readonly sizes: Float64Array<ArrayBuffer>
}

export interface FileProblem {
  /** Position of the file in its job. */
  readonly file: number
  readonly code: string
  readonly message: string
}

/** Six numbers a file, of the descriptor after it was read: to see whether it changed meanwhile. */
export const STAT_FIELDS = 6
/** Size and mtime and ctime as seconds and nanoseconds, and the inode as a double. */
export type PackedStats = Float64Array<ArrayBuffer>

export type StoreReply =
  /** Where the next segment of that file begins: sent before the chunks are hashed. */
  | { readonly kind: 'boundary'; readonly job: number; readonly consumed: number; readonly isEnd: boolean }
  | {
      readonly kind: 'read'
      readonly job: number
      readonly slot: number
      /** Chunks of each file. */
      readonly counts: Uint32Array<ArrayBuffer>
      /** Blob records (id ‖ length) of all chunks. */
      readonly records: Uint8Array<ArrayBuffer>
      readonly stats: PackedStats
      readonly problems: readonly FileProblem[]
    }
  | { readonly kind: 'stored'; readonly job: number; readonly slot: number }
  | { readonly kind: 'frame'; readonly shape: FrameShape; readonly bytes: Uint8Array<ArrayBuffer>; readonly records: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'sealed'; readonly job: number }
  | { readonly kind: 'flushed'; readonly job: number }
