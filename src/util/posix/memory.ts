/**
 * How the C library shares out memory. It gives each thread a heap of its own, and what is freed in one
 * does not serve the others. With one heap for all, a backup of noise took 6.95 s instead of 7.28, and one
 * of programs 350 MiB at the peak instead of 366. Its thresholds are left alone: fixed ones made each
 * large buffer memory that the system must find and clear, and the backup of noise took 13 s.
 */
import { nativeCalls } from './native.ts'

const M_ARENA_MAX = -8
let isLimited = false

/** For who is about to start threads. Holds for the process; does nothing where there is no glibc. */
export function limitHeaps(): void {
  if (isLimited) return
  isLimited = true
  nativeCalls()?.mallopt?.(M_ARENA_MAX, 1)
}
