/**
 * What a damaged pack still gives: each frame that opens, and in it each blob whose bytes are those of
 * its id. A frame that does not open is asked for once more, for a flipped bit may be the memory's.
 */
import { createDecompressor } from '../../codec/zstd.ts'
import { keyedHash } from '../../crypto/hash.ts'
import { dataView, equalBytes } from '../../util/bytes.ts'
import { isBackupError, throwIfAborted } from '../../util/errors.ts'
import { openDataKeys } from '../../repository/blob-reader.ts'
import { ID_BYTES } from '../../repository/format.ts'
import { openFrame } from '../../repository/frame.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from '../../repository/pack-entry.ts'
import type { Repository } from '../../repository/repository.ts'

export interface SalvagedFrame {
  readonly frame: FrameEntry
  /** Where the frame's blob records begin and end in the entry's. */
  readonly from: number
  readonly to: number
  /** undefined when the frame does not open. */
  readonly plaintext: Uint8Array | undefined
  /** Positions, in the entry's records, of blobs that are what their ids say. */
  readonly good: readonly number[]
}

const ATTEMPTS = 2

export function createSalvager(repository: Repository, group: number, signal: AbortSignal | undefined): (entry: PackEntry) => AsyncGenerator<SalvagedFrame> {
  const { backend, keyring } = repository
  const decompressor = createDecompressor()
  const dataKeys = openDataKeys(repository)
  const hashes = { data: keyedHash(keyring.blobId(group, 'data')), tree: keyedHash(keyring.blobId(group, 'tree')) }

  const open = async (entry: PackEntry, frame: FrameEntry): Promise<Uint8Array | undefined> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      try {
        const key = dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope: frame.envelope })
        const sealed = await backend.load({ type: 'packs', name: entry.packId }, { offset: frame.offset, length: frame.storedBytes }, { signal })
        return openFrame(keyring.repositoryId, key, frame, sealed, decompressor)
      } catch (error) {
        // Whatever else the storage says may pass: then nothing is known of the pack.
        if (!isBackupError(error) || !['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED'].includes(error.code)) throw error
      }
    }
    return undefined
  }

  return async function* salvage(entry) {
    const view = dataView(entry.blobs)
    let from = 0
    for (const frame of entry.frames) {
      throwIfAborted(signal)
      const to = from + frame.blobCount * BLOB_RECORD_BYTES
      const plaintext = await open(entry, frame)
      const good: number[] = []
      let start = 0
      for (let at = from; at < to && plaintext !== undefined; at += BLOB_RECORD_BYTES) {
        const end = start + view.getUint32(at + ID_BYTES, true)
        if (equalBytes(hashes[frame.blobType](plaintext.subarray(start, end)), entry.blobs.subarray(at, at + ID_BYTES))) good.push(at)
        start = end
      }
      yield { frame, from, to, plaintext, good }
      from = to
    }
  }
}
