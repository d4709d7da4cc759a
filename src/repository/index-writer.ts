/**
 * Writes index objects for packs that are durable: every few packs, so that an interrupted backup
 * has lost little, and at the end. What is indexed goes into the catalogue, and only then are the
 * session's own notes of it dropped: at every moment one of the two knows each blob.
 */
import type { Backend } from '../backend/backend.ts'
import type { Catalogue } from './catalogue/catalogue.ts'
import { encodeIndex } from './index-object.ts'
import type { Keyring } from './keyring.ts'
import { createHashed } from './objects.ts'
import { blobCount, type PackEntry } from './pack-entry.ts'

export interface IndexWriterOptions {
  readonly backend: Backend
  readonly catalogue: Catalogue
  readonly keyring: Keyring
  readonly signal: AbortSignal | undefined
  /** Whether the catalogue knows no place, not even a dead one, of what is stored now. */
  readonly isFresh: () => boolean
  /** Called with packs that the catalogue knows from now on. */
  readonly onIndexed: (packs: readonly PackEntry[]) => void
}

export interface IndexWriter {
  add(pack: PackEntry): void
  /** Indexes what has gathered; resolves when all is durable and in the catalogue. */
  finish(): Promise<void>
  /** The same after a failure, whatever became of what was begun before; the signal is this call's own. */
  rescue(signal: AbortSignal): Promise<void>
  /** Bytes of the packs that index objects state by now. */
  readonly indexedBytes: number
}

const PACKS_PER_INDEX = 8
const BLOBS_PER_INDEX = 100_000

export function createIndexWriter(options: IndexWriterOptions): IndexWriter {
  let waiting: PackEntry[] = []
  const unindexed = new Set<PackEntry>()
  let blobs = 0
  let indexedBytes = 0
  let writing: Promise<void> = Promise.resolve()

  const writeAll = async (packs: readonly PackEntry[], signal: AbortSignal | undefined): Promise<void> => {
    await writeIndex({ ...options, signal }, packs)
    for (const pack of packs) {
      unindexed.delete(pack)
      indexedBytes += pack.sizeBytes
    }
  }

  const write = (): Promise<void> => {
    const packs = waiting
    waiting = []
    blobs = 0
    if (packs.length > 0) {
      writing = writing.then(() => writeAll(packs, options.signal))
      // Failures show at `finish`, which every session ends with.
      writing.catch(() => undefined)
    }
    return writing
  }

  return {
    add(pack) {
      waiting.push(pack)
      unindexed.add(pack)
      blobs += blobCount(pack)
      if (waiting.length >= PACKS_PER_INDEX || blobs >= BLOBS_PER_INDEX) void write()
    },
    finish: write,
    async rescue(signal) {
      await writing.catch(() => undefined)
      if (unindexed.size > 0) await writeAll([...unindexed], signal)
    },
    get indexedBytes() {
      return indexedBytes
    },
  }
}

async function writeIndex(options: IndexWriterOptions, packs: readonly PackEntry[]): Promise<void> {
  const { name, bytes } = encodeIndex(options.keyring, options.keyring.group, { packs, replaces: [] })
  await createHashed(options.backend, { type: 'index', name }, bytes, { what: 'nothing refers to it; run it again', signal: options.signal })
  await options.catalogue.absorb(name, bytes.length, packs, options.isFresh())
  options.onIndexed(packs)
}
