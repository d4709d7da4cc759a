/** The calendar periods that retention counts by: which hour, day, week, month or year a time is in. */
import { civilOf, daysOf, floorDivide } from '../../util/calendar.ts'

export const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
export type Period = (typeof PERIODS)[number]

const MINUTE_NS = 60_000_000_000n
const HOUR_NS = 60n * MINUTE_NS
const DAY_NS = 24n * HOUR_NS

/**
 * A label that is the same for two times of one period, and only for these. A week is that of
 * ISO 8601, with the year that it belongs to: 2024-12-30 is in 2025-W01.
 * @param zoneMinutes - east of UTC, where the clock on the wall shows the time
 */
export function periodOf(period: Period, ns: bigint, zoneMinutes: number): string {
  const local = ns + BigInt(zoneMinutes) * MINUTE_NS
  const day = floorDivide(local, DAY_NS)
  if (period === 'weekly') return isoWeek(day)
  const { year, month, day: dayOfMonth } = civilOf(day)
  if (period === 'yearly') return `${year}`
  if (period === 'monthly') return `${year}-${month}`
  if (period === 'daily') return `${year}-${month}-${dayOfMonth}`
  return `${year}-${month}-${dayOfMonth} ${(local - day * DAY_NS) / HOUR_NS}`
}

/** A week belongs to the year of its Thursday. */
function isoWeek(day: bigint): string {
  // Day 0 was a Thursday; Monday counts as 0.
  const weekday = (((day + 3n) % 7n) + 7n) % 7n
  const thursday = day - weekday + 3n
  const { year } = civilOf(thursday)
  return `${year}-W${(thursday - daysOf(year, 1n, 1n)) / 7n + 1n}`
}
