/**
 * Times as text (RFC 3339), with all nine digits of a nanosecond. Date keeps
 * milliseconds and ends at the year 275760, which file systems do not.
 */
import { civilOf, daysOf, daysOfMonth, floorDivide } from './calendar.ts'
import { zoneOffsetMinutes } from './clock.ts'
import { BackupError } from './errors.ts'

export interface ParsedTime {
  /** Nanoseconds since the epoch. */
  readonly ns: bigint
  /** Minutes east of UTC. */
  readonly zoneMinutes: number
}

const SECOND_NS = 1_000_000_000n
const MINUTE_NS = 60n * SECOND_NS
const DAY_SECONDS = 86_400n

/** `2024-02-29T13:00:05.000000001+01:00`, with `Z` for UTC; years beyond four digits carry a sign and six or more. */
export function formatTime(ns: bigint, zoneMinutes: number): string {
  const local = ns + BigInt(zoneMinutes) * MINUTE_NS
  const seconds = floorDivide(local, SECOND_NS)
  const days = floorDivide(seconds, DAY_SECONDS)
  const { year, month, day } = civilOf(days)
  const inDay = Number(seconds - days * DAY_SECONDS)
  const clock = [inDay / 3600, (inDay / 60) % 60, inDay % 60].map((part) => pad(Math.floor(part), 2)).join(':')
  const fraction = pad(local - seconds * SECOND_NS, 9)
  return `${yearText(year)}-${pad(month, 2)}-${pad(day, 2)}T${clock}.${fraction}${offsetText(zoneMinutes)}`
}

const TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)? ?([Zz]|[+-]\d{2}(?::?\d{2})?)?$/

/**
 * RFC 3339, a date alone (its midnight), and times without seconds. Where no offset is given the
 * local zone's of that time holds.
 * @param zoneAt - minutes east of UTC of the local zone at a time
 * @throws {BackupError} INVALID_ARGUMENT - no time, or none that 64 bits of nanoseconds hold
 */
export function parseTime(text: string, zoneAt: (ns: bigint) => number = zoneOffsetMinutes): ParsedTime {
  const match = TIME.exec(text.trim())
  if (match === null) throw refused(text, 'write it as 2024-02-29, 2024-02-29T13:00:00 or 2024-02-29T13:00:00+01:00')
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number]
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(year, month)) throw refused(text, 'there is no such day')
  // A leap second, as RFC 3339 writes it, is the first of the next minute.
  if (hour > 23 || minute > 59 || second > 60) throw refused(text, 'there is no such time of day')
  const seconds = daysOf(BigInt(year), BigInt(month), BigInt(day)) * DAY_SECONDS + BigInt(hour * 3600 + minute * 60 + second)
  const local = seconds * SECOND_NS + BigInt((match[7] ?? '').padEnd(9, '0'))
  const zoneMinutes = match[8] === undefined ? localZone(local, zoneAt) : zoneOf(match[8], text)
  const ns = local - BigInt(zoneMinutes) * MINUTE_NS
  if (ns !== BigInt.asIntN(64, ns)) throw refused(text, 'it is before 1677 or after 2262')
  return { ns, zoneMinutes }
}

function refused(text: string, why: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `"${text}" is no time: ${why}`)
}

/** The offset in force, found from a first guess; on the hour that a change repeats it is one of both. */
function localZone(local: bigint, zoneAt: (ns: bigint) => number): number {
  const guess = zoneAt(local)
  return zoneAt(local - BigInt(guess) * MINUTE_NS)
}

function zoneOf(offset: string, text: string): number {
  if (offset === 'Z' || offset === 'z') return 0
  const hours = Number(offset.slice(1, 3))
  const minutes = Number(offset.slice(3).replace(':', ''))
  if (hours > 23 || minutes > 59) throw refused(text, 'there is no such offset from UTC')
  const zone = hours * 60 + minutes
  return offset.startsWith('-') && zone > 0 ? -zone : zone
}

function offsetText(zoneMinutes: number): string {
  if (zoneMinutes === 0) return 'Z'
  const zone = Math.abs(zoneMinutes)
  return `${zoneMinutes < 0 ? '-' : '+'}${pad(Math.floor(zone / 60), 2)}:${pad(zone % 60, 2)}`
}

function yearText(year: bigint): string {
  if (year >= 0n && year <= 9999n) return pad(year, 4)
  return year < 0n ? `-${pad(-year, 6)}` : `+${pad(year, 6)}`
}

function pad(value: bigint | number, digits: number): string {
  return String(value).padStart(digits, '0')
}
