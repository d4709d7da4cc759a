/**
 * Content that comes as a stream becomes a file for a moment, which the store's workers read as any
 * other: so it is cut, and is a duplicate, as if it had been backed up. Small files gather and are
 * read together. On disk are at most a batch of small files and one large one.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { utf8 } from '../util/bytes.ts'
import { BackupError, errnoOf } from '../util/errors.ts'
import { AT_FDCWD, statAt } from '../util/posix/stat.ts'
import { type BlobStore, BATCH_BYTES, SMALL_FILE_BYTES } from '../repository/blob-store.ts'
import { createDeviceNumbers, nodeOfStat } from './file-node.ts'
import { mayHaveHoles } from './extents.ts'
import { extentsOf, type FileContent, type FileOutcome, readLargeFile, readSmallFiles, type SourceFile } from './file-content.ts'
import type { Node } from './node.ts'
import { NO_FOLDER } from './source-folder.ts'

export interface SpooledContent extends AsyncDisposable {
  /**
   * Takes the stream, and stores it now or with the next batch.
   * @param node - without content; given back with it
   */
  add<Key>(key: Key, node: Node, stream: AsyncIterable<Uint8Array>, onStored: (key: Key, node: Node) => Promise<void>): Promise<void>
  /** Stores what is still waiting. */
  flush(): Promise<void>
}

const BATCH_FILES = 256

interface Waiting {
  readonly file: SourceFile
  readonly place: string
  readonly onStored: (content: FileContent) => Promise<void>
}

/** @param folder - made, only for its owner, and removed at the end */
export function openSpooledContent(store: BlobStore, saveTree: (blob: Uint8Array) => Uint8Array, folder: string): SpooledContent {
  mkdirSync(folder, { mode: 0o700 })
  const devices = createDeviceNumbers()
  let waiting: Waiting[] = []
  let waitingBytes = 0
  let next = 0

  const settle = async (item: Waiting, outcome: FileOutcome): Promise<void> => {
    unlinkSync(item.place)
    if ('problem' in outcome) throw new BackupError('BACKEND_FAILED', `what was put aside cannot be read again: ${outcome.problem.message}`)
    await item.onStored(outcome)
  }

  const flush = async (): Promise<void> => {
    const batch = waiting
    waiting = []
    waitingBytes = 0
    if (batch.length === 0) return
    const outcomes = await readSmallFiles(store, batch.map(({ file }) => file), saveTree)
    for (const [i, item] of batch.entries()) await settle(item, outcomes[i]!)
  }

  return {
    flush,
    async add(key, node, stream, onStored) {
      const place = join(folder, String(next++))
      await spool(place, node, stream)
      const path = utf8(place)
      const stat = statAt(AT_FDCWD, path)
      const file: SourceFile = { path, name: path, folder: NO_FOLDER, node: nodeOfStat(path, stat, undefined, devices), mayHaveHoles: mayHaveHoles(stat.size, stat.blocks) }
      const item: Waiting = { file, place, onStored: ({ content, size, extents }) => onStored(key, { ...node, size, content, extents }) }
      const extents = file.mayHaveHoles ? extentsOf(file) : undefined
      if (node.size > SMALL_FILE_BYTES || extents !== undefined) {
        // In the order in which they came: of two with one key the later counts.
        await flush()
        return settle(item, await readLargeFile(store, file, extents, saveTree, () => undefined))
      }
      waiting.push(item)
      waitingBytes += node.size
      if (waiting.length >= BATCH_FILES || waitingBytes + SMALL_FILE_BYTES > BATCH_BYTES) await flush()
    },
    [Symbol.asyncDispose]: () => {
      rmSync(folder, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}

/** Each extent where it belongs; between them the file system keeps holes. */
async function spool(place: string, node: Node, stream: AsyncIterable<Uint8Array>): Promise<void> {
  const fd = openSync(place, 'wx', 0o600)
  try {
    const extents = node.extents ?? [{ offset: 0, length: node.size }]
    let at = 0
    let done = 0
    for await (const bytes of stream) {
      for (let from = 0; from < bytes.length; ) {
        while (at < extents.length - 1 && done === extents[at]!.length) {
          at++
          done = 0
        }
        const { offset, length } = extents[at]!
        const count = writeSync(fd, bytes, from, Math.min(bytes.length - from, length - done), offset + done)
        from += count
        done += count
      }
    }
    if (node.extents !== undefined) ftruncateSync(fd, node.size)
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOSPC') throw cause
    throw new BackupError('BACKEND_FULL', `there is no room in ${place.replace(/\/[^/]*$/, '')} to put a file of ${node.size} bytes aside; name another folder with --cache-dir`, { cause })
  } finally {
    closeSync(fd)
  }
}
