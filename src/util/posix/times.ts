/**
 * Setting access and modification times with all their nanoseconds, before 1970 and after 2038, as
 * Node's own calls, which take a number of seconds, cannot.
 */
import { cString } from './c-string.ts'
import { fallbackSetTimes, fallbackSetTimesAt } from './fallback-attributes.ts'
import { lastError, nativeCalls } from './native.ts'

/** A `FileStat` is one. Without an access time the present one stays. */
export interface FileTimes {
  mtimeS: number
  /** 0 to 999,999,999, also before 1970. */
  mtimeNs: number
  atimeS?: number | undefined
  atimeNs?: number | undefined
}

const AT_SYMLINK_NOFOLLOW = 0x100
const UTIME_OMIT = 0x3ffffffe

const times = Buffer.from(new ArrayBuffer(32))
const words = new Int32Array(times.buffer)

export function setTimes(fd: number, to: FileTimes): void {
  checkTimes(to)
  const calls = nativeCalls()
  if (calls === undefined) return fallbackSetTimes(fd, to)
  encodeTimes(to)
  if (calls.futimens(fd, times) !== 0) throw lastError(calls, 'futime')
}

/** A link at the end of the name gets the times itself. */
export function setTimesAt(dirFd: number, name: Uint8Array, to: FileTimes): void {
  checkTimes(to)
  const calls = nativeCalls()
  if (calls === undefined) return fallbackSetTimesAt(dirFd, name, to)
  encodeTimes(to)
  if (calls.utimensat(dirFd, cString(name, 'utime'), times, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw lastError(calls, 'utime', name)
  }
}

/** Two nanosecond values beyond the range have meanings of their own (now, omit) to the kernel. */
function checkTimes(to: FileTimes): void {
  checkTime(to.mtimeS, to.mtimeNs)
  checkTime(to.atimeS ?? 0, to.atimeNs ?? 0)
}

function checkTime(seconds: number, nanoseconds: number): void {
  const exact = Number.isSafeInteger(seconds) && Number.isInteger(nanoseconds)
  if (!exact || nanoseconds < 0 || nanoseconds > 999_999_999) {
    throw new RangeError(`no such time: ${seconds} s and ${nanoseconds} ns`)
  }
}

/** Two timespecs, access before modification: 64-bit seconds, 64-bit nanoseconds. */
function encodeTimes(to: FileTimes): void {
  encodeTime(0, to.atimeS ?? 0, to.atimeS === undefined ? UTIME_OMIT : (to.atimeNs ?? 0))
  encodeTime(4, to.mtimeS, to.mtimeNs)
}

function encodeTime(at: number, seconds: number, nanoseconds: number): void {
  words[at] = seconds % 0x100000000
  words[at + 1] = Math.floor(seconds / 0x100000000)
  words[at + 2] = nanoseconds
  words[at + 3] = 0
}
