/** What a policy keeps and removes of a group, for people and for programs. */
import { formatTime, type GroupKey, type RetentionGroup, shortId, type Snapshot, snapshotJson, textFields } from '../index.ts'
import { display, displayPath } from './display.ts'
import { count, table } from './format.ts'
import { notesText, tagsText } from './marks-text.ts'
import type { Output } from './output.ts'

export function groupJson({ key, keep, remove, future }: RetentionGroup<Snapshot>): unknown {
  const paths = key.paths?.map((path) => textFields('path', path))
  return {
    host: key.host ?? null,
    ...(key.label === undefined ? {} : { label: key.label }),
    paths: paths?.map((path) => path['path']) ?? null,
    ...(paths?.some((path) => 'path_b64' in path) === true ? { paths_b64: key.paths!.map((path) => Buffer.from(path).toString('base64')) } : {}),
    tags: key.tags ?? null,
    keep: keep.map(({ snapshot }) => snapshotJson(snapshot)),
    remove: remove.map(snapshotJson),
    reasons: keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, snapshot: snapshotJson(snapshot), matches: reasons })),
    future: future.map(({ id }) => id),
  }
}

/** @param isNamed - what is removed was named one by one, so the rest needs no reasons */
export function tellGroup(output: Output, { key, keep, remove }: RetentionGroup<Snapshot>, isNamed: boolean): void {
  output.result(`${groupText(key)}: keep ${count(keep.length, 'snapshot')}, remove ${remove.length}`)
  const rows = [
    ...(isNamed ? [] : keep).map(({ snapshot, reasons }) => [snapshot, 'keep', reasons.join(', ')] as const),
    ...remove.map((snapshot) => [snapshot, 'remove', ''] as const),
  ].sort(([a], [b]) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0))
  const hasNotes = rows.some(([snapshot]) => notesText(snapshot) !== '')
  const cells = rows.map(([snapshot, what, why]) => [what, shortId(snapshot.id), timeText(snapshot), display(tagsText(snapshot)), ...(hasNotes ? [notesText(snapshot)] : []), display(why)])
  output.result(`${table(['', 'id', 'time', 'tags', ...(hasNotes ? ['notes'] : []), 'why'], cells)}\n`)
}

function timeText(snapshot: Snapshot): string {
  return formatTime(snapshot.startNs, snapshot.zoneMinutes).slice(0, 19).replace('T', ' ')
}

function groupText(key: GroupKey): string {
  const parts = [
    ...(key.host === undefined ? [] : [`host ${display(key.host)}`]),
    ...(key.label === undefined ? [] : [key.label === '' ? 'no label' : `label ${display(key.label)}`]),
    ...(key.paths === undefined ? [] : [`paths ${key.paths.map(displayPath).join(' ')}`]),
    ...(key.tags === undefined ? [] : [key.tags.length === 0 ? 'no tags' : `tags ${display(key.tags.join(','))}`]),
  ]
  return parts.length === 0 ? 'all' : parts.join(', ')
}
