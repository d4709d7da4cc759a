/**
 * Reading packs whole: every frame is opened and every blob compared with its id, by the workers.
 * What an index object says of its packs comes from the object itself, a few packs at a time, so
 * memory does not grow with the repository.
 */
import { monotonicMs } from '../util/clock.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError } from '../util/errors.ts'
import { toHex } from '../util/bytes.ts'
import { decodeIndex } from '../repository/index-object.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { ID_BYTES } from '../repository/format.ts'
import { blobEntries, type PackEntry } from '../repository/pack-entry.ts'
import { createPackVerifier, type PackFindings } from '../repository/pack-verifier.ts'
import type { Repository } from '../repository/repository.ts'
import { duePacks, entriesByAge } from './due-packs.ts'
import type { CheckEvent, ReadData } from './finding.ts'
import { openVerifiedPacks } from './verified-packs.ts'

export interface PackTrouble {
  readonly packId: string
  readonly messages: readonly string[]
  /** Ids, in hex, of the blobs that this pack does not give back. */
  readonly lostBlobs: readonly string[]
}

export interface PacksRead {
  readonly packs: number
  readonly bytes: number
  /** Passed over, because they were found sound lately. */
  readonly skipped: number
  /** Due, and not reached in time. */
  readonly left: number
  readonly troubles: readonly PackTrouble[]
}

export interface ReadPacksOptions {
  readonly listed: ReadonlyMap<string, number>
  readonly readData: ReadData
  readonly threads: number
  /** Pass over packs that this machine found sound less than this ago, and take the longest unverified first. */
  readonly maxAgeMs?: number | undefined
  /** Begin no pack after that long. */
  readonly maxDurationMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: CheckEvent) => void) | undefined
}

export async function readPacks(repository: Repository, options: ReadPacksOptions): Promise<PacksRead> {
  const started = monotonicMs()
  const all = choosePacks(options.listed, options.readData)
  const verified = await openVerifiedPacks(repository)
  const chosen = duePacks(all, verified, options.maxAgeMs)
  const isOver = (): boolean => options.maxDurationMs !== undefined && monotonicMs() - started >= options.maxDurationMs
  let total = 0
  for (const packId of chosen) total += options.listed.get(packId)!
  options.onEvent?.({ type: 'expectation', packs: chosen.size, bytes: total })
  await using verifier = createPackVerifier(repository, options.threads, options.signal)
  const troubles: PackTrouble[] = []
  let packs = 0
  let bytes = 0

  const readOne = async ({ entry, group }: { entry: PackEntry; group: number }): Promise<PackFindings & { entry: PackEntry }> => {
    options.onEvent?.({ type: 'object', name: `packs/${entry.packId}` })
    return { entry, ...(await verifier.read(entry, group, (bytes) => options.onEvent?.({ type: 'bytes', bytes }))) }
  }

  const isByAge = options.maxAgeMs !== undefined || options.maxDurationMs !== undefined
  const entries = isByAge ? entriesByAge(repository, chosen, { verified, isOver, signal: options.signal }) : packEntries(repository, chosen, options.signal)
  // A pack in each worker's hands; where answers take their time, another on its way.
  const concurrency = Math.max(1, options.threads) * (repository.backend.isRemote === true ? 2 : 1)
  for await (const { entry, messages, lostFrames } of mapOrdered(entries, { concurrency, signal: options.signal }, readOne)) {
    packs++
    bytes += entry.sizeBytes
    if (messages.length === 0) verified.note(entry.packId)
    else verified.forget(entry.packId)
    if (messages.length > 0) troubles.push({ packId: entry.packId, messages, lostBlobs: blobsOfFrames(entry, lostFrames) })
  }
  return { packs, bytes, skipped: all.size - chosen.size, left: chosen.size - packs, troubles }
}

/** Entries of the chosen packs that an index object states, each once, whatever number of index objects states it. */
export async function* packEntries(repository: Repository, chosen: ReadonlySet<string>, signal: AbortSignal | undefined): AsyncGenerator<{ entry: PackEntry; group: number }> {
  const left = new Set(chosen)
  for (const info of await listObjects(repository.backend, 'index', signal)) {
    const { group } = splitName(info.name)
    let packs: readonly PackEntry[]
    try {
      packs = decodeIndex(repository.keyring, info.name, await loadObject(repository.backend, info, signal), trustedWriters(repository, group)).packs
    } catch (error) {
      // Damaged index objects are findings of their own.
      if (isBackupError(error, 'CORRUPT') || isBackupError(error, 'BACKEND_NOT_FOUND')) continue
      throw error
    }
    for (const entry of packs) if (left.delete(entry.packId)) yield { entry, group }
  }
}

function blobsOfFrames(entry: PackEntry, frames: ReadonlySet<number>): string[] {
  const lost: string[] = []
  const wanted = new Set([...frames].map((number) => entry.frames[number]))
  for (const blob of blobEntries(entry)) if (wanted.has(blob.frame)) lost.push(toHex(blob.id.subarray(0, ID_BYTES)))
  return lost
}

function choosePacks(listed: ReadonlyMap<string, number>, readData: ReadData): Set<string> {
  const all = [...listed.keys()].sort()
  if (readData.kind === 'all') return new Set(all)
  if (readData.kind === 'part') return new Set(all.filter((packId) => Number.parseInt(packId.slice(0, 8), 16) % readData.of === readData.part - 1))
  // Names are hashes, but the same ones would be chosen every time.
  const shuffled = all.map((packId) => ({ packId, order: Math.random() })).sort((a, b) => a.order - b.order)
  const total = [...listed.values()].reduce((sum, size) => sum + size, 0)
  let left = readData.kind === 'bytes' ? readData.bytes : (total * readData.percent) / 100
  const chosen = new Set<string>()
  for (const { packId } of shuffled) {
    if (left <= 0) break
    chosen.add(packId)
    left -= listed.get(packId)!
  }
  return chosen
}
