/**
 * Reading packs back: whether the storage gives what an index object states, to the last blob. One
 * copy of a blob is dropped in favour of another only after this has read the other.
 */
import { BackupError, isBackupError, messageOf } from '../util/errors.ts'
import { openDataKeys } from './blob-reader.ts'
import { type OpenPool, startOpenPool } from './open-pool.ts'
import type { PackEntry } from './pack-entry.ts'
import type { Repository } from './repository.ts'

export interface PackVerifier extends AsyncDisposable {
  /** What is wrong with the pack, or undefined when every frame opens and every blob's id is right. */
  verify(entry: PackEntry, group: number): Promise<string | undefined>
}

/** Threads start with the first pack: most prunes have none to read. */
export function createPackVerifier(repository: Repository, threads: number, signal?: AbortSignal): PackVerifier {
  const { backend, keyring } = repository
  let started: Promise<OpenPool> | undefined
  const dataKeys = openDataKeys(repository)

  const read = async (entry: PackEntry, group: number): Promise<string | undefined> => {
    const bytes = await backend.load({ type: 'packs', name: entry.packId }, undefined, { signal })
    if (bytes.length !== entry.sizeBytes) throw new BackupError('BACKEND_TRUNCATED', `it has ${bytes.length} instead of ${entry.sizeBytes} bytes`)
    const pack = { ...entry, group, indexNumber: 0 }
    const pool = await (started ??= startOpenPool(threads, { repositoryId: keyring.repositoryId, targetFd: -1 }))
    const reply = await pool.verify({
      packId: entry.packId,
      bytes: bytes as Uint8Array<ArrayBuffer>,
      blobIdKeys: { data: keyring.blobId(group, 'data'), tree: keyring.blobId(group, 'tree') },
      frames: entry.frames.map((frame) => ({ ...frame, at: frame.offset, dataKey: dataKeys.of({ pack, envelope: frame.envelope }) })),
      records: entry.blobs,
      blobCounts: entry.frames.map((frame) => frame.blobCount),
      directory: dataKeys.of({ pack, envelope: 0 }),
    })
    return [...reply.packProblems, ...reply.frameProblems.values()][0]
  }

  return {
    async verify(entry, group) {
      try {
        return await read(entry, group)
      } catch (error) {
        if (!isBackupError(error) || !['BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED', 'CORRUPT'].includes(error.code)) throw error
        return messageOf(error)
      }
    },
    async [Symbol.asyncDispose]() {
      await (await started?.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
}
