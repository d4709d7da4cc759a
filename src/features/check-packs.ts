/**
 * Reading packs whole: every frame is opened and every blob compared with its id, by the workers.
 * What an index object says of its packs comes from the object itself, a few packs at a time, so
 * memory does not grow with the repository.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError, messageOf } from '../util/errors.ts'
import { toHex } from '../util/bytes.ts'
import { openDataKeys } from '../repository/blob-reader.ts'
import type { DataKey } from '../repository/envelope.ts'
import { decodeIndex } from '../repository/index-object.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { startOpenPool } from '../repository/open-pool.ts'
import { ID_BYTES } from '../repository/format.ts'
import { blobEntries, type PackEntry } from '../repository/pack-entry.ts'
import type { Repository } from '../repository/repository.ts'
import type { CheckEvent, ReadData } from './finding.ts'
import { type Stretch, stretchesOf } from './pack-stretches.ts'

export interface PackTrouble {
  readonly packId: string
  readonly messages: readonly string[]
  /** Ids, in hex, of the blobs that this pack does not give back. */
  readonly lostBlobs: readonly string[]
}

export interface PacksRead {
  readonly packs: number
  readonly bytes: number
  readonly troubles: readonly PackTrouble[]
}

export interface ReadPacksOptions {
  readonly listed: ReadonlyMap<string, number>
  readonly readData: ReadData
  readonly threads: number
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: CheckEvent) => void) | undefined
}

export async function readPacks(repository: Repository, options: ReadPacksOptions): Promise<PacksRead> {
  const { backend, keyring } = repository
  const chosen = choosePacks(options.listed, options.readData)
  let total = 0
  for (const packId of chosen) total += options.listed.get(packId)!
  options.onEvent?.({ type: 'expectation', packs: chosen.size, bytes: total })
  await using pool = await startOpenPool(options.threads, { repositoryId: keyring.repositoryId, targetFd: -1 })
  const dataKeys = openDataKeys(repository)
  const troubles: PackTrouble[] = []
  let packs = 0
  let bytes = 0

  const readOne = async ({ entry, group }: { entry: PackEntry; group: number }): Promise<{ entry: PackEntry; messages: string[]; lost: ReadonlySet<number> }> => {
    options.onEvent?.({ type: 'object', name: `packs/${entry.packId}` })
    const messages: string[] = []
    const lost = new Set<number>()
    const keyOf = (envelope: number): DataKey => dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope })
    try {
      const statement = { packId: entry.packId, sizeBytes: entry.sizeBytes, directory: keyOf(0), frames: entry.frames, records: entry.blobs }
      const load = async (stretch: Stretch): Promise<{ stretch: Stretch; bytes: Uint8Array }> => {
        const bytes = await backend.load({ type: 'packs', name: entry.packId }, { offset: stretch.offset, length: stretch.length }, { signal: options.signal, memory: pool.memory })
        options.onEvent?.({ type: 'bytes', bytes: bytes.length })
        return { stretch, bytes }
      }
      await pool.withPack(async (verify) => {
        const take = async (stretch: Stretch, bytes: Uint8Array): Promise<void> => {
          const { offset, frames, records, first, isLast } = stretch
          const reply = await verify({
            bytes: bytes as Uint8Array<ArrayBuffer>,
            blobIdKeys: { data: keyring.blobId(group, 'data'), tree: keyring.blobId(group, 'tree') },
            frames: frames.map((frame) => ({ ...frame, at: frame.offset - offset, dataKey: keyOf(frame.envelope) })),
            records: records.slice(),
            blobCounts: frames.map((frame) => frame.blobCount),
            end: isLast ? statement : undefined,
          })
          messages.push(...reply.packProblems)
          for (const [number, message] of reply.frameProblems) {
            messages.push(`frame ${first + number}: ${message}`)
            lost.add(first + number)
          }
        }
        // One is verified while the next is on its way; they are handed over in their order.
        let taking = Promise.resolve()
        for await (const { stretch, bytes } of mapOrdered(stretchesOf(entry), { concurrency: 2, signal: options.signal }, load)) {
          const before = taking
          taking = take(stretch, bytes)
          taking.catch(() => undefined)
          await before
        }
        await taking
      })
      return { entry, messages, lost }
    } catch (error) {
      if (!isBackupError(error) || !['BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED', 'CORRUPT'].includes(error.code)) throw error
      return { entry, messages: [messageOf(error)], lost: new Set(entry.frames.keys()) }
    }
  }

  const entries = packEntries(repository, chosen, options.signal)
  // A pack in each worker's hands.
  for await (const { entry, messages, lost } of mapOrdered(entries, { concurrency: pool.workers, signal: options.signal }, readOne)) {
    packs++
    bytes += entry.sizeBytes
    if (messages.length > 0) troubles.push({ packId: entry.packId, messages, lostBlobs: blobsOfFrames(entry, lost) })
  }
  return { packs, bytes, troubles }
}

/** Entries of the chosen packs, each once, whatever number of index objects states it. */
async function* packEntries(repository: Repository, chosen: Set<string>, signal: AbortSignal | undefined): AsyncGenerator<{ entry: PackEntry; group: number }> {
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
