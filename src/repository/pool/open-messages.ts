/**
 * What passes between a reader and its open workers. A request carries a stretch of one pack and
 * says what is to come of the frames in it: into files that a worker makes whole, into files that
 * are open for writing, or nowhere, when only their truth is wanted. Rows of typed arrays stand for
 * blobs: cloning an object for each would cost more than the blob does.
 */
import type { DataKey } from '../envelope.ts'
import type { BlobType } from '../format.ts'
import type { FrameShape } from '../frame.ts'
import type { FrameEntry } from '../pack-entry.ts'
import type { FileTable } from './file-table.ts'

export interface OpenInit {
  readonly repositoryId: Uint8Array
  /** Where restored files go; -1 when none do. */
  readonly targetFd: number
  /** Whether blocks of zeros become holes. */
  readonly sparse?: boolean | undefined
}

/** A frame within the bytes of a request. */
export interface FrameAt extends FrameShape {
  readonly at: number
  readonly dataKey: DataKey
}

/** Columns of a row of `blobs`: number of the frame, offset in it, length, and the next two. */
export const BLOB_COLUMNS = 5
/** Descriptor that the blob is written to, or this: it belongs to a whole file. */
export const NO_FD = -1

export interface RestoreRequest {
  readonly kind: 'restore'
  readonly job: number
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly blobIdKey: Uint8Array
  readonly frames: readonly FrameAt[]
  /** Rows of frame, offset in frame, length, descriptor, position in the file. */
  readonly blobs: Float64Array<ArrayBuffer>
  /** Ids of the blobs, 32 bytes each. */
  readonly ids: Uint8Array<ArrayBuffer>
  /** Folders below the target, as paths without a leading slash. */
  readonly folders: readonly Uint8Array[]
  readonly files: FileTable
}

/** A stretch of a pack; those of one pack come to one worker in their order, from the pack's first byte to its last. */
export interface VerifyRequest {
  readonly kind: 'verify'
  readonly job: number
  /** Numbers the packs that a reader has under way. */
  readonly pack: number
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly blobIdKeys: Readonly<Record<BlobType, Uint8Array>>
  /** Frames that lie whole in these bytes. */
  readonly frames: readonly FrameAt[]
  /** Blob records of these frames. */
  readonly records: Uint8Array
  readonly blobCounts: readonly number[]
  /** With the last stretch: what the index says of the pack as a whole. */
  readonly end: PackStatement | undefined
}

export interface PackStatement {
  readonly packId: string
  readonly sizeBytes: number
  readonly directory: DataKey
  readonly frames: readonly FrameEntry[]
  readonly records: Uint8Array
}

/** Columns of a row of `rows`: descriptor, position, length, and the next. */
export const COMPARE_COLUMNS = 4

/** Stretches of open files, and the blobs that they may hold. */
export interface CompareRequest {
  readonly kind: 'compare'
  readonly job: number
  readonly blobIdKey: Uint8Array
  /** Rows of descriptor, position, length, and the descriptor that gets what is the same, at the same position, or `NO_FD`. */
  readonly rows: Float64Array<ArrayBuffer>
  /** Ids of the blobs, 32 bytes each. */
  readonly ids: Uint8Array<ArrayBuffer>
}

/** One frame, wanted whole. */
export interface FrameRequest {
  readonly kind: 'frame'
  readonly job: number
  /** Begins with the frame. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly frame: FrameAt
  readonly blobIdKey: Uint8Array
  /** Of blobs that are wanted now: offset in the frame and length of each, and their ids. */
  readonly blobs: Float64Array<ArrayBuffer>
  readonly ids: Uint8Array<ArrayBuffer>
  /** Where the plaintext goes, at least as long as that: it comes back with the reply. */
  readonly into: ArrayBuffer
}

export type OpenRequest = RestoreRequest | VerifyRequest | CompareRequest | FrameRequest

export interface OpenProblem {
  readonly code: string
  readonly message: string
}

export type OpenReply =
  | {
      readonly kind: 'restored'
      readonly job: number
      /** The request's bytes come back. */
      readonly buffer: ArrayBuffer
      /** By position in `files`: what went wrong, or that the name was taken. */
      readonly fileProblems: ReadonlyMap<number, OpenProblem>
      /** By row of `blobs`, for those that go to descriptors. */
      readonly blobProblems: ReadonlyMap<number, OpenProblem>
      /** By position in `files`: attributes that the system refused. */
      readonly warnings: ReadonlyMap<number, string>
    }
  | {
      readonly kind: 'verified'
      readonly job: number
      readonly buffer: ArrayBuffer
      /** What is wrong with the pack as a whole. */
      readonly packProblems: readonly string[]
      /** By number of the frame in the request. */
      readonly frameProblems: ReadonlyMap<number, string>
    }
  | {
      readonly kind: 'compared'
      readonly job: number
      readonly buffer: undefined
      /** 1 for each row whose stretch is its blob. */
      readonly isSame: Uint8Array<ArrayBuffer>
      /** By row: what was the same and could not be written. */
      readonly problems: ReadonlyMap<number, OpenProblem>
    }
  | {
      readonly kind: 'frame'
      readonly job: number
      readonly buffer: ArrayBuffer
      /** The request's, which begins with the plaintext if there is no problem. */
      readonly into: ArrayBuffer
      readonly problem: OpenProblem | undefined
      /** Which of the blobs have the bytes of their ids, one by one. */
      readonly right: readonly boolean[]
    }

/** Codes of problems that are the repository's, not the target's. */
export const DAMAGED = 'CORRUPT'
export const NAME_TAKEN = 'EEXIST'
