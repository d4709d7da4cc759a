/**
 * Prune: frees what no snapshot uses, while backups run on. Generations follow one another, and each
 * goes through a plan, fences, a decision afresh, a verdict and its execution; one that was left is
 * finished first. Two prunes at once meet at the records, and nothing is lost by it (docs/safety.md).
 */
import { monotonicMs, nowNs } from '../../util/clock.ts'
import { BackupError, type ErrorCode } from '../../util/errors.ts'
import { createGcRecord, type Generation, readGeneration, readNewestGeneration } from '../../repository/gc-generations.ts'
import { readGcState } from '../../repository/gc-state.ts'
import { createPackVerifier } from '../../repository/pack-verifier.ts'
import { type FenceRace, raceForFence, unfit } from '../../repository/fence-race.ts'
import type { Repository } from '../../repository/repository.ts'
import { beginSession } from '../../repository/session.ts'
import type { FoundSession } from '../../repository/sessions.ts'
import { requireOwner } from '../owner.ts'
import { finishGeneration } from './finish.ts'
import { extendLocks } from './locks.ts'
import { repack } from './repack.ts'
import { requireDeletion } from './require-deletion.ts'
import { settleSessions } from './settle.ts'
import { type Survey, survey } from './survey.ts'
import { FENCE_AFTER_MS, type PruneOptions, type PruneResult, type PruneTotals, type Tally } from './types.ts'

/** Others may plan first, again and again. */
const ATTEMPTS = 5
/** Others may fence a session before its race, too. */
const RACES = 10

/**
 * @throws {BackupError} PRUNE_REFUSED - this user may not delete; something cannot be read, is missing,
 * or a list is not whole: nothing was deleted; OWNER_NEEDED; what the backend throws
 */
export async function prune(repository: Repository, options: PruneOptions): Promise<PruneResult> {
  requireOwner(repository, 'prune')
  const { unguarded } = repository.backend
  // Before the first fence is made: there it might overwrite a snapshot.
  if (unguarded !== undefined && options.exclusive !== true && options.dryRun !== true) throw unfit(unguarded)
  const started = monotonicMs()
  const tally: Tally = { deletedPacks: 0, deletedBytes: 0, writtenBytes: 0, sweptSnapshots: 0, rescuedPacks: 0, lockedPacks: 0, lockedBytes: 0, extendedLocks: 0 }
  const run: Run = { repository, options, tally }
  if (options.dryRun !== true) await requireDeletion(repository, options.signal)
  const ended = await runGenerations(run)
  if (options.dryRun !== true) await removeLeftovers(run)
  return { ...ended, ...tally, keepsVersions: repository.backend.hasKeptVersions?.() === true, durationMs: monotonicMs() - started }
}

/** What killed writers have left beside the objects: litter, so that it stays is no failure. */
async function removeLeftovers({ repository, options }: Run): Promise<void> {
  const olderThanMs = options.exclusive === true ? undefined : (options.fenceAfterMs ?? FENCE_AFTER_MS)
  try {
    const removed = await repository.backend.removeLeftovers?.(olderThanMs, { signal: options.signal })
    if (removed !== undefined && removed.files > 0) options.onEvent?.({ type: 'leftovers', ...removed })
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    repository.notice(`temporary files of interrupted writes stay: ${error.message}`)
  }
}

interface Run {
  readonly repository: Repository
  readonly options: PruneOptions
  readonly tally: Tally
}

type Ended = Pick<PruneResult, 'outcome' | 'generation' | 'plan' | 'waitingFor'>

async function runGenerations(run: Run): Promise<Ended> {
  const { repository, options, tally } = run
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const last = await readNewestGeneration(repository, options.signal)
    if (last !== undefined && options.dryRun !== true && !isDone(last)) {
      await requireFit(run)
      const waitingFor = await finishGeneration(repository, last, { ...options, tally })
      if (waitingFor.length > 0) return { outcome: 'left open', generation: last.number, plan: undefined, waitingFor }
    }
    const ended = await ownGeneration(run, last)
    if (ended !== undefined) return ended
  }
  throw busy()
}

function isDone({ done }: Generation): boolean {
  return done !== undefined && done !== 'damaged'
}

