/**
 * Steps 1 and 2 of looking: what is there, what is used, what might go. The order of the lists is
 * part of the argument: packs first, so that whatever uses a listed pack is in a later list.
 */
import { nowNs } from '../../util/clock.ts'
import { toHex } from '../../util/bytes.ts'
import { BackupError, isBackupError } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import type { Generation } from '../../repository/gc-generations.ts'
import type { GcState } from '../../repository/gc-state.ts'
import { listPacks } from '../../repository/index-loader.ts'
import { loadForgotten } from '../../repository/marker-loader.ts'
import { decodePackStart, PACK_START_BYTES } from '../../repository/pack.ts'
import type { Repository } from '../../repository/repository.ts'
import { findSessions } from '../../repository/sessions.ts'
import { readStatedIndex, type StatedIndex } from '../../repository/stated-index.ts'
import { loadRegisters, type RegisterList } from '../../snapshot/registers.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { requireComplete } from './complete.ts'
import { isLocking, type Lasting, packsInUse, standingLocks } from './locks.ts'
import { type Proposal, propose } from './propose.ts'
import { isDue } from './settle.ts'
import type { PruneOptions } from './types.ts'
import { packUsage, type Usage } from './usage.ts'
import { findUsedBlobs, type UsedBlobs } from './used.ts'

export interface Survey {
  readonly listed: ReadonlyMap<string, number>
  readonly registers: RegisterList
  readonly index: StatedIndex
  readonly used: UsedBlobs
  readonly proposal: Proposal
  /** Names of snapshots that stay. */
  readonly kept: readonly string[]
  /** Names of sessions that condemned packs say they are of, and that nothing else knows. */
  readonly unknownSessions: readonly string[]
  /** What is to be locked for longer. */
  readonly lasting: Lasting
}

const MAX_UNUSED_PERCENT = 5

/** @throws {BackupError} PRUNE_REFUSED - something cannot be read, or a used blob is missing */
export async function survey(repository: Repository, gc: GcState, last: Generation | undefined, options: PruneOptions): Promise<Survey> {
  const { backend, config, keyring } = repository
  const { signal } = options
  const listed = await listPacks(backend, signal)
  const found = await findSessions(repository, signal)
  const sessions = found.filter((session) => !session.isDecided && !isDue(session, options))
  const registers = await loadRegisters(repository, gc.swept, { signal, afresh: true })
  const sweepable = await forgottenSnapshots(repository, registers, options)
  const lockedSnapshots = await standingLocks(repository, 'snapshots', sweepable.due, signal)
  const sweep = new Set(sweepable.due.filter((name) => !lockedSnapshots.has(name)))
  requireComplete(registers, { last, swept: gc.swept, lost: options.lost ?? [], sweep })
  const index = await readIndex(repository, signal)
  const kept = [...registers.snapshots].filter(([name]) => !sweep.has(name))
  const { used, lastingPacks } = await usedOf(repository, { index, listed, kept, forgotten: sweepable.forgotten }, signal)
  const packLocks = await standingLocks(repository, 'packs', listed.keys(), signal)
  const usage = await packUsage(index, listed, used)
  if (usage.isIncomplete) throw new BackupError('PRUNE_REFUSED', 'blobs that snapshots use are in no pack that is there and of the size that the index gives; nothing was deleted, "nacre check" tells which files suffer')

  const unindexed = await unindexedPacks(repository, listed, index, signal)
  const dead = await deadPacks(repository, listed, usage, signal)
  const openSids = new Set(sessions.flatMap((session) => [session.sid, ...(session.info?.adopts ?? [])]))
  const sidOf = (packId: string): string | undefined => usage.packs.get(packId)?.sid ?? usage.dead.get(packId)?.sid ?? unindexed.get(packId)?.sid
  const proposal = propose({
    listed,
    usage: usage.packs,
    dead,
    unindexed: unindexed.keys(),
    isOfOpenSession: (packId) => openSids.has(sidOf(packId) ?? ''),
    locks: packLocks,
    maxUnused: options.maxUnused ?? { kind: 'percent', percent: MAX_UNUSED_PERCENT },
    maxRepackBytes: options.maxRepackBytes ?? Number.POSITIVE_INFINITY,
    repackSmall: options.repackSmall ?? false,
    packBytes: config.packBytes,
    group: keyring.group,
    largestBlob: config.chunker.maxBytes,
    sweep: [...sweep],
    recoverable: sweepable.recoverable,
    keptSnapshots: kept.length,
    lockedSnapshots,
  })
  const goes = new Set([...proposal.remove, ...proposal.repack.map((pack) => pack.packId)])
  const stay = [...lastingPacks].filter((packId) => !goes.has(packId))
  const lastingSnapshots = kept.flatMap(([name]) => (sweepable.forgotten.has(name) ? [] : [name]))
  const lastingIndex = index.objects.flatMap((object) => (object.isReplaced ? [] : [object.name]))
  const known = new Set([...registers.listed, ...gc.swept, ...found.map((session) => session.name)])
  const unknownSessions = new Set<string>()
  for (const packId of goes) {
    const group = usage.packs.get(packId)?.group ?? usage.dead.get(packId)?.group ?? unindexed.get(packId)?.group
    const name = `${group}/${sidOf(packId)}`
    if (group !== undefined && !known.has(name)) unknownSessions.add(name)
  }
  return { listed, registers, index, used, proposal, kept: kept.map(([name]) => name), unknownSessions: [...unknownSessions], lasting: { packs: stay, packLocks, snapshots: lastingSnapshots, index: lastingIndex } }
}

