/**
 * Step 5: what is really deleted, decided afresh from what is there now. Nothing that was found when
 * the plan was made is trusted, but for what cannot change: which blobs a snapshot refers to.
 *
 * A used blob must have a live copy in a pack that stays. Where a copy of it would go, another must
 * have been opened by this run and its id have matched; else the pack that would go is rescued. A
 * truncated, rotten or forged copy so never outlives the good one.
 */
import { BitSet } from '../../util/bit-set.ts'
import { BackupError } from '../../util/errors.ts'
import { type GcRecord } from '../../repository/gc-record.ts'
import type { Generation } from '../../repository/gc-generations.ts'
import type { GcState } from '../../repository/gc-state.ts'
import { listPacks } from '../../repository/index-loader.ts'
import { loadForgotten } from '../../repository/marker-loader.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from '../../repository/pack-entry.ts'
import type { PackVerifier } from '../../repository/pack-verifier.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import { loadRegisters } from '../../snapshot/registers.ts'
import { requireComplete } from './complete.ts'
import { isThere, readIndex } from './survey.ts'
import type { PruneOptions } from './types.ts'
import { findUsedBlobs, type GroupUse, type UsedBlobs } from './used.ts'

/** What this very run knows for certain. */
export interface Carried {
  readonly used: UsedBlobs
  /** Packs that it wrote and read back whole. */
  readonly verified: ReadonlySet<string>
}

export interface Decision {
  readonly verdict: GcRecord
  readonly rescued: readonly string[]
}

export interface DecideOptions extends PruneOptions {
  readonly plan: GcRecord
  /** This generation, whose plan says what must be listed. */
  readonly generation: Generation
  readonly gc: GcState
  readonly carried: Carried | undefined
  readonly verifier: PackVerifier
}

/** @throws {BackupError} PRUNE_REFUSED - a used blob has no copy at all, or something cannot be read */
export async function decide(repository: Repository, options: DecideOptions): Promise<Decision> {
  const { plan, gc, signal, carried } = options
  // What this very run has read does not change.
  const afresh = carried === undefined
  const registers = await loadRegisters(repository, gc.swept, { signal, afresh })
  const { forgotten } = await loadForgotten(repository, { signal, afresh })
  // A snapshot that was forgotten since the plan counts as kept: sessions may have referred to it.
  const sweep = plan.sweep.filter((name) => forgotten.has(name) && isThere(registers, name))
  const goes = new Set(sweep)
  const givenUp = requireComplete(registers, { last: options.generation, swept: gc.swept, lost: options.lost ?? [], sweep: goes })
  const index = await readIndex(repository, signal)
  const listed = await listPacks(repository.backend, signal)
  const kept = [...registers.snapshots].filter(([name]) => !goes.has(name)).map(([, snapshot]) => snapshot)
  const used = await findUsedBlobs(repository, index, kept, { known: carried?.used, signal })
  const condemned = new Set(plan.packs)
  const rescued = new Set<string>()
  for (const group of index.groups) await rescue({ ...options, index, group, use: used.get(group)!, listed, condemned, rescued })
  return {
    rescued: [...rescued],
    verdict: {
      packs: plan.packs.filter((packId) => !rescued.has(packId)),
      sweep,
      sweptBefore: [...gc.swept, ...givenUp],
      index: index.objects.filter((object) => object.isReplaced).map((object) => object.name),
    },
  }
}

interface GroupDecision extends DecideOptions {
  readonly index: StatedIndex
  readonly group: number
  readonly use: GroupUse
  readonly listed: ReadonlyMap<string, number>
  readonly condemned: ReadonlySet<string>
  /** Added to. */
  readonly rescued: Set<string>
}

async function rescue(task: GroupDecision): Promise<void> {
  const { index, group, condemned, rescued, onEvent } = task
  const places = await placesOf(task)
  if (places.missing > 0) {
    throw new BackupError('PRUNE_REFUSED', `${places.missing} blobs that snapshots use have no copy any more; the generation is closed and nothing was deleted. "nacre check" tells which files suffer`)
  }
  if (!places.hasDoubt) return
  const sure = await openCopies(task, places)
  for await (const entry of index.entries(group)) {
    if (!condemned.has(entry.packId) || rescued.has(entry.packId)) continue
    if (!slots(task.use, entry).some((slot) => task.use.used.has(slot) && !sure.has(slot))) continue
    rescued.add(entry.packId)
    onEvent?.({ type: 'kept', object: `packs/${entry.packId}`, reason: 'a snapshot uses a blob of it of which no other copy was found good' })
  }
}

interface Places {
  /** Blobs with a live copy in a pack that stays. */
  readonly stays: BitSet
  /** Blobs that a condemned pack holds by the index, whether it is live or not. */
  readonly goes: BitSet
  /** Used blobs without any live copy. */
  readonly missing: number
  /** Whether a used blob loses a copy. */
  readonly hasDoubt: boolean
}

async function placesOf({ index, group, use, listed, condemned }: GroupDecision): Promise<Places> {
  const stays = new BitSet(use.table.slots)
  const goes = new BitSet(use.table.slots)
  const goesLive = new BitSet(use.table.slots)
  for await (const entry of index.entries(group)) {
    const isLive = listed.get(entry.packId) === entry.sizeBytes
    const isCondemned = condemned.has(entry.packId)
    if (!isLive && !isCondemned) continue
    for (const slot of slots(use, entry)) {
      if (!isCondemned) stays.add(slot)
      else {
        goes.add(slot)
        if (isLive) goesLive.add(slot)
      }
    }
  }
  let missing = 0
  let hasDoubt = false
  for (let slot = 0; slot < use.table.slots; slot++) {
    if (!use.used.has(slot)) continue
    if (!stays.has(slot) && !goesLive.has(slot)) missing++
    hasDoubt ||= goes.has(slot)
  }
  return { stays, goes, missing, hasDoubt }
}

/** Blobs in doubt of which a copy that stays is good, for this run has opened it. */
async function openCopies(task: GroupDecision, { stays, goes }: Places): Promise<BitSet> {
  const { index, group, use, listed, condemned, carried, verifier, onEvent } = task
  const sure = new BitSet(use.table.slots)
  const inDoubt = (slot: number): boolean => use.used.has(slot) && goes.has(slot) && stays.has(slot) && !sure.has(slot)
  // Those that were read back already first: with them most is settled.
  for (const wereRead of [true, false]) {
    for await (const entry of index.entries(group)) {
      const isRead = carried?.verified.has(entry.packId) === true
      if (isRead !== wereRead || condemned.has(entry.packId) || listed.get(entry.packId) !== entry.sizeBytes) continue
      const found = slots(use, entry)
      if (!found.some(inDoubt)) continue
      const problem = isRead ? undefined : await verifier.verify(entry, group)
      if (problem === undefined) for (const slot of found) sure.add(slot)
      else onEvent?.({ type: 'kept', object: `packs/${entry.packId}`, reason: `it does not open (${problem}), so no other copy is dropped for it; "nacre check --read-data" tells what suffers` })
    }
  }
  return sure
}

function slots(use: GroupUse, entry: PackEntry): number[] {
  const found: number[] = []
  for (let at = 0; at < entry.blobs.length; at += BLOB_RECORD_BYTES) {
    const slot = use.table.find(entry.blobs, at)
    if (slot !== -1) found.push(slot)
  }
  return found
}
