/** Choosing snapshots: by what a user writes, and by filters that mean the same everywhere. */
import { formatTime } from '../util/time-text.ts'
import { utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import type { Snapshot } from './snapshot.ts'

export function shortId(id: string): string {
  return id.slice(0, 8)
}

/** `SNAPSHOT[:PATH]` at its first colon. */
export function parseSnapshotPath(text: string): { snapshot: string; path: Uint8Array | undefined } {
  const colon = text.indexOf(':')
  if (colon === -1) return { snapshot: text, path: undefined }
  const path = text.slice(colon + 1)
  return { snapshot: text.slice(0, colon), path: path === '' ? undefined : utf8(path.startsWith('/') ? path : `/${path}`) }
}

/**
 * `latest`, `latest~2`, an id or an unambiguous prefix of one.
 * @param snapshots - oldest first
 * @throws {BackupError} SNAPSHOT_NOT_FOUND; AMBIGUOUS_ID - names the candidates
 */
export function resolveSnapshot(snapshots: readonly Snapshot[], text: string, nowNs: bigint): Snapshot {
  if (snapshots.length === 0) throw new BackupError('SNAPSHOT_NOT_FOUND', 'there is no snapshot yet; "nacre backup" makes one')
  const latest = /^latest(?:~(\d+))?$/.exec(text)
  if (latest !== null) {
    const past = snapshots.filter((snapshot) => snapshot.startNs <= nowNs)
    const found = past[past.length - 1 - Number(latest[1] ?? 0)]
    if (found === undefined) throw new BackupError('SNAPSHOT_NOT_FOUND', `there is no snapshot ${text}: ${past.length === 0 ? 'all are dated in the future' : `there are only ${past.length}`}; "nacre snapshots" lists them`)
    return found
  }
  const prefix = text.toLowerCase()
  const found = /^[0-9a-f]{1,32}$/.test(prefix) ? snapshots.filter((snapshot) => snapshot.id.startsWith(prefix)) : []
  if (found.length === 1) return found[0]!
  if (found.length === 0) throw new BackupError('SNAPSHOT_NOT_FOUND', `there is no snapshot "${text}"; "nacre snapshots" lists them`)
  const candidates = found.map((snapshot) => `${snapshot.id} (${formatTime(snapshot.startNs, snapshot.zoneMinutes).slice(0, 16)}, ${snapshot.host})`)
  throw new BackupError('AMBIGUOUS_ID', `"${text}" may be any of ${found.length} snapshots: ${candidates.slice(0, 10).join(', ')}; give more of the id`, { details: { candidates: found.map((snapshot) => snapshot.id) } })
}

export interface SnapshotFilter {
  /** Any of these hosts. */
  readonly hosts?: readonly string[] | undefined
  /** Any of these; each is one tag or several with commas, all of which are wanted; '' is untagged. */
  readonly tags?: readonly string[] | undefined
  readonly labels?: readonly string[] | undefined
  /** All of these, as absolute paths. */
  readonly paths?: readonly string[] | undefined
}

export function filterSnapshots(snapshots: readonly Snapshot[], filter: SnapshotFilter): Snapshot[] {
  const { hosts = [], tags = [], labels = [], paths = [] } = filter
  const hasTags = (snapshot: Snapshot, wanted: string): boolean => (wanted === '' ? snapshot.tags.length === 0 : wanted.split(',').every((tag) => snapshot.tags.includes(tag)))
  const wantedPaths = paths.map((path) => Buffer.from(path))
  return snapshots.filter(
    (snapshot) =>
      (hosts.length === 0 || hosts.includes(snapshot.host)) &&
      (labels.length === 0 || labels.includes(snapshot.label)) &&
      (tags.length === 0 || tags.some((wanted) => hasTags(snapshot, wanted))) &&
      wantedPaths.every((path) => snapshot.paths.some((own) => path.equals(own))),
  )
}

/** The newest n of each host and set of paths, in the order given. */
export function latestOfEach(snapshots: readonly Snapshot[], n: number): Snapshot[] {
  const counts = new Map<string, number>()
  const kept = snapshots.toReversed().filter((snapshot) => {
    const key = JSON.stringify([snapshot.host, ...snapshot.paths.map(escapeBytes)])
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return count <= n
  })
  return kept.reverse()
}
