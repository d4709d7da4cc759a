/**
 * Damaged packs: what still opens is written to new packs and read back, and the index is restated
 * without the damaged ones, which the next prune then removes. Tree blobs that do not open are taken
 * from this machine's catalogue, if it has seen them. What is lost is in no index object any more: so
 * the next backup stores it anew, if it meets it, and check tells which files lack it until then.
 */
import { keyedHash, type KeyedHash } from '../../crypto/hash.ts'
import { IdSet } from '../../util/id-set.ts'
import { dataView, equalBytes } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { type BlobCopier, openBlobCopier } from '../../repository/blob-copier.ts'
import { ID_BYTES } from '../../repository/format.ts'
import { loadIndex } from '../../repository/index-loader.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from '../../repository/pack-entry.ts'
import { createPackVerifier } from '../../repository/pack-verifier.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import { loadSnapshots } from '../../snapshot/snapshots.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import type { Sufferer } from '../finding.ts'
import { requireOwner } from '../owner.ts'
import { replaceIndexObjects } from '../prune/reindex.ts'
import { chosenBlobs } from '../prune/repack.ts'
import { findDamagedPacks, type PacksOptions } from './find-packs.ts'
import { inRepairSession, requireIndex } from './in-session.ts'
import { collectLosses, sufferersOf } from './lost-blobs.ts'
import { createSalvager } from './salvage.ts'
import type { LeftObject } from './types.ts'

export interface PacksRepair {
  readonly damaged: readonly LeftObject[]
  /** Blobs that still open, those that this machine's catalogue gave included. */
  readonly savedBlobs: number
  /** Of them, tree blobs that the catalogue gave. */
  readonly fromCatalogue: number
  readonly savedBytes: number
  /** Blobs that are nowhere else either, whether a snapshot needs them or not. */
  readonly lostBlobs: number
  /** What of snapshots needs them. */
  readonly suffers: readonly Sufferer[]
  /** Packs that were written. */
  readonly written: number
  /** Damaged packs that are left as they are. */
  readonly left: readonly LeftObject[]
}

/** @throws {BackupError} OWNER_NEEDED; REPAIR_REFUSED - the index is damaged; INVALID_ARGUMENT */
export async function repairPacks(repository: Repository, options: PacksOptions): Promise<PacksRepair> {
  requireOwner(repository, 'repair packs')
  const { signal } = options
  const { group } = repository.keyring
  const index = await requireIndex(repository, signal)
  const damaged = await findDamagedPacks(repository, index, options)
  const told = [...damaged].map(([packId, message]): LeftObject => ({ object: `packs/${packId}`, message }))
  const own = new Set(index.objects.flatMap((object) => (object.group === group && !object.isReplaced ? object.packs.map((pack) => pack.packId) : [])))
  const left = told.filter(({ object }) => !own.has(object.slice('packs/'.length))).map(({ object }) => ({ object, message: 'it is of a writer\'s group, whose blobs only that writer can store anew: back up there again' }))
  const nothing = { damaged: told, savedBlobs: 0, fromCatalogue: 0, savedBytes: 0, lostBlobs: 0, suffers: [], written: 0, left }
  const bad = new Set([...damaged.keys()].filter((packId) => own.has(packId)))
  if (bad.size === 0) return nothing

  const saved = await inRepairSession(repository, options, async (session, place) => {
    await using verifier = createPackVerifier(place, options.threads, signal)
    await using copier = options.apply === true ? await openBlobCopier(place, session, { threads: options.threads, verifier, signal }) : undefined
    const saved = await saveWhatOpens(place, { index, bad, copier, options })
    if (copier === undefined) return { ...saved, written: 0 }
    await copier.finish()
    await replaceIndexObjects(place, await requireIndex(place, signal), bad, signal)
    return { ...saved, written: copier.written.length }
  })
  const { notSaved, ...sums } = saved
  const { lost, suffers } = await whatIsLost(repository, notSaved, bad, signal)
  return { ...nothing, ...sums, lostBlobs: lost, suffers }
}

interface Saving {
  readonly index: StatedIndex
  readonly bad: ReadonlySet<string>
  readonly copier: BlobCopier | undefined
  readonly options: PacksOptions
}

async function saveWhatOpens(repository: Repository, { index, bad, copier, options }: Saving): Promise<{ savedBlobs: number; savedBytes: number; fromCatalogue: number; notSaved: IdSet }> {
  const { group } = repository.keyring
  const { signal } = options
  const salvage = createSalvager(repository, group, signal)
  const trees = await openTreeReader(repository)
  const hash = keyedHash(repository.keyring.blobId(group, 'tree'))
  const saved = new IdSet()
  const notSaved = new IdSet()
  let [savedBytes, fromCatalogue] = [0, 0]
  for await (const entry of index.entries(group)) {
    if (!bad.has(entry.packId)) continue
    options.onEvent?.({ type: 'object', name: `packs/${entry.packId}` })
    const view = dataView(entry.blobs)
    for await (const { frame, from, to, plaintext, good } of salvage(entry)) {
      const fresh = good.filter((at) => saved.add(entry.blobs, at))
      for (const at of fresh) {
        savedBytes += view.getUint32(at + ID_BYTES, true)
        // Another pack may not have given it.
        notSaved.delete(entry.blobs, at)
      }
      if (fresh.length > 0) await copier?.add(frame.blobType, ...chosenBlobs(entry.blobs, { from, to }, plaintext!, new Set(fresh)))
      const isGood = new Set(good)
      for (let at = from; at < to; at += BLOB_RECORD_BYTES) {
        if (isGood.has(at) || saved.has(entry.blobs, at)) continue
        const bytes = frame.blobType === 'tree' ? await seenTree(trees, hash, idAt(entry, at)) : undefined
        if (bytes === undefined) {
          notSaved.add(entry.blobs, at)
          continue
        }
        saved.add(entry.blobs, at)
        savedBytes += bytes.length
        fromCatalogue++
        await copier?.add('tree', new Uint8Array(bytes), entry.blobs.slice(at, at + BLOB_RECORD_BYTES) as Uint8Array<ArrayBuffer>)
      }
    }
  }
  return { savedBlobs: saved.size, savedBytes, fromCatalogue, notSaved }
}

function idAt(entry: PackEntry, at: number): Uint8Array {
  return entry.blobs.slice(at, at + ID_BYTES)
}

/** A tree blob from the catalogue, or from another pack; what it holds is believed only by its id. */
async function seenTree(trees: TreeReader, hash: KeyedHash, id: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    const bytes = await trees.bytes(id)
    return equalBytes(hash(bytes), id) ? bytes : undefined
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
    return undefined
  }
}

/** Of what the damaged packs did not give, that which no other pack holds. */
async function whatIsLost(repository: Repository, notSaved: IdSet, bad: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<{ lost: number; suffers: Sufferer[] }> {
  if (notSaved.size === 0) return { lost: 0, suffers: [] }
  const { catalogue } = await loadIndex(repository, { signal, referring: { condemned: new Set() } })
  const isThere = (id: Uint8Array): boolean => catalogue.locate(id).some((at) => !bad.has(at.pack.packId))
  let lost = 0
  for (const id of notSaved) if (!isThere(id)) lost++
  const { snapshots } = await loadSnapshots(repository, { signal })
  const isGood = (id: Uint8Array): boolean => !notSaved.has(id) || isThere(id)
  const { losses } = await collectLosses(await openTreeReader(repository), snapshots, isGood, signal)
  return { lost, suffers: sufferersOf(losses) }
}
