/**
 * Which snapshots are meant: by what a person writes (`latest`, `latest~2`, the beginning of an id)
 * and by filters. Pure functions over a list, so that every command means the same by the same words.
 */
import { resolve } from 'node:path'
import { compareBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { formatTime } from '../util/time-text.ts'
import type { Snapshot } from './snapshot.ts'

const SHORT_ID_DIGITS = 8
const LATEST = /^latest(?:~(\d{1,9}))?$/
const ID_BEGINNING = /^[0-9a-f]{1,32}$/
/** Of many candidates a person reads the first; a program finds all in the details. */
const CANDIDATES_SHOWN = 8

/** The first digits of an id, as people are shown it. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_DIGITS)
}

/**
 * The one snapshot that is meant. `latest` is the newest by start time and never one dated later
 * than now; `latest~2` is the second before it.
 * @param snapshots - what the filters left
 * @param forgotten - to say of one of them that it is forgotten, and not that it is unknown
 * @throws {BackupError} SNAPSHOT_NOT_FOUND, AMBIGUOUS_ID - `details.candidates` holds the ids that could be meant
 */
export function resolveSnapshot(snapshots: readonly Snapshot[], text: string, nowNs: bigint, forgotten: readonly Snapshot[] = []): Snapshot {
  const latest = LATEST.exec(text)
  if (latest !== null) return latestBut(snapshots, Number(latest[1] ?? 0), text, nowNs)
  const beginning = text.toLowerCase()
  if (!ID_BEGINNING.test(beginning)) throw unknown(`"${text}" is no snapshot: give an id or the beginning of one, "latest", or "latest~1" for the one before it`, text, snapshots)
  const found = snapshots.filter((snapshot) => snapshot.id.startsWith(beginning))
  const [first] = found
  const gone = first === undefined ? forgotten.find((snapshot) => snapshot.id.startsWith(beginning)) : undefined
  if (gone !== undefined) throw new BackupError('SNAPSHOT_NOT_FOUND', `snapshot ${shortId(gone.id)} is forgotten; "nacre unforget ${shortId(gone.id)}" brings it back until a prune has planned its end`, { details: { snapshot: gone.id } })
  if (snapshots.length === 0) throw noneAtAll()
  if (first === undefined) throw unknown(`there is no snapshot "${text}"`, text, snapshots)
  if (found.length > 1) throw ambiguous(text, found)
  return first
}

function latestBut(snapshots: readonly Snapshot[], before: number, text: string, nowNs: bigint): Snapshot {
  if (snapshots.length === 0) throw noneAtAll()
  const past = newestFirst(snapshots.filter((snapshot) => snapshot.startNs <= nowNs))
  const found = past[before]
  if (found !== undefined) return found
  const why = past.length === 0 ? 'all of them are dated in the future; name one by its id' : `there ${past.length === 1 ? 'is 1' : `are ${past.length}`}`
  throw new BackupError('SNAPSHOT_NOT_FOUND', `there is no snapshot "${text}": ${why}; "nacre snapshots" lists them`, { details: { snapshot: text } })
}

function newestFirst(snapshots: readonly Snapshot[]): Snapshot[] {
  return [...snapshots].sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : a.id > b.id ? -1 : 1))
}

/** What is said where a filter, or a repository, leaves nothing to choose from. */
export function noneAtAll(): BackupError {
  return new BackupError('SNAPSHOT_NOT_FOUND', 'there are no snapshots, or none that the filters leave; "nacre backup" makes one and "nacre snapshots" lists them')
}

function ambiguous(text: string, found: readonly Snapshot[]): BackupError {
  const { lines, candidates } = candidatesOf(found, text.length + 4)
  return new BackupError('AMBIGUOUS_ID', `"${text}" is the beginning of several snapshots: ${lines}; give more digits`, { details: { candidates } })
}

function unknown(message: string, text: string, snapshots: readonly Snapshot[]): BackupError {
  if (snapshots.length === 0) return new BackupError('SNAPSHOT_NOT_FOUND', message, { details: { snapshot: text, candidates: [] } })
  const { lines, candidates } = candidatesOf(snapshots, SHORT_ID_DIGITS)
  return new BackupError('SNAPSHOT_NOT_FOUND', `${message}; there ${snapshots.length === 1 ? 'is' : 'are'} ${lines} ("nacre snapshots" lists all)`, { details: { snapshot: text, candidates } })
}

