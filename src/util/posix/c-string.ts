/**
 * Names on their way into the kernel: raw bytes, copied with a closing NUL into scratch memory that
 * every call reuses, so that no call allocates. A system call reads its names before it returns,
 * and all calls here are synchronous, so one scratch per argument is enough (each thread has its
 * own copy of this module).
 */
import { errnoNumber, systemError } from './system-error.ts'

/** PATH_MAX of Linux, closing NUL included. The kernel refuses anything longer. */
export const PATH_LIMIT = 4096

const first = Buffer.allocUnsafeSlow(PATH_LIMIT)
const second = Buffer.allocUnsafeSlow(PATH_LIMIT)
/** Begins with the path of the descriptor `prefixFd`, as many calls in a row name the same one. */
const located = Buffer.allocUnsafeSlow(PATH_LIMIT)
let prefixFd = -1
let prefixLength = 0

/** The working directory, wherever a directory descriptor is expected. */
export const AT_FDCWD = process.platform === 'darwin' ? -2 : -100

/** The name with a closing NUL, valid until the next call of this function. */
export function cString(name: Uint8Array, syscall: string): Buffer {
  return terminate(first, 0, name, syscall)
}

/** As `cString`, for the second name of a call. */
export function secondCString(name: Uint8Array, syscall: string): Buffer {
  return terminate(second, 0, name, syscall)
}

/**
 * A path for calls that take no directory descriptor (the xattr family): `/proc/self/fd/N/name`
 * passes through the descriptor itself, so renames and links above it cannot lead it astray. Valid
 * until the next call of this function or of `cString`.
 */
export function locatedCString(dirFd: number, name: Uint8Array, syscall: string): Buffer {
  if (dirFd === AT_FDCWD || name[0] === 0x2f) return terminate(first, 0, name, syscall)
  if (dirFd !== prefixFd) {
    prefixLength = located.write(`/proc/self/fd/${dirFd}/`, 'latin1')
    prefixFd = dirFd
  }
  return terminate(located, prefixLength, name, syscall)
}

function terminate(into: Buffer, at: number, name: Uint8Array, syscall: string): Buffer {
  const length = name.length
  if (at + length >= PATH_LIMIT) throw systemError(errnoNumber('ENAMETOOLONG'), syscall, name)
  if (length <= 48) {
    for (let i = 0; i < length; i++) {
      const byte = name[i]!
      if (byte === 0) throw systemError(errnoNumber('EINVAL'), syscall, name)
      into[at + i] = byte
    }
  } else {
    if (name.includes(0)) throw systemError(errnoNumber('EINVAL'), syscall, name)
    into.set(name, at)
  }
  into[at + length] = 0
  return into
}
