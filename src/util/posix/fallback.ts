/**
 * What all calls of the fallback on `node:fs` share: a directory descriptor and a name become one
 * path. On Linux that path leads through `/proc/self/fd`, hence through the descriptor itself;
 * elsewhere the path a directory was opened by is remembered, and a directory that is renamed
 * meanwhile leads astray. `posixCapabilities` says what is lost.
 */
import { existsSync } from 'node:fs'
import { AT_FDCWD } from './c-string.ts'
import { nativeCalls, nativeFailure } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

export interface PosixCapabilities {
  /** Whether the system calls themselves are used, rather than `node:fs`. */
  native: boolean
  /** What cannot be done or not exactly, in words for people; empty when native. */
  missing: readonly string[]
}

const LOST: readonly string[] = [
  'extended attributes and ACLs are neither read nor written',
  'FIFOs, sockets and devices cannot be created',
  'times are set to the microsecond, not to the nanosecond',
  'holes in sparse files are not found without reading them',
  'a rename that must not replace is a link and an unlink',
  'names are resolved again by path for each call',
]

const openDirectories = new Map<number, Buffer>()
let procChecked = false
let procPresent = false

/** Loads the native calls to find out. */
export function posixCapabilities(): PosixCapabilities {
  if (nativeCalls() !== undefined) return { native: true, missing: [] }
  return { native: false, missing: [`no native system calls: ${nativeFailure()}`, ...LOST] }
}

/** The path that stands for a name below a directory descriptor. */
export function pathOf(dirFd: number, name: Uint8Array, syscall: string): Buffer {
  if (name.includes(0)) throw systemError(errnoNumber('EINVAL'), syscall, name)
  if (name.length === 0) throw systemError(errnoNumber('ENOENT'), syscall, name)
  if (dirFd === AT_FDCWD || name[0] === 0x2f) return Buffer.from(name)
  return Buffer.concat([pathOfDescriptor(dirFd, syscall), Buffer.from('/'), name])
}

/** A path by which an open descriptor is reached again. */
export function pathOfDescriptor(fd: number, syscall: string): Buffer {
  if (!procChecked) {
    procPresent = process.platform === 'linux' && existsSync('/proc/self/fd')
    procChecked = true
  }
  if (procPresent) return Buffer.from(`/proc/self/fd/${fd}`)
  const remembered = openDirectories.get(fd)
  if (remembered === undefined) throw systemError(errnoNumber('EBADF'), syscall)
  return remembered
}

export function rememberDescriptor(fd: number, path: Buffer): void {
  openDirectories.set(fd, path)
}

export function forgetDescriptor(fd: number): void {
  openDirectories.delete(fd)
}

/** Runs a call of `node:fs`, whose errors then name what the caller asked for. */
export function calling<T>(syscall: string, name: Uint8Array | undefined, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') throw error
    throw systemError(-error.errno, syscall, name)
  }
}
