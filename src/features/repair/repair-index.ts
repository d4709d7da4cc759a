/**
 * The index made again from what packs say of themselves: every listed pack that no sound index object
 * states is stated, from its own directory, and damaged index objects are named as replaced, so that
 * readers pass them over and the next prune removes them. What is sound is left as it is.
 *
 * The object that names the damaged ones is written last: until everything is stated they still stand
 * in the way of a prune.
 */
import { isBackupError, throwIfAborted } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import { readNewestGeneration } from '../../repository/gc-generations.ts'
import { encodeIndex } from '../../repository/index-object.ts'
import { listPacks } from '../../repository/index-loader.ts'
import { createHashed, splitName } from '../../repository/objects.ts'
import { type OwnEntry, loadPackEntry } from '../../repository/pack-directory.ts'
import { blobCount, type PackEntry } from '../../repository/pack-entry.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import { requireOwner } from '../owner.ts'
import { inRepairSession, readTolerantIndex } from './in-session.ts'
import type { LeftObject, RepairOptions } from './types.ts'

export interface IndexRepair {
  /** Index objects that do not open and are replaced. */
  readonly damaged: readonly LeftObject[]
  /** Packs that are stated anew, and the blobs in them. */
  readonly packs: number
  readonly blobs: number
  /** Packs that no index object states and that do not say what they hold. */
  readonly unreadable: readonly LeftObject[]
  /** Index objects that were written. */
  readonly written: number
}

/** As many as a backup puts into one. */
const BLOBS_PER_INDEX = 200_000
const PACKS_PER_INDEX = 4096
/** Directories may be large. */
const DIRECTORIES_AT_ONCE = 4

/** @throws {BackupError} OWNER_NEEDED; when a list fails */
export async function repairIndex(repository: Repository, options: RepairOptions): Promise<IndexRepair> {
  requireOwner(repository, 'repair the index')
  return inRepairSession(repository, options, (_session, place) => restate(place, options))
}

async function restate(repository: Repository, options: RepairOptions): Promise<IndexRepair> {
  const { signal, onEvent } = options
  // Packs first: whatever is stated by then was written before.
  const listed = await listPacks(repository.backend, signal)
  const index = await readTolerantIndex(repository, signal)
  const wanted = await unstatedPacks(repository, listed, index, signal)
  onEvent?.({ type: 'expectation', objects: wanted.length, bytes: 0 })
  const writer = indexWriter(repository, index.problems.map(({ name }) => name), options)
  const unreadable: LeftObject[] = []
  let [packs, blobs] = [0, 0]
  for await (const { packId, found } of mapOrdered(wanted, { concurrency: DIRECTORIES_AT_ONCE, signal }, (packId) => readOne(repository, packId, listed.get(packId)!, signal))) {
    onEvent?.({ type: 'object', name: `packs/${packId}` })
    if (found === undefined) continue
    if ('message' in found) {
      unreadable.push({ object: `packs/${packId}`, message: found.message })
      continue
    }
    packs++
    blobs += blobCount(found.entry)
    await writer.add(found)
  }
  await writer.finish()
  return { damaged: index.problems.map(({ name, message }) => ({ object: `index/${name}`, message })), packs, blobs, unreadable, written: writer.written() }
}

/** Those that an unfinished verdict deletes are on their way out, and nothing that is kept needs them. */
async function unstatedPacks(repository: Repository, listed: ReadonlyMap<string, number>, index: StatedIndex, signal: AbortSignal | undefined): Promise<string[]> {
  const stated = new Set(index.objects.flatMap((object) => (object.isReplaced ? [] : object.packs.map((pack) => pack.packId))))
  const verdict = (await readNewestGeneration(repository, signal))?.verdict
  for (const packId of verdict === undefined || verdict === 'damaged' ? [] : verdict.packs) stated.add(packId)
  return [...listed.keys()].filter((packId) => !stated.has(packId)).sort()
}

/** undefined when it is gone by now. */
async function readOne(repository: Repository, packId: string, sizeBytes: number, signal: AbortSignal | undefined): Promise<{ packId: string; found: OwnEntry | { message: string } | undefined }> {
  try {
    return { packId, found: await loadPackEntry(repository, packId, sizeBytes, signal) }
  } catch (error) {
    if (isBackupError(error, 'BACKEND_NOT_FOUND')) return { packId, found: undefined }
    if (!isBackupError(error) || !['CORRUPT', 'BACKEND_TRUNCATED', 'REPOSITORY_VERSION'].includes(error.code)) throw error
    return { packId, found: { message: error.message } }
  }
}

interface Writer {
  add(found: OwnEntry): Promise<void>
  finish(): Promise<void>
  written(): number
}

function indexWriter({ backend, keyring }: Repository, damaged: readonly string[], { signal }: RepairOptions): Writer {
  const waiting = new Map<number, { packs: PackEntry[]; blobs: number }>()
  let written = 0
  const write = async (group: number, replaces: readonly string[]): Promise<void> => {
    throwIfAborted(signal)
    const packs = waiting.get(group)?.packs ?? []
    waiting.delete(group)
    const { name, bytes } = encodeIndex(keyring, group, { packs, replaces })
    await createHashed(backend, { type: 'index', name }, bytes, { what: 'nothing refers to it; run the repair again', signal })
    written++
  }
  return {
    written: () => written,
    async add({ group, entry }) {
      const gathered = waiting.get(group) ?? { packs: [], blobs: 0 }
      waiting.set(group, gathered)
      if (gathered.packs.length > 0 && (gathered.packs.length >= PACKS_PER_INDEX || gathered.blobs + blobCount(entry) > BLOBS_PER_INDEX)) {
        await write(group, [])
        waiting.set(group, { packs: [entry], blobs: blobCount(entry) })
        return
      }
      gathered.packs.push(entry)
      gathered.blobs += blobCount(entry)
    },
    async finish() {
      const last = new Map<number, string[]>([...waiting.keys()].map((group) => [group, []]))
      for (const name of damaged) {
        const { group, id } = splitName(name)
        last.set(group, [...(last.get(group) ?? []), id])
      }
      for (const [group, replaces] of last) await write(group, replaces)
    },
  }
}
