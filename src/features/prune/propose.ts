/**
 * The pure part of deciding: given how much of each pack is used, which packs go, which are written
 * anew, and which stay. It decides nothing for good: what it proposes is looked at afresh before
 * anything is deleted.
 */
import { BLOBS_IN_PACK } from '../../repository/pack-writer.ts'
import type { Locks } from './locks.ts'
import type { Amount, LockedAmount, MaxUnused, PruneTotals } from './types.ts'
import type { PackUsage } from './usage.ts'

export interface ProposeInput {
  /** All packs that are listed, with their sizes. */
  readonly listed: ReadonlyMap<string, number>
  readonly usage: ReadonlyMap<string, PackUsage>
  /** Packs that the index states and that may not be used: of another size, or gone. */
  readonly dead: Iterable<string>
  /** Listed packs that no index object states and that may go. */
  readonly unindexed: Iterable<string>
  /** Whether the pack may belong to a session that is open. */
  readonly isOfOpenSession: (packId: string) => boolean
  readonly maxUnused: MaxUnused
  readonly maxRepackBytes: number
  readonly repackSmall: boolean
  /** What a pack is meant to reach. */
  readonly packBytes: number
  /** Only packs of this group are written anew. */
  readonly group: number
  readonly largestBlob: number
  readonly sweep: readonly string[]
  readonly recoverable: number
  readonly keptSnapshots: number
  /** Locks of packs, and of snapshots that are forgotten and stay because of them. */
  readonly locks: Locks
  readonly lockedSnapshots: Locks
}

export interface Proposal {
  /** Condemned as they are. */
  readonly remove: readonly string[]
  /** Condemned once what is used of them has been written anew. */
  readonly repack: readonly PackUsage[]
  readonly totals: PruneTotals
}

/** A pack below this share of the wanted size, and of the most blobs, is small. */
const SMALL = 0.5

export function propose(input: ProposeInput): Proposal {
  const { listed, isOfOpenSession } = input
  const spared: string[] = []
  const locked = new Set<string>()
  const mayGo = (packId: string): boolean => {
    if (isOfOpenSession(packId)) spared.push(packId)
    else if (input.locks.has(packId)) locked.add(packId)
    else return true
    return false
  }
  const usages = [...input.usage.values()].sort((a, b) => (a.packId < b.packId ? -1 : 1))
  const unused = usages.filter((pack) => pack.usedBytes === 0 && mayGo(pack.packId)).map((pack) => pack.packId)
  const remove = [...new Set([...unused, ...[...input.dead, ...input.unindexed].filter(mayGo)])].filter((packId) => (input.usage.get(packId)?.usedBytes ?? 0) === 0)
  const partly = usages.filter((pack) => pack.usedBytes > 0)
  const repack = chooseRepack(partly, input)
  const repacked = new Set(repack)
  const before = amountOf(listed.keys(), listed)
  const removed = amountOf(remove.filter((packId) => listed.has(packId)), listed)
  const repackAmount = amountOf(repack.map((pack) => pack.packId), listed)
  const repackUsedBytes = Math.round(sum(repack, (pack) => pack.usedBytes))
  const totals: PruneTotals = {
    before,
    unused: removed,
    repack: repackAmount,
    repackUsedBytes,
    ofOpenSessions: amountOf([...new Set(spared)].filter((packId) => listed.has(packId)), listed),
    unusedBytesLeft: Math.round(sum(partly, (pack) => (repacked.has(pack) ? 0 : pack.unusedBytes))),
    sweep: input.sweep,
    recoverable: input.recoverable,
    keptSnapshots: input.keptSnapshots,
    locked: lockedAmount(locked, input),
    // What is locked is written anew, so that one day it is not needed, and stays until then.
    freedBytes: removed.bytes + Math.max(0, sum(repack, (pack) => (input.locks.has(pack.packId) ? 0 : pack.sizeBytes)) - repackUsedBytes),
  }
  return { remove, repack, totals }
}

function lockedAmount(packIds: ReadonlySet<string>, { listed, locks, lockedSnapshots }: ProposeInput): LockedAmount {
  const ends = [...[...packIds].map((packId) => locks.get(packId)!), ...lockedSnapshots.values()].map(({ untilMs }) => untilMs)
  const untilMs = ends.reduce<number | undefined>((last, end) => Math.max(last ?? end, end), undefined)
  return { ...amountOf([...packIds].filter((packId) => listed.has(packId)), listed), snapshots: lockedSnapshots.size, untilMs }
}

function chooseRepack(partly: readonly PackUsage[], input: ProposeInput): PackUsage[] {
  const can = partly.filter((pack) => pack.group === input.group && pack.largestBlob <= input.largestBlob && !input.isOfOpenSession(pack.packId))
  const chosen = new Set<PackUsage>()
  let budget = input.maxRepackBytes
  const take = (pack: PackUsage): boolean => {
    if (chosen.has(pack) || pack.sizeBytes > budget) return false
    chosen.add(pack)
    budget -= pack.sizeBytes
    return true
  }
  // Those that free most for what they cost come first.
  const worthwhile = can.filter((pack) => pack.unusedBytes > 0).sort((a, b) => unusedShare(b) - unusedShare(a))
  let left = sum(partly, (pack) => pack.unusedBytes)
  const most = allowedUnused(input.maxUnused, sum(partly, (pack) => pack.usedBytes))
  for (const pack of worthwhile) {
    if (left <= most) break
    if (take(pack)) left -= pack.unusedBytes
  }
  const small = input.repackSmall ? can.filter((pack) => pack.sizeBytes < input.packBytes * SMALL && pack.blobs < BLOBS_IN_PACK * SMALL) : []
  // A session ends with two packs that are not full: of two nothing would be gained.
  if (small.length > 2) for (const pack of small) take(pack)
  return [...chosen]
}

function unusedShare(pack: PackUsage): number {
  return pack.unusedBytes / (pack.unusedBytes + pack.usedBytes)
}

/** Of p percent of what will be there: x = p · (used + x). */
function allowedUnused(maxUnused: MaxUnused, usedBytes: number): number {
  if (maxUnused.kind === 'unlimited') return Number.POSITIVE_INFINITY
  if (maxUnused.kind === 'bytes') return maxUnused.bytes
  const share = maxUnused.percent / 100
  return share >= 1 ? Number.POSITIVE_INFINITY : (share * usedBytes) / (1 - share)
}

function sum<T>(items: Iterable<T>, of: (item: T) => number): number {
  let total = 0
  for (const item of items) total += of(item)
  return total
}

function amountOf(packIds: Iterable<string>, listed: ReadonlyMap<string, number>): Amount {
  let packs = 0
  let bytes = 0
  for (const packId of packIds) {
    packs++
    bytes += listed.get(packId) ?? 0
  }
  return { packs, bytes }
}
