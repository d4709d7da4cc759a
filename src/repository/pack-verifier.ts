/**
 * Reading packs whole: whether the storage gives what an index object states, to the last blob. Every
 * frame is opened and every blob compared with its id, by the workers, a stretch of the pack at a time.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError, messageOf } from '../util/errors.ts'
import { openDataKeys } from './blob-reader.ts'
import type { DataKey } from './envelope.ts'
import { type OpenPool, startOpenPool } from './open-pool.ts'
import type { PackEntry } from './pack-entry.ts'
import { type Stretch, stretchesOf } from './pack-stretches.ts'
import type { Repository } from './repository.ts'

export interface PackFindings {
  readonly messages: readonly string[]
  /** Numbers of the frames that the pack does not give back. */
  readonly lostFrames: ReadonlySet<number>
}

export interface PackVerifier extends AsyncDisposable {
  /** All that is wrong with the pack: nothing when every frame opens and every blob's id is right. */
  read(entry: PackEntry, group: number, onBytes?: (bytes: number) => void): Promise<PackFindings>
  /** The first of it, or undefined. */
  verify(entry: PackEntry, group: number): Promise<string | undefined>
}

/** Threads start with the first pack: most prunes have none to read. */
export function createPackVerifier(repository: Repository, threads: number, signal?: AbortSignal): PackVerifier {
  const { backend, keyring } = repository
  let started: Promise<OpenPool> | undefined
  const dataKeys = openDataKeys(repository)

  const readAll = async (entry: PackEntry, group: number, onBytes: (bytes: number) => void): Promise<PackFindings> => {
    const pool = await (started ??= startOpenPool(threads, { repositoryId: keyring.repositoryId, targetFd: -1 }))
    const messages: string[] = []
    const lostFrames = new Set<number>()
    const blobIdKeys = { data: keyring.blobId(group, 'data'), tree: keyring.blobId(group, 'tree') }
    const keyOf = (envelope: number): DataKey => dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope })
    const statement = { packId: entry.packId, sizeBytes: entry.sizeBytes, directory: keyOf(0), frames: entry.frames, records: entry.blobs }
    const load = async (stretch: Stretch): Promise<{ stretch: Stretch; bytes: Uint8Array }> => {
      const bytes = await backend.load({ type: 'packs', name: entry.packId }, { offset: stretch.offset, length: stretch.length }, { signal, memory: pool.memory })
      onBytes(bytes.length)
      return { stretch, bytes }
    }
    await pool.withPack(async (verify) => {
      const take = async (stretch: Stretch, bytes: Uint8Array): Promise<void> => {
        const { offset, frames, records, first, isLast } = stretch
        const reply = await verify({
          bytes: bytes as Uint8Array<ArrayBuffer>,
          blobIdKeys,
          frames: frames.map((frame) => ({ ...frame, at: frame.offset - offset, dataKey: keyOf(frame.envelope) })),
          records: records.slice(),
          blobCounts: frames.map((frame) => frame.blobCount),
          end: isLast ? statement : undefined,
        })
        messages.push(...reply.packProblems)
        for (const [number, message] of reply.frameProblems) {
          messages.push(`frame ${first + number}: ${message}`)
          lostFrames.add(first + number)
        }
      }
      // One is verified while the next is on its way; they are handed over in their order.
      let taking = Promise.resolve()
      for await (const { stretch, bytes } of mapOrdered(stretchesOf(entry), { concurrency: 2, signal }, load)) {
        const before = taking
        taking = take(stretch, bytes)
        taking.catch(() => undefined)
        await before
      }
      await taking
    })
    return { messages, lostFrames }
  }

  const read: PackVerifier['read'] = async (entry, group, onBytes = () => undefined) => {
    try {
      return await readAll(entry, group, onBytes)
    } catch (error) {
      if (!isBackupError(error) || !['BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED', 'CORRUPT'].includes(error.code)) throw error
      return { messages: [messageOf(error)], lostFrames: new Set(entry.frames.keys()) }
    }
  }

  return {
    read,
    verify: async (entry, group) => (await read(entry, group)).messages[0],
    async [Symbol.asyncDispose]() {
      await (await started?.catch(() => undefined))?.[Symbol.asyncDispose]()
    },
  }
}