/** The newest first; a person is told the first of them. */
function candidatesOf(snapshots: readonly Snapshot[], digits: number): { lines: string; candidates: readonly string[] } {
  const shown = newestFirst(snapshots)
  const lines = shown.slice(0, CANDIDATES_SHOWN).map((snapshot) => `${snapshot.id.slice(0, Math.max(SHORT_ID_DIGITS, digits))} of ${formatTime(snapshot.startNs, snapshot.zoneMinutes).slice(0, 19)} on ${snapshot.host}`)
  if (shown.length > CANDIDATES_SHOWN) lines.push(`${shown.length - CANDIDATES_SHOWN} more`)
  return { lines: lines.join(', '), candidates: shown.map(({ id }) => id) }
}

/** `SNAPSHOT[:PATH]`, cut at the first colon: ids and `latest` have none. An empty path is none. */
export function parseSnapshotPath(text: string): { readonly snapshot: string; readonly path: Uint8Array | undefined } {
  const colon = text.indexOf(':')
  if (colon === -1) return { snapshot: text, path: undefined }
  return { snapshot: text.slice(0, colon), path: colon + 1 === text.length ? undefined : utf8(text.slice(colon + 1)) }
}

export interface SnapshotFilter {
  /** Any of them. */
  readonly hosts?: readonly string[] | undefined
  /** Any of them; `a,b` means both of a and b, and the empty text means no tag at all. */
  readonly tags?: readonly string[] | undefined
  /** Any of them; the empty text means no label. */
  readonly labels?: readonly string[] | undefined
  /** All of them must be among the snapshot's paths. Made absolute. */
  readonly paths?: readonly (string | Uint8Array)[] | undefined
  /** Begun before then. */
  readonly beforeNs?: bigint | undefined
  /** Begun then or later. */
  readonly afterNs?: bigint | undefined
}

/** Those that pass every filter, in their order. A filter that is not there or empty lets all pass. */
export function filterSnapshots(snapshots: readonly Snapshot[], filter: SnapshotFilter): Snapshot[] {
  const { hosts = [], tags = [], labels = [], paths = [], beforeNs, afterNs } = filter
  const tagSets = tags.map(tagsOf)
  const wanted = paths.map(absolutePath)
  return snapshots.filter((snapshot) => {
    if (hosts.length > 0 && !hosts.includes(snapshot.host)) return false
    if (labels.length > 0 && !labels.includes(snapshot.label)) return false
    if (tagSets.length > 0 && !tagSets.some((set) => hasTags(snapshot.tags, set))) return false
    if (beforeNs !== undefined && snapshot.startNs >= beforeNs) return false
    if (afterNs !== undefined && snapshot.startNs < afterNs) return false
    return wanted.every((path) => snapshot.paths.some((own) => compareBytes(own, path) === 0))
  })
}

/** The tags of `a,b`; none of the empty text. */
export function tagsOf(text: string): string[] {
  return text.split(',').map((tag) => tag.trim()).filter((tag) => tag !== '')
}

/** Whether all of the set are among the tags; the empty set means that there is no tag at all. */
export function hasTags(tags: readonly string[], set: readonly string[]): boolean {
  return set.length === 0 ? tags.length === 0 : set.every((tag) => tags.includes(tag))
}

/** Absolute and normal, as snapshots hold their paths. */
export function absolutePath(path: string | Uint8Array): Uint8Array {
  // Latin-1 keeps every byte, and slashes and dots are what they are in it.
  const cwd = Buffer.from(process.cwd()).toString('latin1')
  const bytes = Buffer.from(typeof path === 'string' ? utf8(path) : path)
  return new Uint8Array(Buffer.from(resolve(cwd, bytes.toString('latin1')), 'latin1'))
}

/**
 * The newest `count` of each host and set of paths, in the order of the list.
 * @throws {RangeError} when the count is not a whole number from 1
 */
export function latestOfEach(snapshots: readonly Snapshot[], count: number): Snapshot[] {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`not a number of snapshots: ${count}`)
  const taken = new Map<string, number>()
  const kept = new Set<Snapshot>()
  for (const snapshot of newestFirst(snapshots)) {
    const group = groupOf(snapshot)
    const before = taken.get(group) ?? 0
    taken.set(group, before + 1)
    if (before < count) kept.add(snapshot)
  }
  return snapshots.filter((snapshot) => kept.has(snapshot))
}

function groupOf(snapshot: Snapshot): string {
  return JSON.stringify([snapshot.host, ...snapshot.paths.map((path) => Buffer.from(path).toString('latin1')).sort()])
}
