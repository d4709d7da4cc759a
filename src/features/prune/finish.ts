/**
 * Steps 4 to 7 of a generation, from wherever it stands: by the process that planned it, or by any
 * other that finds it open. Whatever is decided here is decided by creating a record that was not
 * there; who comes second obeys the first.
 */
import { BackupError, isBackupError } from '../../util/errors.ts'
import { createGcRecord, type Generation, readGcRecord, requireListed } from '../../repository/gc-generations.ts'
import type { GcRecord } from '../../repository/gc-record.ts'
import { type GcState, readGcState } from '../../repository/gc-state.ts'
import { nowNs } from '../../util/clock.ts'
import { createPackVerifier } from '../../repository/pack-verifier.ts'
import type { Repository } from '../../repository/repository.ts'
import { fenceSession, type FoundSession } from '../../repository/sessions.ts'
import { type Carried, decide } from './decide.ts'
import { settleSessions } from './settle.ts'
import { sweep } from './sweep.ts'
import type { PruneOptions, Tally } from './types.ts'

export interface FinishOptions extends PruneOptions {
  readonly tally: Tally
  readonly carried?: Carried | undefined
  /** Names of sessions that condemned packs are of and that no list shows. */
  readonly unknownSessions?: readonly string[] | undefined
}

const NOTHING: GcRecord = { packs: [], sweep: [], sweptBefore: [] }

/**
 * @returns sessions that the generation is left open for; none when it is done
 * @throws {BackupError} PRUNE_REFUSED - nothing was deleted, and the generation is closed if that was allowed
 */
export async function finishGeneration(repository: Repository, generation: Generation, options: FinishOptions): Promise<readonly FoundSession[]> {
  const { number, plan } = generation
  const { signal, onEvent, tally } = options
  let verdict = generation.verdict
  if (verdict === undefined) {
    if (plan === undefined && generation.done !== undefined) return []
    if (plan === 'damaged' || plan === undefined) {
      // Nobody can know what it condemned: nothing is what may always be deleted.
      verdict = await agree(repository, number, { ...NOTHING, sweptBefore: [...(await readGcState(repository, signal, { afresh: true })).swept], madeNs: nowNs() }, signal)
    } else {
      onEvent?.({ type: 'step', step: 'fence', generation: number })
      await requireListed(repository, number, 'plan', signal)
      await settleUnknown(repository, options.unknownSessions ?? [], signal)
      const open = await settleSessions(repository, options, plan.madeNs ?? 0n)
      for (const session of open) onEvent?.({ type: 'waiting', session })
      if (open.length > 0) return open
      onEvent?.({ type: 'step', step: 'decide', generation: number })
      verdict = await makeVerdict(repository, { ...generation, plan }, options)
    }
  }
  if (verdict === 'damaged') {
    if (options.exclusive === true) return []
    throw new BackupError('PRUNE_REFUSED', `the verdict of prune generation ${number} is damaged or forged, so nobody can know what was decided; nothing was deleted. If nobody else uses the repository now, --exclusive goes on without it`, { path: `gc/${String(number).padStart(10, '0')}.verdict` })
  }
  onEvent?.({ type: 'step', step: 'sweep', generation: number })
  await requireListed(repository, number, 'verdict', signal)
  await sweep(repository, verdict!, options, tally)
  await createGcRecord(repository, number, 'done', { ...NOTHING, madeNs: nowNs() }, signal)
  return []
}

/** A session that packs name and no list shows: it is fenced too, if it is not decided. */
async function settleUnknown(repository: Repository, names: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  for (const name of names) {
    if ((await fenceSession(repository, name, signal)) === 'fenced') continue
    throw new BackupError('PRUNE_REFUSED', `snapshots/${name} is there and the storage did not list it: its lists cannot be trusted, and prune deletes nothing`, { path: `snapshots/${name}` })
  }
}

async function makeVerdict(repository: Repository, generation: Generation & { readonly plan: GcRecord }, options: FinishOptions): Promise<GcRecord | 'damaged'> {
  const { signal, tally } = options
  const gc = await readGcState(repository, signal, { afresh: true })
  try {
    await using verifier = createPackVerifier(repository, options.threads, signal)
    const decision = await decide(repository, { ...options, plan: generation.plan, generation, gc, carried: options.carried, verifier })
    const verdict = await agree(repository, generation.number, { ...decision.verdict, madeNs: nowNs() }, signal)
    tally.rescuedPacks += decision.rescued.length
    return verdict
  } catch (error) {
    if (!isBackupError(error)) throw error
    // Another may have decided and swept while this one looked: then that was all it saw.
    const made = await readGcRecord(repository, generation.number, 'verdict', signal)
    if (made !== undefined) return made
    if (error.code !== 'PRUNE_REFUSED') throw error
    await closeEmpty(repository, generation.number, gc, options)
    throw error
  }
}

async function closeEmpty(repository: Repository, number: number, gc: GcState, options: FinishOptions): Promise<void> {
  const made = await createGcRecord(repository, number, 'verdict', { ...NOTHING, sweptBefore: [...gc.swept], madeNs: nowNs() }, options.signal)
  // With nothing to carry out it is done at once; another's verdict is left to the next prune.
  if (made) await createGcRecord(repository, number, 'done', { ...NOTHING, madeNs: nowNs() }, options.signal)
}

/** The verdict that stands: this one, or one that was made before it. */
async function agree(repository: Repository, number: number, verdict: GcRecord, signal: AbortSignal | undefined): Promise<GcRecord | 'damaged'> {
  if (await createGcRecord(repository, number, 'verdict', verdict, signal)) return verdict
  return (await readGcRecord(repository, number, 'verdict', signal)) ?? 'damaged'
}
