/** Groups of snapshots, to each of which a policy is applied by itself. */
import { BackupError } from '../../util/errors.ts'
import { compareBytes } from '../../util/bytes.ts'
import type { RetentionSubject } from './subject.ts'

export const GROUP_FIELDS = ['host', 'label', 'paths', 'tags'] as const
export type GroupField = (typeof GROUP_FIELDS)[number]
export const GROUP_BY_DEFAULT: readonly GroupField[] = ['host', 'paths']

/** What the snapshots of a group have in common; only what they were grouped by. */
export interface GroupKey {
  readonly host?: string
  readonly label?: string
  readonly paths?: readonly Uint8Array[]
  readonly tags?: readonly string[]
}

export interface SnapshotGroup<S> {
  readonly key: GroupKey
  readonly snapshots: readonly S[]
}

/**
 * `host,paths`; the empty text makes one group of all.
 * @throws {BackupError} INVALID_ARGUMENT
 */
export function parseGroupBy(text: string): GroupField[] {
  const words = text.split(',').map((word) => word.trim()).filter((word) => word !== '')
  return words.map((word) => {
    const field = GROUP_FIELDS.find((known) => known === word || known === `${word}s`)
    if (field === undefined) throw new BackupError('INVALID_ARGUMENT', `--group-by takes host, label, paths and tags with commas between, or '' for one group, not "${word}"`)
    return field
  })
}

/** Paths are compared as a whole, in any order; so are tags. Snapshots keep their order. */
export function groupSnapshots<S extends RetentionSubject>(snapshots: readonly S[], by: readonly GroupField[]): SnapshotGroup<S>[] {
  const groups = new Map<string, { key: GroupKey; snapshots: S[] }>()
  for (const snapshot of snapshots) {
    const key = keyOf(snapshot, by)
    const name = JSON.stringify([key.host, key.label, key.paths?.map((path) => Buffer.from(path).toString('latin1')), key.tags])
    const group = groups.get(name) ?? { key, snapshots: [] }
    groups.set(name, group)
    group.snapshots.push(snapshot)
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group)
}

function keyOf(snapshot: RetentionSubject, by: readonly GroupField[]): GroupKey {
  return {
    ...(by.includes('host') ? { host: snapshot.host } : {}),
    ...(by.includes('label') ? { label: snapshot.label } : {}),
    ...(by.includes('paths') ? { paths: [...snapshot.paths].sort(compareBytes) } : {}),
    ...(by.includes('tags') ? { tags: [...snapshot.tags].sort() } : {}),
  }
}
