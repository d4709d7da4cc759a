/**
 * Storing blobs in a session: the workers read and seal, the catalogue tells what is known, packs
 * and index objects carry it away. This is the only place where a blob becomes part of the
 * repository.
 */
import { keyedHash } from '../crypto/hash.ts'
import { IdSet } from '../util/id-set.ts'
import { dataView } from '../util/bytes.ts'
import { type BlobType, ID_BYTES } from './format.ts'
import type { FrameShape } from './frame.ts'
import { createIndexWriter } from './index-writer.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from './pack-entry.ts'
import type { Repository } from './repository.ts'
import type { Session } from './session.ts'
import { createSessionPacks } from './session-packs.ts'
import { type StoreScheduler, startScheduler } from './store-scheduler.ts'

export interface StoreOptions {
  /** Worker threads; 0 does all the work on the calling thread. */
  readonly threads: number
  /** zstd level from -7 to 19; undefined stores without compression. */
  readonly level: number | undefined
  /** Share of frames that are opened again before they are uploaded, from 0 to 1. */
  readonly verifyFraction: number
  /** Do everything but write. */
  readonly dryRun: boolean
  readonly signal?: AbortSignal | undefined
}

/** What a session has added so far, in bytes of blobs and of frames. */
export interface Added {
  blobs: number
  plainBytes: number
  storedBytes: number
}

export interface BlobStore extends AsyncDisposable, Pick<StoreScheduler, 'readFiles' | 'readSegment' | 'workers'> {
  readonly added: Readonly<Added>
  /** Whether the blob is stored or about to be: it may be referred to. */
  has(id: Uint8Array): boolean
  /**
   * Stores chunks of data that the caller has cut, as far as they are new. Returns their records;
   * resolves when the workers can take more. The bytes may be reused afterwards.
   */
  storeChunks(bytes: Uint8Array, ends: readonly number[]): Promise<Uint8Array>
  /** Stores a tree blob if it is new; the bytes may be reused afterwards. Returns its id. */
  saveTree(bytes: Uint8Array): Uint8Array
  /** The same for a data blob that is no chunk of a file. */
  saveData(bytes: Uint8Array): Uint8Array
  /** Resolves when everything so far is durable and indexed. */
  flush(): Promise<void>
  /**
   * For who gives up: indexes the packs that are durable, so that the next session refers to them
   * and does not store them again. Bounded in time, and takes nothing more. Resolves to the bytes
   * of this session's packs that the index states, or to 0 where it could not be done.
   */
  keepStored(): Promise<number>
}

/** Who was asked to stop is not to be waited for much longer. */
const KEEP_MS = 8000

/** Memory a worker reads into, twice: one half is read while the other's chunks are decided on. */
const SLOTS = 2
const SLOT_BYTES = 8 * 1024 * 1024
/** A file up to this size is read together with others. */
export const SMALL_FILE_BYTES = SLOT_BYTES / 4
/** Files of so many bytes make a batch, which leaves room for those that have grown. */
export const BATCH_BYTES = SLOT_BYTES / 2

