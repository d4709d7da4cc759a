/** Wall time, read in this one place, so that nothing else can come to depend on it unseen. */

/** Nanoseconds since the epoch, at the system clock's millisecond resolution. */
export function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}

/** Minutes east of UTC of the local zone at that time. */
export function zoneOffsetMinutes(timeNs: bigint): number {
  return -new Date(Number(timeNs / 1_000_000n)).getTimezoneOffset()
}

/** Monotonic milliseconds, for durations only. */
export function monotonicMs(): number {
  return performance.now()
}
