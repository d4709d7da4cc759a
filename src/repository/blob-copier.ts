/**
 * Writing blobs of other packs anew, in a session of one's own: sealed again with its data key and
 * new nonces, or moved as they are, in frames that are wanted whole, with the envelope of their key.
 * The header of a pack names its session, so none is ever written under a name that was there before.
 * Each new pack is read back whole before an index object states it.
 */
import { ZSTD_LEVEL_DEFAULT } from '../codec/zstd.ts'
import { BackupError } from '../util/errors.ts'
import { type DataKey, wrapDataKey } from './envelope.ts'
import type { BlobType } from './format.ts'
import type { FrameShape } from './frame.ts'
import { createIndexWriter } from './index-writer.ts'
import { dataView, toHex } from '../util/bytes.ts'
import { ID_BYTES } from './format.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from './pack-entry.ts'
import type { PackVerifier } from './pack-verifier.ts'
import type { Repository } from './repository.ts'
import type { Session } from './session.ts'
import { createSessionPacks } from './session-packs.ts'
import { startScheduler } from './store-scheduler.ts'

export interface CopierOptions {
  readonly threads: number
  readonly verifier: PackVerifier
  readonly signal?: AbortSignal | undefined
  readonly onWritten?: ((bytes: number) => void) | undefined
  /** Of frames that are to be moved; those beyond a bound are not. */
  readonly dataKeys?: readonly DataKey[] | undefined
}

export interface BlobCopier extends AsyncDisposable {
  /** Packs that were read back and indexed. */
  readonly written: readonly PackEntry[]
  /**
   * Takes over the memory of both. Waits while too much is under way.
   * @param records - id ‖ length of each blob of the bytes
   */
  add(type: BlobType, bytes: Uint8Array<ArrayBuffer>, records: Uint8Array<ArrayBuffer>): Promise<void>
  /** Whether frames that this data key sealed can be moved. */
  canMove(key: DataKey): boolean
  /**
   * Takes a sealed frame as it is: nothing is compressed or encrypted again.
   * @param records - id ‖ length of each of its blobs
   */
  move(shape: FrameShape, key: DataKey, bytes: Uint8Array, records: Uint8Array): Promise<void>
  /** Resolves when all is durable, read back and indexed. */
  finish(): Promise<void>
}

const BYTES_UNDER_WAY = 32 * 1024 * 1024
const READ_BACKS = 2
/** Each costs 130 bytes in every pack and in what the index says of it. */
const MOVED_KEYS = 15

export async function openBlobCopier(repository: Repository, session: Session, options: CopierOptions): Promise<BlobCopier> {
  const { backend, keyring, config } = repository
  const { signal, verifier } = options
  const written: PackEntry[] = []
  const readBacks = new Set<Promise<void>>()
  let underWay = 0
  let wake: (() => void) | undefined
  let failure: Error | undefined
  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error))
    wake?.()
  }

  const indexWriter = createIndexWriter({ backend, catalogue: await repository.catalogue(), keyring, signal, isFresh: () => false, onIndexed: (packs) => written.push(...packs) })
  const readBack = async (entry: PackEntry): Promise<void> => {
    const problem = await verifier.verify(entry, keyring.group)
    if (problem !== undefined) throw new BackupError('BACKEND_FAILED', `pack ${entry.packId.slice(0, 16)} was written anew and does not read back as written: ${problem}; nothing refers to it, and nothing was deleted`)
    indexWriter.add(entry)
    options.onWritten?.(entry.sizeBytes)
  }
  const movedKeys = (options.dataKeys ?? []).slice(0, MOVED_KEYS)
  const envelopeNumbers = new Map(movedKeys.map((key, i) => [toHex(key.id), session.envelopes.length + i]))
  const packWriter = createSessionPacks(repository, session, {
    signal,
    moreEnvelopes: movedKeys.map((key) => wrapDataKey(keyring, keyring.group, key)),
    onDurable(entry) {
      const reading = readBack(entry).catch(fail)
      readBacks.add(reading)
      void reading.finally(() => readBacks.delete(reading))
    },
  })
  const scheduler = await startScheduler({
    threads: options.threads,
    init: {
      chunker: config.chunker,
      repositoryId: keyring.repositoryId,
      dataKey: session.dataKey,
      blobIdKeys: { data: keyring.blobId(keyring.group, 'data'), tree: keyring.blobId(keyring.group, 'tree') },
      level: ZSTD_LEVEL_DEFAULT,
      frameBytes: config.frameBytes,
      slots: 0,
      slotBytes: 0,
      verifyFraction: 1,
    },
    claim: () => false,
    onFrame(shape, bytes, records) {
      packWriter.add(shape, bytes, records)
      underWay -= shape.plainBytes
      wake?.()
    },
    gate: () => undefined,
    onFailure: fail,
  })

  const room = async (): Promise<void> => {
    while (failure === undefined && underWay > BYTES_UNDER_WAY) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (failure === undefined && !packWriter.isReady()) await packWriter.ready()
    while (failure === undefined && readBacks.size > READ_BACKS) await Promise.race(readBacks)
    if (failure !== undefined) throw failure
  }

  return {
    written,
    async add(type, bytes, records) {
      await room()
      const view = dataView(records)
      for (let at = 0; at < records.length; at += BLOB_RECORD_BYTES) underWay += view.getUint32(at + ID_BYTES, true)
      scheduler.sealBlobs(type, bytes, records)
    },
    canMove: (key) => envelopeNumbers.has(toHex(key.id)),
    async move(shape, key, bytes, records) {
      await room()
      packWriter.add(shape, bytes, records, envelopeNumbers.get(toHex(key.id))!)
    },
    async finish() {
      await scheduler.flush()
      await packWriter.finish()
      while (readBacks.size > 0) await Promise.race(readBacks)
      if (failure !== undefined) throw failure
      await indexWriter.finish()
    },
    [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose](),
  }
}
