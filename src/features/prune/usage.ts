/**
 * How much of each pack is used, by what the index states and the storage lists. Of a blob that lies
 * in several packs one copy counts as used: that in a pack that must stay anyway, if there is one.
 */
import { BitSet } from '../../util/bit-set.ts'
import { ID_BYTES } from '../../repository/format.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from '../../repository/pack-entry.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import { dataView, toHex } from '../../util/bytes.ts'
import type { GroupUse, UsedBlobs } from './used.ts'

export interface PackUsage {
  readonly packId: string
  readonly sizeBytes: number
  /** The group whose index states it; undefined when several do. */
  group: number | undefined
  readonly sid: string
  /** Stored bytes, each blob's share of its frame. */
  usedBytes: number
  unusedBytes: number
  largestBlob: number
  blobs: number
}

export interface Usage {
  /** Packs that are listed with the size that the index gives. */
  readonly packs: ReadonlyMap<string, PackUsage>
  /** Packs that the index states, but of another size, or not listed at all. */
  readonly dead: ReadonlyMap<string, { readonly sid: string; readonly group: number }>
  /** Whether a used blob has no copy in a live pack. */
  readonly isIncomplete: boolean
}

export async function packUsage(index: StatedIndex, listed: ReadonlyMap<string, number>, used: UsedBlobs): Promise<Usage> {
  const packs = new Map<string, PackUsage>()
  const dead = new Map<string, { sid: string; group: number }>()
  let isIncomplete = false
  for (const group of index.groups) {
    const copies = await countCopies(index, group, listed, used.get(group)!, dead)
    isIncomplete ||= copies.missing > 0
    const claimed = new BitSet(used.get(group)!.table.slots)
    for await (const entry of index.entries(group)) {
      if (listed.get(entry.packId) !== entry.sizeBytes) continue
      const pack = packs.get(entry.packId) ?? { packId: entry.packId, sizeBytes: entry.sizeBytes, group, sid: toHex(entry.session), usedBytes: 0, unusedBytes: 0, largestBlob: 0, blobs: 0 }
      if (pack.group !== group) pack.group = undefined
      packs.set(entry.packId, pack)
      pack.blobs = entry.blobs.length / BLOB_RECORD_BYTES
      addShares(pack, entry, used.get(group)!, (slot) => !copies.several.has(slot))
    }
    if (!copies.hasSeveral) continue
    // Copies of one blob: first those in packs with something that is nowhere else.
    for (const mustStay of [true, false]) {
      const before = new Set([...packs.values()].filter((pack) => pack.usedBytes > 0).map((pack) => pack.packId))
      for await (const entry of index.entries(group)) {
        const pack = packs.get(entry.packId)
        if (pack === undefined || listed.get(entry.packId) !== entry.sizeBytes || before.has(entry.packId) !== mustStay) continue
        addShares(pack, entry, used.get(group)!, (slot) => copies.several.has(slot) && claimed.add(slot), true)
      }
    }
  }
  return { packs, dead, isIncomplete }
}

interface Copies {
  /** Slots of used blobs with more than one copy. */
  readonly several: BitSet
  readonly hasSeveral: boolean
  readonly missing: number
}

async function countCopies(index: StatedIndex, group: number, listed: ReadonlyMap<string, number>, { table, used }: GroupUse, dead: Map<string, { sid: string; group: number }>): Promise<Copies> {
  const once = new BitSet(table.slots)
  const several = new BitSet(table.slots)
  let hasSeveral = false
  for await (const entry of index.entries(group)) {
    if (listed.get(entry.packId) !== entry.sizeBytes) {
      dead.set(entry.packId, { sid: toHex(entry.session), group })
      continue
    }
    for (let at = 0; at < entry.blobs.length; at += BLOB_RECORD_BYTES) {
      const slot = table.find(entry.blobs, at)
      if (!used.has(slot) || once.add(slot)) continue
      several.add(slot)
      hasSeveral = true
    }
  }
  let missing = 0
  for (let slot = 0; slot < table.slots; slot++) if (used.has(slot) && !once.has(slot)) missing++
  return { several, hasSeveral, missing }
}

/** @param moves - whether what counts now was counted as unused before */
function addShares(pack: PackUsage, entry: PackEntry, { table, used }: GroupUse, counts: (slot: number) => boolean, moves = false): void {
  const view = dataView(entry.blobs)
  let at = 0
  for (const frame of entry.frames) {
    for (let i = 0; i < frame.blobCount; i++, at += BLOB_RECORD_BYTES) {
      const length = view.getUint32(at + ID_BYTES, true)
      const share = frame.plainBytes === 0 ? 0 : (length / frame.plainBytes) * frame.storedBytes
      const slot = table.find(entry.blobs, at)
      pack.largestBlob = Math.max(pack.largestBlob, length)
      if (used.has(slot) && counts(slot)) {
        // An empty blob counts as well: a pack that holds it must not seem unused.
        pack.usedBytes += Math.max(share, 1)
        if (moves) pack.unusedBytes -= share
      } else if (!moves) pack.unusedBytes += share
    }
  }
}