interface ToUse {
  readonly index: StatedIndex
  readonly listed: ReadonlyMap<string, number>
  readonly kept: readonly (readonly [name: string, snapshot: Snapshot])[]
  readonly forgotten: ReadonlySet<string>
}

/** Of a repository with locks also the packs of snapshots that nobody has forgotten: those alone are locked for longer. */
async function usedOf(repository: Repository, { index, listed, kept, forgotten }: ToUse, signal: AbortSignal | undefined): Promise<{ used: UsedBlobs; lastingPacks: ReadonlySet<string> }> {
  const snapshotsOf = (isForgotten: boolean): Snapshot[] => kept.filter(([name]) => forgotten.has(name) === isForgotten).map(([, snapshot]) => snapshot)
  const lasting = await findUsedBlobs(repository, index, snapshotsOf(false), { signal })
  const lastingPacks = isLocking(repository) ? await packsInUse(index, listed, lasting) : new Set<string>()
  const passing = snapshotsOf(true)
  return { used: passing.length === 0 ? lasting : await findUsedBlobs(repository, index, passing, { known: lasting, signal }), lastingPacks }
}

/** @throws {BackupError} PRUNE_REFUSED - an index object is damaged: nobody can tell what it states */
export async function readIndex(repository: Repository, signal: AbortSignal | undefined): Promise<StatedIndex> {
  try {
    return await readStatedIndex(repository, signal)
  } catch (cause) {
    if (!isBackupError(cause, 'CORRUPT')) throw cause
    throw new BackupError('PRUNE_REFUSED', `${cause.message}; prune cannot know what it states and deletes nothing. "nacre check" tells more`, { cause })
  }
}

/** Forgotten snapshots that are there: those that may be swept, and how many are kept recoverable. */
async function forgottenSnapshots(repository: Repository, registers: RegisterList, options: PruneOptions): Promise<{ due: string[]; recoverable: number; forgotten: ReadonlySet<string> }> {
  const { forgotten, problems } = await loadForgotten(repository, { signal: options.signal, afresh: true })
  for (const problem of problems) repository.notice(`${problem.object} is not the owner's word and is not obeyed: ${problem.message}`)
  const youngest = nowNs() - BigInt(Math.round(options.keepRecoverableMs ?? 0)) * 1_000_000n
  const isYoung = (timeNs: bigint): boolean => (options.keepRecoverableMs ?? 0) > 0 && timeNs > youngest
  const there = [...forgotten].filter(([name]) => isThere(registers, name))
  const due = there.filter(([, { timeNs }]) => !isYoung(timeNs)).map(([name]) => name)
  return { due, recoverable: there.length - due.length, forgotten: new Set(forgotten.keys()) }
}

/** A snapshot, be it one that cannot be read. */
export function isThere(registers: RegisterList, name: string): boolean {
  return registers.snapshots.has(name) || registers.problems.some((problem) => problem.name === name)
}

/** Packs that no index object states, with the session that their header names, if it can be read. */
async function unindexedPacks(repository: Repository, listed: ReadonlyMap<string, number>, index: StatedIndex, signal: AbortSignal | undefined): Promise<Map<string, { sid: string; group: number } | undefined>> {
  const stated = new Set(index.objects.flatMap((object) => (object.isReplaced ? [] : object.packs.map((pack) => pack.packId))))
  const unindexed = [...listed.keys()].filter((packId) => !stated.has(packId))
  const found = new Map<string, { sid: string; group: number } | undefined>()
  const look = async (packId: string): Promise<void> => {
    const what = `pack ${packId.slice(0, 16)}`
    try {
      const bytes = await repository.backend.load({ type: 'packs', name: packId }, { offset: 0, length: PACK_START_BYTES }, { signal })
      const { group, repositoryId, session } = decodePackStart(bytes, what)
      if (toHex(repositoryId) !== repository.id) repository.notice(`${what} belongs to another repository and is left alone`)
      else found.set(packId, { sid: toHex(session), group })
    } catch (error) {
      // Gone between list and look.
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return
      if (!isBackupError(error) || (error.code.startsWith('BACKEND') && error.code !== 'BACKEND_TRUNCATED')) throw error
      if (error.code === 'REPOSITORY_VERSION') repository.notice(`${what} is left alone: ${error.message}`)
      else found.set(packId, undefined)
    }
  }
  for await (const _ of mapOrdered(unindexed, { concurrency: repository.backend.connections, signal }, look)) void _
  return found
}

/** What the index states and is of another size, or is certainly gone: then the index is to be mended. */
async function deadPacks(repository: Repository, listed: ReadonlyMap<string, number>, usage: Usage, signal: AbortSignal | undefined): Promise<string[]> {
  const dead: string[] = []
  for (const packId of usage.dead.keys()) {
    // One that is not listed may be newer than the list.
    if (listed.has(packId) || (await repository.backend.stat({ type: 'packs', name: packId }, { signal })) === undefined) dead.push(packId)
  }
  return dead
}
