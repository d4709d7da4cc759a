/**
 * Step 4: no session that began before the plan may commit after what is decided next. Each is
 * decided already, or is fenced, or leaves the generation open. How long one is waited for is
 * patience: safety needs no clock, and where clocks contradict each other nobody is waited for.
 */
import { nowNs } from '../../util/clock.ts'
import { fenceSession, findSessions, type FoundSession } from '../../repository/sessions.ts'
import type { Repository } from '../../repository/repository.ts'
import { FENCE_AFTER_MS, type PruneOptions } from './types.ts'

/** Kinds of sessions that make no snapshot: to fence them costs nobody anything. */
const WITHOUT_COMMIT = new Set(['prune'])

/**
 * Fences every session that is due, and removes those that are decided.
 * @param plannedNs - when the generation was planned: a session dated later counts from then
 * @returns the sessions that are still open
 */
export async function settleSessions(repository: Repository, options: PruneOptions, plannedNs?: bigint): Promise<FoundSession[]> {
  const open: FoundSession[] = []
  for (const session of await findSessions(repository, options.signal)) {
    if (!session.isDecided) {
      if (isBeyondFences(session, options) || !isDue(session, options, plannedNs)) {
        open.push(session)
        continue
      }
      if ((await fenceSession(repository, session.name, options.signal)) === 'fenced') options.onEvent?.({ type: 'fenced', session })
    }
    // Its register exists, so it may go; one that cannot be removed is removed by a later prune.
    await repository.backend.remove({ type: 'sessions', name: session.name }, { signal: options.signal })
  }
  return open
}

/** Its commit may overwrite a fence: it is waited for, until somebody says that nobody is at work. */
function isBeyondFences({ info }: FoundSession, options: PruneOptions): boolean {
  return info?.isUnguarded === true && options.exclusive !== true && !WITHOUT_COMMIT.has(info.kind)
}

export function isDue(session: FoundSession, options: Pick<PruneOptions, 'exclusive' | 'fence' | 'fenceAfterMs'>, plannedNs?: bigint): boolean {
  if (options.exclusive === true || options.fence === true) return true
  // What stands there is no session of this repository, or of a program that we know nothing of.
  if (session.info === undefined) return !session.isOfLaterVersion
  if (WITHOUT_COMMIT.has(session.info.kind)) return true
  const now = nowNs()
  const since = plannedNs !== undefined && plannedNs < session.info.startedNs ? plannedNs : session.info.startedNs
  if (since > now) return plannedNs !== undefined
  return now - since >= BigInt(options.fenceAfterMs ?? FENCE_AFTER_MS) * 1_000_000n
}
