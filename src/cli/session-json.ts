/** A session as JSON: for the list of sessions, and where a prune names one. */
import { formatTime, type FoundSession } from '../index.ts'

export function stateOf(session: FoundSession): string {
  return session.isDecided ? 'over' : session.info === undefined ? 'unreadable' : 'open'
}

export function sessionJson(session: FoundSession): unknown {
  const { info } = session
  return { id: session.sid, group: session.group, started: info === undefined ? null : formatTime(info.startedNs, 0), host: info?.host ?? null, user: info?.user ?? null, kind: info?.kind ?? null, program: info?.program ?? null, state: stateOf(session), unguarded: info?.isUnguarded === true }
}
