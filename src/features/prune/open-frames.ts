/** Frames of packs that are written anew, read and opened by the open workers, with every blob compared with its id. */
import { dataView } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import type { DataKeys } from '../../repository/blob-reader.ts'
import type { DataKey } from '../../repository/envelope.ts'
import { ID_BYTES } from '../../repository/format.ts'
import { startOpenPool } from '../../repository/open-pool.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from '../../repository/pack-entry.ts'
import type { Repository } from '../../repository/repository.ts'

export interface FrameOfPack {
  readonly frame: FrameEntry
  /** Where the records of its blobs stand in the entry's. */
  readonly from: number
  readonly to: number
}

export interface WantedFrame extends FrameOfPack {
  readonly entry: PackEntry
  /** Offsets of the records of the blobs that are wanted. */
  readonly wanted: readonly number[]
}

export interface OpenedFrame {
  readonly key: DataKey
  readonly plaintext: Uint8Array
  /** As it lies in the pack, in memory of its own. */
  readonly sealed: Uint8Array
}

export interface FrameOpener extends AsyncDisposable {
  /** @throws {BackupError} CORRUPT - it does not open, or a blob is not what its id says; what the backend throws */
  open(frame: WantedFrame): Promise<OpenedFrame>
}

export function* framesOf(entry: PackEntry): Generator<FrameOfPack> {
  let from = 0
  for (const frame of entry.frames) {
    const to = from + frame.blobCount * BLOB_RECORD_BYTES
    yield { frame, from, to }
    from = to
  }
}

interface OpenerOptions {
  readonly group: number
  readonly threads: number
  readonly dataKeys: DataKeys
  readonly signal?: AbortSignal | undefined
}

export async function openFrameOpener({ backend, keyring }: Repository, { group, threads, dataKeys, signal }: OpenerOptions): Promise<FrameOpener> {
  const pool = await startOpenPool(threads, { repositoryId: keyring.repositoryId, targetFd: -1 })
  const blobIdKeys = { data: keyring.blobId(group, 'data'), tree: keyring.blobId(group, 'tree') }
  return {
    async open({ entry, frame, from, to }) {
      const key = dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope: frame.envelope })
      const bytes = await backend.load({ type: 'packs', name: entry.packId }, { offset: frame.offset, length: frame.storedBytes }, { signal, memory: pool.memory })
      // The request's memory comes back to the pool, which gives it away again.
      const sealed = bytes.slice()
      const { blobs, ids } = tableOf(entry.blobs.subarray(from, to))
      const room = new ArrayBuffer(frame.plainBytes)
      const { into, problem, right } = await pool.frame({ bytes: bytes as Uint8Array<ArrayBuffer>, frame: { ...frame, at: 0, dataKey: key }, blobIdKey: blobIdKeys[frame.blobType], blobs, ids, into: room })
      if (problem !== undefined) throw new BackupError('CORRUPT', problem.message)
      if (!right.every(Boolean)) throw new BackupError('CORRUPT', 'a blob has other bytes than its id says')
      return { key, plaintext: new Uint8Array(into), sealed }
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

/** Offset and length of each blob in the frame, and their ids. */
function tableOf(records: Uint8Array): { blobs: Float64Array<ArrayBuffer>; ids: Uint8Array<ArrayBuffer> } {
  const count = records.length / BLOB_RECORD_BYTES
  const view = dataView(records)
  const blobs = new Float64Array(count * 2)
  const ids = new Uint8Array(count * ID_BYTES)
  let offset = 0
  for (let i = 0; i < count; i++) {
    const at = i * BLOB_RECORD_BYTES
    const length = view.getUint32(at + ID_BYTES, true)
    blobs[2 * i] = offset
    blobs[2 * i + 1] = length
    ids.set(records.subarray(at, at + ID_BYTES), i * ID_BYTES)
    offset += length
  }
  return { blobs, ids }
}
