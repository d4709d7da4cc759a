/** Times as text and back: RFC 3339 with nanoseconds and the offset of their zone. */
import { BackupError } from './errors.ts'

const MS = 1_000_000n
const SECOND = 1_000_000_000n

function pad(value: number | bigint, width: number): string {
  return String(value).padStart(width, '0')
}

/** Nanoseconds since the epoch, rounded down to a part of the calendar; negative before 1970. */
export function formatTime(ns: bigint, zoneMinutes: number): string {
  const local = ns + BigInt(zoneMinutes) * 60n * SECOND
  const nanos = ((local % SECOND) + SECOND) % SECOND
  const date = new Date(Number((local - nanos) / MS))
  const day = date.toISOString().replace(/\.\d+Z$/, '')
  const sign = zoneMinutes < 0 ? '-' : '+'
  const zone = Math.abs(zoneMinutes)
  const offset = zoneMinutes === 0 ? 'Z' : `${sign}${pad(Math.floor(zone / 60), 2)}:${pad(zone % 60, 2)}`
  return `${day}.${pad(nanos, 9)}${offset}`
}

const PATTERN = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(Z|[+-]\d{2}:?\d{2})?$/i

/**
 * A date, or a date and time, with or without an offset; without one it is local time.
 * @throws {BackupError} INVALID_ARGUMENT
 */
export function parseTime(text: string): { ns: bigint; zoneMinutes: number | undefined } {
  const match = PATTERN.exec(text.trim())
  if (match !== null) {
    const [, day, minutes = '00:00', seconds = '00', fraction = '', zone] = match
    const whole = new Date(`${day}T${minutes}:${seconds}${zone === undefined ? '' : zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`}`)
    if (!Number.isNaN(whole.getTime())) {
      const ns = BigInt(whole.getTime()) * MS + BigInt(fraction.padEnd(9, '0'))
      return { ns, zoneMinutes: zone === undefined ? undefined : offsetOf(zone) }
    }
  }
  throw new BackupError('INVALID_ARGUMENT', `"${text}" is no time; write it as 2026-01-31, 2026-01-31T14:30 or 2026-01-31T14:30:00+01:00`)
}

function offsetOf(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return zone.startsWith('-') ? -minutes : minutes
}
