/**
 * Making, renaming and removing names below directory descriptors, so that no rename or link higher
 * up can lead a restore or a delete out of its target.
 */
import { cString, secondCString } from './c-string.ts'
import * as fallback from './fallback-create.ts'
import { CALL, lastError, nativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

export interface SpecialFile {
  type: 'fifo' | 'socket' | 'block' | 'character'
  /** The low 12 bits; the umask applies. */
  mode: number
  /** For devices. */
  rdevMajor?: number
  rdevMinor?: number
}

const AT_REMOVEDIR = 0x200
const RENAME_NOREPLACE = 1
const TYPE_BITS = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const
/** The longest target that a link can have is one byte shorter. */
const TARGET_BYTES = 4096

const targetBuffer = Buffer.allocUnsafeSlow(TARGET_BYTES)

/** The umask applies to the mode. @throws {PosixError} EEXIST… */
export function mkdirAt(dirFd: number, name: Uint8Array, mode = 0o777): void {
  if (!mkdirAtIfAbsent(dirFd, name, mode)) throw systemError(errnoNumber('EEXIST'), 'mkdir', name)
}

/** Answers false where the name exists already, as whatever it may be. */
export function mkdirAtIfAbsent(dirFd: number, name: Uint8Array, mode = 0o777): boolean {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.mkdirAtIfAbsent(dirFd, name, mode)
  if (calls.mkdirat(dirFd, cString(name, 'mkdir'), mode) === 0) return true
  const errno = calls.errno()
  if (errno === errnoNumber('EEXIST')) return false
  throw systemError(errno, 'mkdir', name)
}

/** A second name for a file; a link at the end of the old name is itself given a second name. */
export function linkAt(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.linkAt(oldDirFd, oldName, newDirFd, newName)
  const from = cString(oldName, 'link')
  const to = secondCString(newName, 'link')
  if (calls.linkat(oldDirFd, from, newDirFd, to, 0) !== 0) throw lastError(calls, 'link', newName)
}

export function symlinkAt(target: Uint8Array, dirFd: number, name: Uint8Array): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.symlinkAt(target, dirFd, name)
  const to = secondCString(target, 'symlink')
  if (calls.symlinkat(to, dirFd, cString(name, 'symlink')) !== 0) {
    throw lastError(calls, 'symlink', name)
  }
}

/** The target's bytes, the caller's to keep. @throws {PosixError} EINVAL — when it is no link */
export function readlinkAt(dirFd: number, name: Uint8Array): Buffer {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.readlinkAt(dirFd, name)
  const text = cString(name, 'readlink')
  const length = calls.readlinkat(dirFd, text, targetBuffer, TARGET_BYTES)
  if (length < 0) throw lastError(calls, 'readlink', name)
  // A buffer filled to the brim may hold half a target; no file system of Linux gets here.
  if (length === TARGET_BYTES) throw systemError(errnoNumber('ENAMETOOLONG'), 'readlink', name)
  return Buffer.from(targetBuffer.subarray(0, length))
}

/** @throws {PosixError} EPERM — for devices, unless root; ENOSYS — without native calls */
export function mknodAt(dirFd: number, name: Uint8Array, file: SpecialFile): void {
  const calls = nativeCalls()
  if (calls === undefined) throw systemError(errnoNumber('ENOSYS'), 'mknod', name)
  const mode = TYPE_BITS[file.type] | (file.mode & 0o7777)
  const device = packDevice(file.rdevMajor ?? 0, file.rdevMinor ?? 0)
  if (calls.mknodat(dirFd, cString(name, 'mknod'), mode, device) !== 0) {
    throw lastError(calls, 'mknod', name)
  }
}

/** Replaces what has the new name, at once and whole. */
export function renameAt(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): void {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.renameAt(oldDirFd, oldName, newDirFd, newName)
  const from = cString(oldName, 'rename')
  const to = secondCString(newName, 'rename')
  if (calls.renameat(oldDirFd, from, newDirFd, to) !== 0) throw lastError(calls, 'rename', newName)
}

/**
 * Answers false, and leaves both alone, where the new name exists. On file systems that cannot
 * promise this a file is linked and unlinked instead, which can leave both names after a crash.
 */
export function renameAtNoReplace(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): boolean {
  const calls = nativeCalls()
  if (calls === undefined) return fallback.renameAtNoReplace(oldDirFd, oldName, newDirFd, newName)
  const from = cString(oldName, 'rename')
  const to = secondCString(newName, 'rename')
  const call = CALL.renameat2
  if (calls.renameat2(call, oldDirFd, from, newDirFd, to, RENAME_NOREPLACE) === 0) return true
  const errno = calls.errno()
  if (errno === errnoNumber('EEXIST')) return false
  if (errno !== errnoNumber('ENOSYS') && errno !== errnoNumber('EINVAL')) {
    throw systemError(errno, 'rename', newName)
  }
  if (calls.linkat(oldDirFd, from, newDirFd, to, 0) !== 0) {
    const linkErrno = calls.errno()
    if (linkErrno === errnoNumber('EEXIST')) return false
    throw systemError(linkErrno, 'rename', newName)
  }
  if (calls.unlinkat(oldDirFd, from, 0) !== 0) throw lastError(calls, 'rename', oldName)
  return true
}

/** Removes a name, or an empty directory when asked for that. @throws {PosixError} ENOENT… */
export function unlinkAt(
  dirFd: number,
  name: Uint8Array,
  options?: { directory?: boolean },
): void {
  if (unlinkAtIfPresent(dirFd, name, options)) return
  throw systemError(errnoNumber('ENOENT'), options?.directory === true ? 'rmdir' : 'unlink', name)
}

/** Answers false where there is no such name. */
export function unlinkAtIfPresent(
  dirFd: number,
  name: Uint8Array,
  options?: { directory?: boolean },
): boolean {
  const directory = options?.directory === true
  const calls = nativeCalls()
  if (calls === undefined) return fallback.unlinkAtIfPresent(dirFd, name, directory)
  const syscall = directory ? 'rmdir' : 'unlink'
  const flags = directory ? AT_REMOVEDIR : 0
  if (calls.unlinkat(dirFd, cString(name, syscall), flags) === 0) return true
  const errno = calls.errno()
  if (errno === errnoNumber('ENOENT')) return false
  throw systemError(errno, syscall, name)
}

/**
 * dev_t of the C libraries: minor bits 0-7, major 8-19, minor 20-43, major 44-63. The kernel takes
 * 12 bits of major and 20 of minor.
 */
function packDevice(major: number, minor: number): number {
  if (!inRange(major, 0xfff) || !inRange(minor, 0xfffff)) {
    throw new RangeError(`no such device number: ${major}:${minor}`)
  }
  return (minor & 0xff) + major * 0x100 + (minor >> 8) * 0x100000
}

function inRange(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= limit
}
