import { formatTime, type Snapshot } from '../index.ts'

/** What a snapshot was given by name, in one cell: tags and `[label]`. */
export function tagsText({ tags, label }: Snapshot): string {
  return [...tags, ...(label === '' ? [] : [`[${label}]`])].join(',')
}

/** What is to be known of a snapshot, in one cell: that it is pinned, that it lacks something. No tag looks so. */
export function notesText({ skippedCount, pin, zoneMinutes }: Snapshot): string {
  return [
    ...(pin === 'forever' ? ['pinned'] : pin === undefined ? [] : [`kept until ${formatTime(pin, zoneMinutes).slice(0, 10)}`]),
    ...(skippedCount > 0 ? ['incomplete'] : []),
  ].join(', ')
}
