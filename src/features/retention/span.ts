/**
 * Spans of the calendar, `1y6m2w3d12h`: what "a month ago" means depends on the day it is counted
 * from, so a span stays in its parts until then. The arithmetic is restic's: years, months and days
 * are taken at once and a day that the month does not have runs over into the next one (a month
 * before 31 March is "31 February", which is 3 March), hours come last.
 */
import { civilOf, daysOf, floorDivide } from '../../util/calendar.ts'
import { BackupError } from '../../util/errors.ts'
import type { ZoneAt } from '../../util/time-zone.ts'

export interface Span {
  readonly years: number
  readonly months: number
  readonly days: number
  readonly hours: number
}

export const SPAN_GRAMMAR = 'numbers with the units y, m (months), w, d, h, such as 7d, 2w or 1y6m'

const MINUTE_NS = 60_000_000_000n
const HOUR_NS = 60n * MINUTE_NS
const DAY_NS = 24n * HOUR_NS
/** Six digits reach beyond what 64 bits of nanoseconds hold. */
const SPAN = /^(?:\d{1,6}(?:y|mo|m|w|d|h))+$/
const PART = /(\d+)(y|mo|m|w|d|h)/g

/** undefined when the text is no span. A unit that is given again counts as given last. */
export function parseSpan(text: string): Span | undefined {
  if (!SPAN.test(text)) return undefined
  const parts: Record<string, number> = {}
  for (const [, value, unit] of text.matchAll(PART)) parts[unit === 'mo' ? 'm' : unit!] = Number(value)
  return { years: parts['y'] ?? 0, months: parts['m'] ?? 0, days: (parts['w'] ?? 0) * 7 + (parts['d'] ?? 0), hours: parts['h'] ?? 0 }
}

/** @throws {BackupError} INVALID_ARGUMENT - with the grammar */
export function requireSpan(option: string, text: string): Span {
  const span = parseSpan(text)
  if (span === undefined) throw new BackupError('INVALID_ARGUMENT', `--${option} takes a span, not "${text}": ${SPAN_GRAMMAR}`)
  return span
}

export function isEmptySpan({ years, months, days, hours }: Span): boolean {
  return years === 0 && months === 0 && days === 0 && hours === 0
}

export function spanText(span: Span): string {
  const parts = ([[span.years, 'y'], [span.months, 'm'], [span.days, 'd'], [span.hours, 'h']] as const).filter(([value]) => value !== 0)
  return parts.length === 0 ? '0h' : parts.map(([value, unit]) => `${value}${unit}`).join('')
}

/**
 * The time so many spans later, or earlier when `times` is negative, by the calendar of the zone.
 * @param zoneAt - the zone in force at a time
 */
export function addSpan(ns: bigint, span: Span, times: number, zoneAt: ZoneAt): bigint {
  const local = ns + BigInt(zoneAt(ns)) * MINUTE_NS
  const day = floorDivide(local, DAY_NS)
  const civil = civilOf(day)
  const months = (civil.year + BigInt(span.years * times)) * 12n + (civil.month - 1n) + BigInt(span.months * times)
  const year = floorDivide(months, 12n)
  const newDay = daysOf(year, months - year * 12n + 1n, 1n) + civil.day - 1n + BigInt(span.days * times)
  const newLocal = newDay * DAY_NS + (local - day * DAY_NS)
  const guess = zoneAt(newLocal - BigInt(zoneAt(ns)) * MINUTE_NS)
  return newLocal - BigInt(zoneAt(newLocal - BigInt(guess) * MINUTE_NS)) * MINUTE_NS + BigInt(span.hours * times) * HOUR_NS
}
