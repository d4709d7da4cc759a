import { formatTime } from '../index.ts'

/** A time as the clock on the wall here showed it, to the second. */
export function localTime(ns: bigint): string {
  const offset = new Date(Number(ns / 1_000_000n)).getTimezoneOffset()
  return formatTime(ns, Number.isNaN(offset) ? 0 : -offset).slice(0, 19).replace('T', ' ')
}
