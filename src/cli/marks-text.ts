import { formatTime, shortId, type Snapshot } from '../index.ts'

/** What a snapshot bears, in one cell: tags, `[label]`, and in brackets what is to be known of it. */
export function marksText({ tags, label, skippedCount, pin, repairedFrom, zoneMinutes }: Snapshot): string {
  const notes = [
    ...(repairedFrom === undefined ? [] : [`(repaired from ${shortId(repairedFrom)})`]),
    ...(skippedCount > 0 ? ['(incomplete)'] : []),
    ...(pin === 'forever' ? ['(pinned)'] : pin === undefined ? [] : [`(kept until ${formatTime(pin, zoneMinutes).slice(0, 10)})`]),
  ]
  return [...tags, ...(label === '' ? [] : [`[${label}]`]), ...notes].join(',')
}
