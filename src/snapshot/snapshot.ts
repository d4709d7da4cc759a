/** A snapshot's record: what was backed up, where from, when, and what came of it. */
import { asArray, asBytes, asCount, asI64, asInteger, asMap, asText, asTexts, type CborMap, decodeCbor, encodeCbor, optional } from '../codec/cbor.ts'
import { toHex } from '../util/bytes.ts'
import type { Forgetting } from '../repository/forgotten.ts'
import type { Mark, Pin } from '../repository/mark.ts'
import { type Content, contentFromCbor, contentToCbor } from './content.ts'

export interface SnapshotSummary {
  readonly filesNew: number
  readonly filesChanged: number
  readonly filesUnmodified: number
  readonly totalFiles: number
  readonly totalBytes: number
  readonly dataAdded: number
  readonly dataAddedStored: number
}

/** A source file that is not in the snapshot as it should be. */
export interface Skipped {
  readonly path: Uint8Array
  /** `unreadable`, `vanished`, `changed`… */
  readonly reason: string
  readonly message: string
}

export interface SnapshotRecord {
  readonly tree: Uint8Array
  /** Absolute paths, as given, sorted. */
  readonly paths: readonly Uint8Array[]
  readonly host: string
  readonly user: string
  readonly tags: readonly string[]
  readonly label: string
  readonly description: string
  readonly startNs: bigint
  readonly endNs: bigint
  /** Minutes east of UTC. */
  readonly zoneMinutes: number
  readonly parent?: string | undefined
  readonly summary: SnapshotSummary
  /** How many source files are missing or doubtful; the first of them follow. */
  readonly skippedCount: number
  readonly skipped: readonly Skipped[]
  /** All of them, where there are more than the record holds: `loadSkipped` reads it. */
  readonly skippedAll?: Content | undefined
  readonly program: string
  /** Counts the snapshots of a host; the one before is named, so that a missing one shows. */
  readonly sequence: number
  readonly previous?: string | undefined
  /** Retention keeps the snapshot until then. */
  readonly keepUntilNs?: bigint | undefined
  /** The snapshot of which this one is what could be saved: a repair made it, without what was lost. */
  readonly repairedFrom?: string | undefined
}

/** A snapshot as it is now: what its record says, but for what marks have changed since. */
export interface Snapshot extends SnapshotRecord {
  /** 32 hex digits. */
  readonly id: string
  readonly group: number
  /** Retention keeps it for ever, or until that time. */
  readonly pin?: Pin | undefined
  /** Who forgot it, where it is forgotten. */
  readonly forgotten?: Forgetting | undefined
}

/** The snapshot of a record, with the marks that it bears. */
export function markedSnapshot(record: SnapshotRecord, id: string, group: number, mark: Mark | undefined): Snapshot {
  const pin = mark?.pin ?? record.keepUntilNs
  return {
    ...record,
    id,
    group,
    tags: mark?.tags ?? record.tags,
    label: mark?.label ?? record.label,
    description: mark?.description ?? record.description,
    pin: pin === 'none' ? undefined : pin,
  }
}

/** Of what was skipped, so much stands in the record: it is to stay small. */
export const SKIPPED_LIMIT = 200

export function encodeSnapshot(record: SnapshotRecord): Uint8Array {
  const { summary } = record
  const map: CborMap = new Map<number, unknown>([
    [1, record.tree],
    [2, [...record.paths]],
    [3, record.host],
    [4, record.user],
    [5, [...record.tags]],
    [6, record.label],
    [7, record.description],
    [8, record.startNs],
    [9, record.endNs],
    [10, record.zoneMinutes],
    [12, [summary.filesNew, summary.filesChanged, summary.filesUnmodified, summary.totalFiles, summary.totalBytes, summary.dataAdded, summary.dataAddedStored]],
    [13, record.skippedCount],
    [14, record.skipped.slice(0, SKIPPED_LIMIT).map(skippedToCbor)],
    [15, record.program],
    [16, record.sequence],
  ])
  if (record.parent !== undefined) map.set(11, sidBytes(record.parent))
  if (record.previous !== undefined) map.set(17, sidBytes(record.previous))
  if (record.skippedAll !== undefined) map.set(18, contentToCbor(record.skippedAll))
  if (record.keepUntilNs !== undefined) map.set(19, record.keepUntilNs)
  if (record.repairedFrom !== undefined) map.set(20, sidBytes(record.repairedFrom))
  return encodeCbor(map)
}

export function skippedToCbor(item: Skipped): unknown {
  return [item.path, item.reason, item.message]
}

/** @throws {BackupError} CORRUPT */
export function skippedFromCbor(value: unknown): Skipped {
  const fields = asArray(value, 'skipped')
  return { path: asBytes(fields[0], 'path'), reason: asText(fields[1], 'reason'), message: asText(fields[2], 'message') }
}

function sidBytes(sid: string): Uint8Array {
  return new Uint8Array(Buffer.from(sid, 'hex'))
}

function asSid(value: unknown, what: string): string {
  return toHex(asBytes(value, what, 16))
}

const ZONE_LIMIT = 24 * 60

/** @throws {BackupError} CORRUPT */
export function decodeSnapshot(bytes: Uint8Array): SnapshotRecord {
  const map = asMap(decodeCbor(bytes), 'snapshot')
  const sums = asArray(map.get(12), 'summary').map((value) => asCount(value, 'summary'))
  const [filesNew = 0, filesChanged = 0, filesUnmodified = 0, totalFiles = 0, totalBytes = 0, dataAdded = 0, dataAddedStored = 0] = sums
  const zone = asInteger(map.get(10), 'zone')
  return {
    tree: asBytes(map.get(1), 'tree', 32),
    paths: asArray(map.get(2), 'paths').map((path) => asBytes(path, 'path')),
    host: asText(map.get(3), 'host'),
    user: asText(map.get(4), 'user'),
    tags: asTexts(map.get(5), 'tags'),
    label: asText(map.get(6), 'label'),
    description: asText(map.get(7), 'description'),
    startNs: asI64(map.get(8), 'start'),
    endNs: asI64(map.get(9), 'end'),
    zoneMinutes: Math.abs(zone) <= ZONE_LIMIT ? zone : 0,
    parent: optional(map, 11, asSid, 'parent'),
    summary: { filesNew, filesChanged, filesUnmodified, totalFiles, totalBytes, dataAdded, dataAddedStored },
    skippedCount: asCount(map.get(13), 'skipped'),
    skipped: asArray(map.get(14), 'skipped').map(skippedFromCbor),
    skippedAll: optional(map, 18, contentFromCbor, 'list of what was skipped'),
    program: asText(map.get(15), 'program'),
    sequence: asCount(map.get(16), 'sequence'),
    previous: optional(map, 17, asSid, 'previous'),
    keepUntilNs: optional(map, 19, asI64, 'keep until'),
    repairedFrom: optional(map, 20, asSid, 'repaired from'),
  }
}
