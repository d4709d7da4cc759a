/**
 * Content that comes once, from a pipe: it is cut here, and compressed by the workers. Several
 * stretches are with them at once, so that one core cuts while the others compress.
 */
import { createChunker } from '../chunker/fastcdc.ts'
import type { BlobStore } from '../repository/blob-store.ts'
import type { Repository } from '../repository/repository.ts'
import { isBackupError, BackupError } from '../util/errors.ts'
import { type FileContent, createContentGatherer } from './file-content.ts'
import type { SourceStream } from './source-paths.ts'

export interface StreamReader {
  /** Reads it to its end; asked again, answers the same. */
  read(stream: SourceStream, onBytes: (bytes: number) => void): Promise<FileContent>
}

const STRETCH_BYTES = 4 * 1024 * 1024

/** What has come of streams in this run: a walk may be repeated, and a stream may not. */
const outcomes = new WeakMap<SourceStream, FileContent>()

export interface StreamReaderOptions {
  readonly repository: Repository
  readonly store: BlobStore
  readonly saveTree: (blob: Uint8Array) => Uint8Array
  /** Whether content that was stored may still be referred to. */
  readonly isLive: (read: FileContent) => Promise<boolean>
}

export function createStreamReader(options: StreamReaderOptions): StreamReader {
  return {
    async read(stream, onBytes) {
      const before = outcomes.get(stream)
      if (before !== undefined && (await options.isLive(before))) return before
      if (before !== undefined) throw new BackupError('SESSION_FENCED', 'the input cannot be read again, and a prune has condemned what was stored of it; run the backup again', { retryable: true })
      const outcome = await readStream(options, stream, onBytes)
      outcomes.set(stream, outcome)
      return outcome
    },
  }
}

async function readStream({ repository, store, saveTree }: StreamReaderOptions, stream: SourceStream, onBytes: (bytes: number) => void): Promise<FileContent> {
  const { chunker: params } = repository.config
  const chunker = createChunker(params)
  const buffer = chunker.allocate(STRETCH_BYTES + params.maxBytes)
  const gathered = createContentGatherer(saveTree)
  const onTheirWay: Promise<Uint8Array>[] = []
  let length = 0

  const takeOldest = async (): Promise<void> => {
    const records = await onTheirWay.shift()!
    gathered.add(records)
  }
  const cut = async (isEnd: boolean): Promise<void> => {
    const bytes = buffer.bytes()
    const ends = buffer.cut(0, length, isEnd)
    const end = ends.at(-1) ?? 0
    if (end === 0) return
    const stored = store.storeChunks(bytes.subarray(0, end), [...ends])
    stored.catch(() => undefined)
    onTheirWay.push(stored)
    buffer.bytes().copyWithin(0, end, length)
    length -= end
    onBytes(end)
    while (onTheirWay.length > store.workers + 1) await takeOldest()
  }

  try {
    for await (const chunk of stream.chunks) {
      for (let at = 0; at < chunk.length; ) {
        const room = buffer.bytes()
        const taken = Math.min(chunk.length - at, room.length - length)
        room.set(chunk.subarray(at, at + taken), length)
        length += taken
        at += taken
        if (length === room.length) await cut(false)
      }
    }
    await stream.finish()
    await cut(true)
    while (onTheirWay.length > 0) await takeOldest()
  } catch (error) {
    if (isBackupError(error) || !(error instanceof Error) || !('code' in error)) throw error
    throw new BackupError('SOURCE_FAILED', `the input cannot be read: ${error.message}; no snapshot was made`, { cause: error })
  } finally {
    buffer.free()
  }
  return { ...gathered.finish(), hasChanged: false }
}
