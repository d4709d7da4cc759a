/**
 * The list of what a backup could not save as it was. The first of it stand in the snapshot's record,
 * which is to stay small; where there are more, the whole list is stored like a file's content, in
 * data blobs that each hold some items. So neither writing nor reading it needs memory in proportion.
 */
import { asArray, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { dataView } from '../util/bytes.ts'
import { throwIfAborted } from '../util/errors.ts'
import { openBlobReader } from '../repository/blob-reader.ts'
import type { BlobStore } from '../repository/blob-store.ts'
import { loadReadableIndex } from '../repository/index-loader.ts'
import type { Repository } from '../repository/repository.ts'
import { CONTENT_RECORD_BYTES, type Content } from './content.ts'
import { createContentGatherer } from './file-content.ts'
import { SKIPPED_LIMIT, type Skipped, skippedFromCbor, skippedToCbor, type Snapshot } from './snapshot.ts'
import { openTreeReader } from './tree-reader.ts'

export interface SkippedList {
  readonly count: number
  /** 200 at most. */
  readonly first: readonly Skipped[]
  /** All of them, the first included; only where there are more than those. */
  readonly all: Content | undefined
}

export interface SkipLog {
  add(skipped: Skipped): void
  /** Ends the list. The store must be flushed before anything refers to it. */
  finish(): SkippedList
}

/** Items of about so many bytes make a blob. */
const BLOB_BYTES = 64 * 1024

export function createSkipLog(store: Pick<BlobStore, 'saveData'>, saveTree: (blob: Uint8Array) => Uint8Array): SkipLog {
  const first: Skipped[] = []
  const gathered = createContentGatherer(saveTree)
  let waiting: Skipped[] = []
  let waitingBytes = 0
  let count = 0

  const flush = (): void => {
    if (waiting.length === 0) return
    const blob = encodeCbor(waiting.map(skippedToCbor))
    const record = new Uint8Array(CONTENT_RECORD_BYTES)
    record.set(store.saveData(blob))
    dataView(record).setUint32(CONTENT_RECORD_BYTES - 4, blob.length, true)
    gathered.add(record)
    waiting = []
    waitingBytes = 0
  }

  const gather = (skipped: Skipped): void => {
    waiting.push(skipped)
    waitingBytes += skipped.path.length + skipped.reason.length + skipped.message.length
    if (waitingBytes >= BLOB_BYTES) flush()
  }

  return {
    add(skipped) {
      count++
      if (count <= SKIPPED_LIMIT) return void first.push(skipped)
      if (count === SKIPPED_LIMIT + 1) first.forEach(gather)
      gather(skipped)
    },
    finish() {
      flush()
      return { count, first, all: count > SKIPPED_LIMIT ? gathered.finish().content : undefined }
    },
  }
}

/**
 * Everything that the snapshot's backup could not save as it was, in no order that means anything.
 * @throws {BackupError} BLOB_MISSING, CORRUPT
 */
export async function* loadSkipped(repository: Repository, snapshot: Snapshot, options: { readonly signal?: AbortSignal | undefined } = {}): AsyncGenerator<Skipped> {
  if (snapshot.skippedAll === undefined) return yield* snapshot.skipped
  await loadReadableIndex(repository, { signal: options.signal, referring: 'as before' })
  const reader = await openBlobReader(repository)
  for await (const blobs of (await openTreeReader(repository)).content(snapshot.skippedAll)) {
    for (const { id } of blobs) {
      throwIfAborted(options.signal)
      yield* asArray(decodeCbor(await reader.load('data', id)), 'skipped').map(skippedFromCbor)
    }
  }
}