export async function openBlobStore(repository: Repository, session: Session, options: StoreOptions): Promise<BlobStore> {
  const { keyring, config, backend } = repository
  const { signal } = options
  const catalogue = await repository.catalogue()
  const group = keyring.group
  const blobIdKeys = { data: keyring.blobId(group, 'data'), tree: keyring.blobId(group, 'tree') }
  const hashes = { data: keyedHash(blobIdKeys.data), tree: keyedHash(blobIdKeys.tree) }
  const added: Added = { blobs: 0, plainBytes: 0, storedBytes: 0 }
  /** Blobs of this session that no index object states yet. */
  const claimed = new IdSet()
  const gatherers = {
    data: blobGatherer(config.frameBytes, (bytes, records) => scheduler.sealBlobs('data', bytes, records)),
    tree: blobGatherer(config.frameBytes, (bytes, records) => scheduler.sealBlobs('tree', bytes, records)),
  }

  const has = (id: Uint8Array): boolean => claimed.has(id) || catalogue.has(id)
  const claim = (records: Uint8Array, at: number): boolean => {
    const id = records.subarray(at, at + ID_BYTES)
    if (claimed.has(id) || catalogue.has(id)) return false
    claimed.add(id)
    added.blobs++
    added.plainBytes += dataView(records).getUint32(at + ID_BYTES, true)
    return true
  }

  const releaseClaims = (packs: readonly PackEntry[]): void => {
    for (const pack of packs) for (let at = 0; at < pack.blobs.length; at += BLOB_RECORD_BYTES) claimed.delete(pack.blobs, at)
  }
  const indexWriter = createIndexWriter({ backend, catalogue, keyring, signal, isFresh: () => session.index.deadPacks === 0, onIndexed: releaseClaims })
  const packWriter = createSessionPacks(repository, session, { signal, onDurable: indexWriter.add })
  let failure: Error | undefined

  const scheduler = await startScheduler({
    threads: options.threads,
    init: {
      chunker: config.chunker,
      repositoryId: keyring.repositoryId,
      dataKey: session.dataKey,
      blobIdKeys,
      level: options.level,
      frameBytes: config.frameBytes,
      slots: SLOTS,
      slotBytes: SLOT_BYTES,
      verifyFraction: options.verifyFraction,
    },
    signal,
    claim,
    onFrame(shape: FrameShape, bytes, records) {
      added.storedBytes += bytes.length
      if (!options.dryRun) packWriter.add(shape, bytes, records)
    },
    gate: () => (packWriter.isReady() ? undefined : packWriter.ready()),
    onFailure: (error) => {
      failure ??= error
    },
  })

  const save = (type: BlobType, bytes: Uint8Array): Uint8Array => {
    if (failure !== undefined) throw failure
    const record = new Uint8Array(BLOB_RECORD_BYTES)
    record.set(hashes[type](bytes))
    dataView(record).setUint32(ID_BYTES, bytes.length, true)
    if (claim(record, 0)) gatherers[type].add(bytes, record)
    return record.subarray(0, ID_BYTES)
  }

  return {
    added,
    workers: scheduler.workers,
    readFiles: scheduler.readFiles,
    readSegment: scheduler.readSegment,
    has,
    async storeChunks(bytes, ends) {
      const records = new Uint8Array(ends.length * BLOB_RECORD_BYTES)
      const fresh: number[] = []
      for (const [i, end] of ends.entries()) {
        const chunk = bytes.subarray(ends[i - 1] ?? 0, end)
        records.set(hashes.data(chunk), i * BLOB_RECORD_BYTES)
        dataView(records).setUint32(i * BLOB_RECORD_BYTES + ID_BYTES, chunk.length, true)
        if (claim(records, i * BLOB_RECORD_BYTES)) fresh.push(i)
      }
      const joined = Buffer.concat(fresh.map((i) => bytes.subarray(ends[i - 1] ?? 0, ends[i])))
      const ownRecords = Buffer.concat(fresh.map((i) => records.subarray(i * BLOB_RECORD_BYTES, (i + 1) * BLOB_RECORD_BYTES)))
      if (fresh.length > 0) await scheduler.storeBlobs('data', new Uint8Array(joined), new Uint8Array(ownRecords))
      if (failure !== undefined) throw failure
      return records
    },
    saveTree: (bytes) => save('tree', bytes),
    saveData: (bytes) => save('data', bytes),
    async flush() {
      gatherers.data.flush()
      gatherers.tree.flush()
      await scheduler.flush()
      if (options.dryRun) return
      await packWriter.finish()
      await indexWriter.finish()
    },
    async keepStored() {
      if (options.dryRun) return 0
      const limit = AbortSignal.timeout(KEEP_MS)
      const keep = async (): Promise<number> => {
        await packWriter.stop()
        await indexWriter.rescue(limit)
        return indexWriter.indexedBytes
      }
      const tooLate = new Promise<number>((resolve) => limit.addEventListener('abort', () => resolve(0), { once: true }))
      return Promise.race([keep().catch(() => 0), tooLate])
    },
    [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose](),
  }
}

/** Gathers blobs of one type until they fill a frame, so that a message carries many. */
function blobGatherer(frameBytes: number, send: (bytes: Uint8Array<ArrayBuffer>, records: Uint8Array<ArrayBuffer>) => void): { add(bytes: Uint8Array, record: Uint8Array): void; flush(): void } {
  let blobs: Uint8Array[] = []
  let records: Uint8Array[] = []
  let length = 0
  const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
    const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }
  const flush = (): void => {
    if (blobs.length === 0) return
    send(joined(blobs), joined(records))
    blobs = []
    records = []
    length = 0
  }
  return {
    add(bytes, record) {
      blobs.push(bytes.slice())
      records.push(record)
      length += bytes.length
      if (length >= frameBytes) flush()
    },
    flush,
  }
}
