/**
 * File contents in order, read ahead: what will be wanted is planned as runs of blobs that lie in one
 * frame, and several frames are fetched at a time, however the files lie in the packs. Every blob is
 * checked against its id. In memory are the frames on their way and the last ones used.
 */
import { keyedHash, type KeyedHash } from '../../crypto/hash.ts'
import { createDecompressor } from '../../codec/zstd.ts'
import { equalBytes } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { Lru } from '../../util/lru.ts'
import { openBlobReader, openDataKeys } from '../../repository/blob-reader.ts'
import type { BlobLocation } from '../../repository/catalogue/catalogue.ts'
import { openFrame } from '../../repository/frame.ts'
import { loadReadableIndex } from '../../repository/index-loader.ts'
import type { Repository } from '../../repository/repository.ts'
import type { ContentBlob } from '../../snapshot/content.ts'

/** Neighbours in a file whose blobs lie in one frame. */
export interface Run {
  readonly at: BlobLocation | undefined
  readonly blobs: readonly { readonly blob: ContentBlob; readonly at: BlobLocation | undefined }[]
}

export interface RunReader {
  /** Cuts a stretch of blobs into runs. */
  runs(blobs: readonly ContentBlob[]): Run[]
  /**
   * The blobs' bytes, which are views of frames.
   * @throws {BackupError} BLOB_MISSING, CORRUPT - never other bytes than were stored
   */
  read(run: Run): Promise<Uint8Array[]>
}

const FRAMES_HELD_BYTES = 32 * 1024 * 1024
/** Of one run: a frame may repeat in a file without end. */
const RUN_BLOBS = 256

export async function openRunReader(repository: Repository, signal: AbortSignal | undefined): Promise<RunReader> {
  const { catalogue } = await loadReadableIndex(repository, { signal })
  const { backend, keyring } = repository
  const reader = await openBlobReader(repository)
  const dataKeys = openDataKeys(repository)
  const decompressor = createDecompressor()
  const hashes = new Map<number, KeyedHash>()
  const frames = new Lru<string, { readonly frame: Promise<Uint8Array>; readonly bytes: number }>(FRAMES_HELD_BYTES, ({ bytes }) => bytes)

  const hashOf = (group: number): KeyedHash => {
    const hash = hashes.get(group) ?? keyedHash(keyring.blobId(group, 'data'))
    hashes.set(group, hash)
    return hash
  }

  const fetchFrame = async (at: BlobLocation): Promise<Uint8Array> => {
    const bytes = await backend.load({ type: 'packs', name: at.pack.packId }, { offset: at.frameOffset, length: at.storedBytes }, { signal })
    return openFrame(keyring.repositoryId, dataKeys.of(at), at, bytes, decompressor)
  }

  const frameOf = (at: BlobLocation): Promise<Uint8Array> => {
    const key = keyOf(at)
    const known = frames.get(key)
    if (known !== undefined) return known.frame
    const frame = fetchFrame(at)
    // Whoever waits for it meets the failure; in the cache nobody may be waiting.
    frame.catch(() => frames.delete(key))
    frames.set(key, { frame, bytes: at.plainBytes })
    return frame
  }

  return {
    runs(blobs) {
      const runs: { at: BlobLocation | undefined; blobs: { blob: ContentBlob; at: BlobLocation | undefined }[] }[] = []
      for (const blob of blobs) {
        const at = catalogue.locate(blob.id)[0]
        const last = runs.at(-1)
        const isNext = last?.at !== undefined && at !== undefined && keyOf(last.at) === keyOf(at) && last.blobs.length < RUN_BLOBS
        if (isNext) last.blobs.push({ blob, at })
        else runs.push({ at, blobs: [{ blob, at }] })
      }
      return runs
    },
    async read({ at: place, blobs }) {
      const frame = place === undefined ? undefined : await frameOf(place).catch(unlessUnreadable)
      const found: Uint8Array[] = []
      for (const { blob, at } of blobs) {
        const bytes = at === undefined ? undefined : frame?.subarray(at.offsetInFrame, at.offsetInFrame + at.length)
        const isRight = bytes !== undefined && at?.blobType === 'data' && equalBytes(hashOf(at.pack.group)(bytes), blob.id)
        // Elsewhere it may be whole; if it is nowhere, that is said.
        found.push(isRight ? bytes : await reader.load('data', blob.id))
      }
      return found
    },
  }
}

function unlessUnreadable(error: unknown): undefined {
  if (!isBackupError(error) || !['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED'].includes(error.code)) throw error
  return undefined
}

function keyOf(at: BlobLocation): string {
  return `${at.pack.packId}.${at.frameOffset}`
}
