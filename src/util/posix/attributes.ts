/**
 * Permissions and ownership, on descriptors and on names below directory descriptors. A link at the
 * end of a name is never followed.
 */
import { cString } from './c-string.ts'
import * as fallback from './fallback-attributes.ts'
import { CALL, lastError, nativeCalls, type NativeCalls } from './native.ts'
import { close, O_NOFOLLOW, O_PATH, openAt } from './open.ts'
import { fstat } from './stat.ts'
import { errnoNumber, systemError } from './system-error.ts'

const AT_SYMLINK_NOFOLLOW = 0x100
let fchmodat2Missing = false

/** The low 12 bits of the mode. */
export function fchmod(fd: number, mode: number): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.fchmod(fd, mode)
  if (calls.fchmod(fd, mode & 0o7777) !== 0) throw lastError(calls, 'fchmod')
}

/** @throws {PosixError} ENOTSUP — for a link: links have no permissions on Linux */
export function fchmodAt(dirFd: number, name: Uint8Array, mode: number): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.fchmodAt(dirFd, name, mode)
  const bits = mode & 0o7777
  if (!fchmodat2Missing) {
    const text = cString(name, 'chmod')
    const call = CALL.fchmodat2
    if (calls.fchmodat2(call, dirFd, text, bits, AT_SYMLINK_NOFOLLOW) === 0) return
    const errno = calls.errno()
    // Older kernels lack the call; EPERM is also how some sandboxes refuse what they do not know.
    fchmodat2Missing = errno === errnoNumber('ENOSYS')
    if (!fchmodat2Missing && errno !== errnoNumber('EPERM')) throw systemError(errno, 'chmod', name)
  }
  chmodThroughPath(calls, dirFd, name, bits)
}

/** A uid or gid of -1 leaves it as it is. */
export function fchown(fd: number, uid: number, gid: number): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.fchown(fd, uid, gid)
  if (calls.fchown(fd, uid >>> 0, gid >>> 0) !== 0) throw lastError(calls, 'fchown')
}

/** A link itself is given to another owner. */
export function fchownAt(dirFd: number, name: Uint8Array, uid: number, gid: number): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.fchownAt(dirFd, name, uid, gid)
  const text = cString(name, 'chown')
  if (calls.fchownat(dirFd, text, uid >>> 0, gid >>> 0, AT_SYMLINK_NOFOLLOW) !== 0) {
    throw lastError(calls, 'chown', name)
  }
}

/** Holds the file by a descriptor that needs no permission on it, then changes what is held. */
function chmodThroughPath(calls: NativeCalls, dirFd: number, name: Uint8Array, mode: number): void {
  const fd = openAt(dirFd, name, O_PATH | O_NOFOLLOW)
  try {
    if (fstat(fd).type === 'symlink') throw systemError(errnoNumber('ENOTSUP'), 'chmod', name)
    const held = cString(Buffer.from(`/proc/self/fd/${fd}`), 'chmod')
    if (calls.chmod(held, mode) !== 0) throw lastError(calls, 'chmod', name)
  } finally {
    close(fd)
  }
}
