/** Open sessions for people: which there are, and fencing one by hand. */
import { BackupError } from '../util/errors.ts'
import type { Repository } from '../repository/repository.ts'
import { fenceSession, findSessions, type FoundSession } from '../repository/sessions.ts'
import { requireOwner } from './owner.ts'

/** Oldest first; those that cannot be read last. */
export async function listSessions(repository: Repository, signal?: AbortSignal): Promise<FoundSession[]> {
  const own = (await findSessions(repository, signal)).filter((session) => repository.keyring.role === 'owner' || session.group === repository.keyring.group)
  const startOf = (session: FoundSession): bigint => session.info?.startedNs ?? 2n ** 63n
  return own.sort((a, b) => (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : a.sid < b.sid ? -1 : 1))
}

/**
 * Decides that a session never commits, and removes it. One that has committed already, or was
 * fenced, is only removed.
 * @param prefix - of the session's id
 * @throws {BackupError} OWNER_NEEDED, INVALID_ARGUMENT, AMBIGUOUS_ID
 */
export async function fenceByHand(repository: Repository, prefix: string, signal?: AbortSignal): Promise<{ readonly session: FoundSession; readonly outcome: 'fenced' | 'decided before' }> {
  requireOwner(repository, 'fence sessions')
  const beginning = prefix.toLowerCase()
  const found = (await listSessions(repository, signal)).filter((session) => session.sid.startsWith(beginning))
  const [session] = found
  if (session === undefined || beginning === '') throw new BackupError('INVALID_ARGUMENT', `there is no open session "${prefix}"; "nacre sessions" lists them`)
  if (found.length > 1) throw new BackupError('AMBIGUOUS_ID', `"${prefix}" may be any of ${found.length} sessions: ${found.map(({ sid }) => sid.slice(0, 12)).join(', ')}; give more digits`, { details: { candidates: found.map(({ sid }) => sid) } })
  if (!session.isDecided) refuseUnguarded(repository, session)
  const outcome = await fenceSession(repository, session.name, signal)
  await repository.backend.remove({ type: 'sessions', name: session.name }, { signal })
  return { session, outcome }
}

/** A fence that may be overwritten, or may overwrite a snapshot, decides nothing. */
function refuseUnguarded({ backend }: Repository, session: FoundSession): void {
  const why = backend.unguarded ?? (session.info?.isUnguarded === true ? 'it writes by a way that cannot create an object only if it is absent' : undefined)
  if (why === undefined) return
  throw new BackupError('BACKEND_UNSUITABLE', `session ${session.sid.slice(0, 16)} cannot be fenced: ${why}. When it is certainly dead, and nobody else uses the repository, "nacre prune --exclusive" ends it`)
}
