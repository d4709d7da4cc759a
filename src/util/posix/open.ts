/**
 * Opening below a directory descriptor, so that what is opened cannot be exchanged by a rename or a
 * link higher up. Every descriptor is close-on-exec. A descriptor from here is closed by `close`
 * from here and by nothing else: Node tracks the descriptors of its own `openSync` in workers and
 * closes them by number when the worker ends.
 */
import { closeSync, constants, openSync } from 'node:fs'
import { cString, PATH_LIMIT } from './c-string.ts'
import { calling, forgetDescriptor, pathOf, rememberDescriptor } from './fallback.ts'
import { CALL, nativeCalls, type NativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

export { AT_FDCWD } from './c-string.ts'

const linux = process.platform === 'linux'

export const O_RDONLY = constants.O_RDONLY
export const O_WRONLY = constants.O_WRONLY
export const O_RDWR = constants.O_RDWR
export const O_CREAT = constants.O_CREAT
export const O_EXCL = constants.O_EXCL
export const O_TRUNC = constants.O_TRUNC
export const O_NOFOLLOW = constants.O_NOFOLLOW
export const O_DIRECTORY = constants.O_DIRECTORY
/** With it neither opening nor reading a FIFO or a device waits. */
export const O_NONBLOCK = constants.O_NONBLOCK
/** 0 where there is none. `openAt` tries again without it where it is not permitted. */
export const O_NOATIME = linux ? constants.O_NOATIME : 0
/** A descriptor that only names its file, whatever its permissions; 0 where there is none. */
export const O_PATH = linux ? 0o10000000 : 0
const O_CLOEXEC = linux ? 0o2000000 : process.platform === 'darwin' ? 0x1000000 : 0

/** To read a file that a scan has met: links refused, FIFOs harmless, access time left alone. */
export const OPEN_TO_READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME
/** To list a folder and to reach what is in it. */
export const OPEN_DIRECTORY = O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_NOATIME

const RESOLVE_NO_SYMLINKS = 4
const RESOLVE_BENEATH = 8
const HOW_BYTES = 24

const how = Buffer.from(new ArrayBuffer(HOW_BYTES))
const howWords = new Uint32Array(how.buffer)
let openat2Missing = false

/** @throws {PosixError} ENOENT, ELOOP for a link under O_NOFOLLOW, EEXIST under O_EXCL… */
export function openAt(dirFd: number, name: Uint8Array, flags: number, mode = 0o600): number {
  const calls = nativeCalls()
  const open = calls === undefined ? openByPath : openNative
  const result = open(calls, dirFd, name, flags | O_CLOEXEC, mode)
  if (result >= 0) return result
  throw systemError(-result, 'open', name)
}

/** As `openAt`, but a name that is not there (ENOENT, ENOTDIR) answers undefined. */
export function openAtIfPresent(
  dirFd: number,
  name: Uint8Array,
  flags: number,
  mode = 0o600,
): number | undefined {
  const calls = nativeCalls()
  const open = calls === undefined ? openByPath : openNative
  const result = open(calls, dirFd, name, flags | O_CLOEXEC, mode)
  if (result >= 0) return result
  if (result === -errnoNumber('ENOENT') || result === -errnoNumber('ENOTDIR')) return undefined
  throw systemError(-result, 'open', name)
}

/**
 * Opens a path of several names that may neither leave the directory nor pass through a link: one
 * call where the kernel has openat2, else a walk that opens name after name.
 *
 * @throws {PosixError} EXDEV — when the path is absolute or climbs out; ELOOP or ENOTDIR — when it
 * meets a link
 */
export function openBeneath(dirFd: number, path: Uint8Array, flags: number, mode = 0o600): number {
  const calls = nativeCalls()
  if (calls !== undefined && !openat2Missing && path.length < PATH_LIMIT) {
    const result = openNativeBeneath(calls, dirFd, path, flags | O_CLOEXEC, mode)
    if (result >= 0) return result
    // EPERM is also how some sandboxes refuse calls they do not know.
    openat2Missing = result === -errnoNumber('ENOSYS')
    if (!openat2Missing && result !== -errnoNumber('EPERM')) throw systemError(-result, 'open', path)
  }
  return walkBeneath(dirFd, path, flags, mode)
}

/** @throws {PosixError} EIO, ENOSPC, EDQUOT — when a network file system reports late */
export function close(fd: number): void {
  const calls = nativeCalls()
  if (calls === undefined) {
    forgetDescriptor(fd)
    calling('close', undefined, () => closeSync(fd))
    return
  }
  if (calls.close(fd) === 0) return
  const errno = calls.errno()
  // An interrupted close has closed all the same, on Linux.
  if (errno !== errnoNumber('EINTR')) throw systemError(errno, 'close')
}

/** The descriptor, or the errno below zero. */
function openNative(
  calls: NativeCalls | undefined,
  dirFd: number,
  name: Uint8Array,
  flags: number,
  mode: number,
): number {
  if (calls === undefined) return -errnoNumber('ENOSYS')
  const text = cString(name, 'open')
  for (;;) {
    const fd = calls.openat(dirFd, text, flags, mode)
    if (fd >= 0) return fd
    const errno = calls.errno()
    if (errno === errnoNumber('EPERM') && (flags & O_NOATIME) !== 0) flags &= ~O_NOATIME
    else if (errno !== errnoNumber('EINTR')) return -errno
  }
}

function openByPath(
  _calls: NativeCalls | undefined,
  dirFd: number,
  name: Uint8Array,
  flags: number,
  mode: number,
): number {
  const path = pathOf(dirFd, name, 'open')
  for (;;) {
    try {
      const fd = openSync(path, flags, mode)
      rememberDescriptor(fd, path)
      return fd
    } catch (error) {
      if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') throw error
      if (error.errno !== -errnoNumber('EPERM') || (flags & O_NOATIME) === 0) return error.errno
      flags &= ~O_NOATIME
    }
  }
}

/** struct open_how: 64-bit flags, mode and resolve. */
function openNativeBeneath(
  calls: NativeCalls,
  dirFd: number,
  path: Uint8Array,
  flags: number,
  mode: number,
): number {
  const text = cString(path, 'open')
  // The kernel answers EAGAIN when something was renamed meanwhile: trying again is its advice.
  for (let attempts = 0; ; attempts++) {
    howWords[0] = flags
    howWords[2] = (flags & O_CREAT) === 0 ? 0 : mode & 0o7777
    howWords[4] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
    const fd = calls.openat2(CALL.openat2, dirFd, text, how, HOW_BYTES)
    if (fd >= 0) return fd
    const errno = calls.errno()
    if (errno === errnoNumber('EPERM') && (flags & O_NOATIME) !== 0) flags &= ~O_NOATIME
    else if (errno === errnoNumber('EAGAIN') && attempts < 32) continue
    else if (errno !== errnoNumber('EINTR')) return -errno
  }
}

function walkBeneath(dirFd: number, path: Uint8Array, flags: number, mode: number): number {
  const names = splitBeneath(path)
  const last = names.pop()
  if (last === undefined) throw systemError(errnoNumber('ENOENT'), 'open', path)
  let at = dirFd
  try {
    for (const name of names) {
      const next = openAt(at, name, O_RDONLY | O_PATH | O_DIRECTORY | O_NOFOLLOW)
      if (at !== dirFd) close(at)
      at = next
    }
    return openAt(at, last, flags | O_NOFOLLOW, mode)
  } finally {
    if (at !== dirFd) close(at)
  }
}

/** The names of a path; `.` and doubled slashes fall away, whatever could climb is refused. */
function splitBeneath(path: Uint8Array): Uint8Array[] {
  if (path[0] === 0x2f) throw systemError(errnoNumber('EXDEV'), 'open', path)
  const names: Uint8Array[] = []
  for (let start = 0; start < path.length; ) {
    const slash = path.indexOf(0x2f, start)
    const end = slash === -1 ? path.length : slash
    const name = path.subarray(start, end)
    start = end + 1
    if (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e) {
      throw systemError(errnoNumber('EXDEV'), 'open', path)
    }
    if (name.length !== 0 && !(name.length === 1 && name[0] === 0x2e)) names.push(name)
  }
  return names
}
