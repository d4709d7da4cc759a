/**
 * The Gregorian calendar on whole numbers, without ends, without zones and without Date.
 */

const ERA_DAYS = 146_097n
/** Days from 0000-03-01 to the epoch: years counted from March end with their leap day. */
const EPOCH_DAYS = 719_468n

/** Days since the epoch of a day of the Gregorian calendar, which is taken to have been always. */
export function daysOf(year: bigint, month: bigint, day: bigint): bigint {
  const y = month <= 2n ? year - 1n : year
  const era = floorDivide(y, 400n)
  const yearOfEra = y - era * 400n
  const dayOfYear = (153n * (month > 2n ? month - 3n : month + 9n) + 2n) / 5n + day - 1n
  return era * ERA_DAYS + yearOfEra * 365n + yearOfEra / 4n - yearOfEra / 100n + dayOfYear - EPOCH_DAYS
}

/** The day of that number since the epoch. */
export function civilOf(days: bigint): { year: bigint; month: bigint; day: bigint } {
  const z = days + EPOCH_DAYS
  const era = floorDivide(z, ERA_DAYS)
  const dayOfEra = z - era * ERA_DAYS
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n)
  const fromMarch = (5n * dayOfYear + 2n) / 153n
  const month = fromMarch < 10n ? fromMarch + 3n : fromMarch - 9n
  return { year: yearOfEra + era * 400n + (month <= 2n ? 1n : 0n), month, day: dayOfYear - (153n * fromMarch + 2n) / 5n + 1n }
}

export function daysOfMonth(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** Rounds down, also below zero. */
export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient
}
