/** Time zones by name, as functions from a time to minutes east of UTC. */
import { zoneOffsetMinutes } from './clock.ts'
import { BackupError } from './errors.ts'

/** Minutes east of UTC at a time in nanoseconds since the epoch. */
export type ZoneAt = (ns: bigint) => number

const OFFSET = /^(?:UTC)?([+-])(\d{2}):?(\d{2})$/
const MINUTE_MS = 60_000

/**
 * `UTC`, `local`, an offset such as `+05:30`, or a name of the time zone database such as
 * `Europe/Berlin`.
 * @throws {BackupError} INVALID_ARGUMENT - no such zone
 */
export function parseZone(text: string): ZoneAt {
  if (/^(utc|z|gmt)$/i.test(text)) return () => 0
  if (text === 'local') return zoneOffsetMinutes
  const offset = OFFSET.exec(text)
  if (offset !== null && Number(offset[2]) <= 23 && Number(offset[3]) <= 59) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3])
    return () => (offset[1] === '-' ? -minutes : minutes)
  }
  return namedZone(text)
}

function namedZone(name: string): ZoneAt {
  const format = formatOf(name)
  return (ns) => {
    const ms = Number(ns / 1_000_000n)
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) if (type !== 'literal') part[type] = Number(value)
    const local = Date.UTC(part['year']!, part['month']! - 1, part['day']!, part['hour']!, part['minute']!, part['second']!)
    return Math.round((local - Math.floor(ms / 1000) * 1000) / MINUTE_MS)
  }
}

function formatOf(name: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: name, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
    })
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `there is no time zone "${name}": write UTC, local, an offset such as +02:00, or a name such as Europe/Berlin`, { cause })
  }
}