/** undefined when another has planned first: then all is to be looked at again. */
async function ownGeneration(run: Run, last: Generation | undefined): Promise<Ended | undefined> {
  const { repository, options, tally } = run
  const { signal, onEvent } = options
  if (options.dryRun !== true) await settleSessions(repository, options)
  onEvent?.({ type: 'step', step: 'survey' })
  // Read anew: the last generation may have been finished by another since.
  const before = last === undefined ? undefined : await readGeneration(repository, last.number, signal)
  const number = (last?.number ?? 0) + 1
  const look = async (): Promise<Survey> => survey(repository, await readGcState(repository, signal, { afresh: true }), before, options)
  const seen = await unlessOvertaken(run, number, look)
  if (seen === 'overtaken') return undefined
  const { totals } = seen.proposal
  const ended = (outcome: PruneResult['outcome'], generation?: number, waitingFor: readonly FoundSession[] = []): Ended => ({ outcome, generation, plan: totals, waitingFor })
  onEvent?.({ type: 'plan', plan: totals })
  if (options.dryRun !== true) tally.extendedLocks += await extendLocks(repository, seen.lasting, signal)
  if (isNothing(seen)) return ended('nothing to do')
  if (options.dryRun === true) return ended('planned')

  await using verifier = createPackVerifier(repository, options.threads, signal)
  const session = await beginSession(repository, { person: options.person, kind: 'prune', signal })
  let isSettled = false
  let written: readonly { readonly packId: string; readonly sizeBytes: number }[] = []
  let condemned: readonly string[] = seen.proposal.remove
  try {
    if (seen.proposal.repack.length > 0) {
      onEvent?.({ type: 'step', step: 'repack', generation: number })
      const use = seen.used.get(repository.keyring.group)!
      const done = await unlessOvertaken(run, number, () => repack(repository, session, { ...options, index: seen.index, listed: seen.listed, use, proposal: seen.proposal, verifier, isOvertaken: () => isPlanned(run, number) }))
      if (done === 'overtaken') return undefined
      written = done.written
      condemned = [...condemned, ...done.emptied]
    }
    // Its own session ends here, by a race that shows what the storage does.
    const race = await raceForFence(repository, session.name, signal)
    isSettled = true
    if (race.kind === 'unfit' && options.exclusive !== true) throw unfit(race.reason)
    // Another took it for over. What that one may delete stands in a plan of this number: then there is none to make here.
    if (race.kind === 'fenced') await requireFit(run)
  } finally {
    await session.abandon().catch((error: unknown) => {
      if (isSettled) throw error
    })
  }
  for (const pack of written) tally.writtenBytes += pack.sizeBytes
  const plan = { packs: condemned, sweep: totals.sweep, sweptBefore: [], kept: seen.kept, madeNs: nowNs() }
  if (!(await createGcRecord(repository, number, 'plan', plan, signal))) return undefined
  const carried = { used: seen.used, verified: new Set(written.map((pack) => pack.packId)) }
  const generation: Generation = { number, plan, verdict: undefined, done: undefined }
  const waitingFor = await finishGeneration(repository, generation, { ...options, tally, carried, unknownSessions: seen.unknownSessions })
  return waitingFor.length > 0 ? ended('left open', number, waitingFor) : ended('done', number)
}

/** Snapshots that are forgotten alone are reason enough, and so are damaged index objects that a repair has replaced. */
function isNothing({ proposal, index }: Survey): boolean {
  return proposal.remove.length === 0 && proposal.repack.length === 0 && proposal.totals.sweep.length === 0 && !index.objects.some((object) => object.isDamaged)
}

/**
 * What `act` gives. Where it meets what is gone or does not fit because another prune has planned a
 * generation meanwhile, that is no damage: all is to be looked at again.
 */
async function unlessOvertaken<T>(run: Run, number: number, act: () => Promise<T>): Promise<T | 'overtaken'> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof BackupError) || !MAY_BE_OVERTAKEN.has(error.code)) throw error
    if (!(await isPlanned(run, number))) throw error
    return 'overtaken'
  }
}

async function isPlanned({ repository, options }: Run, number: number): Promise<boolean> {
  const newest = await readNewestGeneration(repository, options.signal)
  return newest !== undefined && newest.number >= number
}

const MAY_BE_OVERTAKEN: ReadonlySet<ErrorCode> = new Set(['PRUNE_REFUSED', 'CORRUPT', 'BLOB_MISSING', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED', 'BACKEND_FAILED'])

/** A session for nothing but the race for its register; another one where a prune beside this has ended it first. */
async function requireFit({ repository, options }: Run): Promise<void> {
  if (options.exclusive === true) return
  for (let i = 0; i < RACES; i++) {
    const session = await beginSession(repository, { person: options.person, kind: 'prune', signal: options.signal })
    let race: FenceRace
    try {
      race = await raceForFence(repository, session.name, options.signal)
    } finally {
      await session.abandon().catch(() => undefined)
    }
    if (race.kind === 'unfit') throw unfit(race.reason)
    if (race.kind === 'fit') return
  }
  throw busy()
}

function busy(): BackupError {
  return new BackupError('BACKEND_FAILED', 'other prunes are at work and were first each time this one looked; nothing is lost, run it again when they are over', { retryable: true })
}

export type { PruneTotals }
