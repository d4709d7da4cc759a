/**
 * A repair writes as a backup does: it announces itself, so that no prune takes its packs for
 * leftovers, and its packs come before its index objects. It commits nothing, so its session ends by
 * a fence of its own, as that of a prune does. A crash in the middle leaves spare objects and a session
 * that the next prune ends in time.
 */
import { withDryRun } from '../../backend/with-dry-run.ts'
import { toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { probeOnce } from '../../repository/catalogue/probed.ts'
import { readGcState } from '../../repository/gc-state.ts'
import type { Repository } from '../../repository/repository.ts'
import { beginSession, type Session } from '../../repository/session.ts'
import { readStatedIndex, type StatedIndex } from '../../repository/stated-index.ts'
import type { RepairOptions } from './types.ts'

export const REPAIR_KIND = 'repair'

/** The repository for whoever only finds out: nothing is written. */
export function planningIn(repository: Repository): Repository {
  return { ...repository, backend: withDryRun(repository.backend) }
}

/**
 * @param work - is given the repository to write to: one that writes nothing, where nothing is to be done
 * @throws {BackupError} SESSION_FENCED - a prune has ended the session and condemned what it wrote
 */
export async function inRepairSession<T>(repository: Repository, options: RepairOptions, work: (session: Session, place: Repository) => Promise<T>): Promise<T> {
  const { person, signal } = options
  const isDry = options.apply !== true
  const place = isDry ? planningIn(repository) : repository
  if (!isDry) await probeOnce(repository, signal)
  const session = await beginSession(place, { person, kind: REPAIR_KIND, signal })
  let isSettled = false
  try {
    const done = await work(session, place)
    await session.abandon()
    isSettled = true
    if (!isDry) await requireKept(repository, session.sid, signal)
    return done
  } finally {
    if (!isSettled) await session.abandon().catch(() => undefined)
  }
}

async function requireKept(repository: Repository, sid: string, signal: AbortSignal | undefined): Promise<void> {
  const { condemned } = await readGcState(repository, signal)
  for (const pack of (await repository.catalogue()).packs()) {
    if (toHex(pack.session) !== sid || !condemned.has(pack.packId)) continue
    throw new BackupError('SESSION_FENCED', 'a prune has fenced this repair and condemned what it wrote; nothing is lost, run it again when the prune is over', { retryable: true })
  }
}

/**
 * The index as it is stated, with what is damaged left out. It is read once more where something is:
 * what a second look finds sound is not replaced.
 */
export async function readTolerantIndex(repository: Repository, signal: AbortSignal | undefined): Promise<StatedIndex> {
  const index = await readStatedIndex(repository, signal, { tolerant: true })
  return index.problems.length === 0 ? index : readStatedIndex(repository, signal, { tolerant: true })
}

/** @throws {BackupError} REPAIR_REFUSED - an index object is damaged: what it stated would seem lost */
export async function requireIndex(repository: Repository, signal: AbortSignal | undefined): Promise<StatedIndex> {
  const index = await readTolerantIndex(repository, signal)
  const [problem] = index.problems
  if (problem === undefined) return index
  throw new BackupError('REPAIR_REFUSED', `index/${problem.name} is damaged, and what it stated would seem lost: "nacre repair index --apply" comes first; nothing was changed`, { path: `index/${problem.name}` })
}
