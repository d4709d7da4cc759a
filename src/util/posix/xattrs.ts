/**
 * Extended attributes, among them ACLs and file capabilities, with names and values as raw bytes.
 * Calls on a name below a directory descriptor go through `/proc/self/fd`, as kernels before 6.13
 * have no such calls; without `/proc` they fail with ENOENT. Only listing, which a scan does for
 * every file, tries the new call first: it takes a third of the time. On `node:fs` there are none: lists
 * are empty and setting fails with ENOTSUP.
 */
import { cString, locatedCString, secondCString } from './c-string.ts'
import { CALL, nativeCalls, type NativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

/** The kernel's limit of both a list and a value. */
const MOST_BYTES = 65_536
/** Tried first: the kernel allocates as much as it is offered, and nearly all need less. */
const USUAL_BYTES = 1024

const AT_SYMLINK_NOFOLLOW = 0x100

const usual = Buffer.allocUnsafeSlow(USUAL_BYTES)
let most: Buffer | undefined
let listxattratMissing = false

type Fill = (calls: NativeCalls, out: Buffer, size: number) => number

/** The names of all attributes, a link's own; none where the file system has no attributes. */
export function listXattrsAt(dirFd: number, name: Uint8Array): Buffer[] {
  const calls = nativeCalls()
  if (calls === undefined) return []
  if (!listxattratMissing) {
    const names = listDirectly(calls, dirFd, name)
    if (names !== undefined) return names
  }
  const path = locatedCString(dirFd, name, 'listxattr')
  return splitNames(fill(calls, name, 'listxattr', (c, out, size) => c.llistxattr(path, out, size)))
}

/** By the call for it, a scan's most frequent but one; undefined where that cannot answer. */
function listDirectly(calls: NativeCalls, dirFd: number, name: Uint8Array): Buffer[] | undefined {
  const text = cString(name, 'listxattr')
  const call = CALL.listxattrat
  const length = calls.listxattrat(call, dirFd, text, AT_SYMLINK_NOFOLLOW, usual, USUAL_BYTES)
  if (length >= 0) return length === 0 ? [] : splitNames(usual.subarray(0, length))
  const errno = calls.errno()
  // EPERM is how some sandboxes refuse calls they do not know.
  listxattratMissing = errno === errnoNumber('ENOSYS') || errno === errnoNumber('EPERM')
  return undefined
}

/** As `listXattrsAt`, of an open file (not one opened with O_PATH). */
export function listXattrs(fd: number): Buffer[] {
  const calls = nativeCalls()
  if (calls === undefined) return []
  return splitNames(fill(calls, undefined, 'listxattr', (c, out, size) => c.flistxattr(fd, out, size)))
}

/** The value, the caller's to keep; undefined where there is no such attribute. */
export function getXattrAt(dirFd: number, name: Uint8Array, attribute: Uint8Array): Buffer | undefined {
  const calls = nativeCalls()
  if (calls === undefined) return undefined
  const path = locatedCString(dirFd, name, 'getxattr')
  const text = secondCString(attribute, 'getxattr')
  return copy(fill(calls, name, 'getxattr', (c, out, size) => c.lgetxattr(path, text, out, size)))
}

/** As `getXattrAt`, of an open file (not one opened with O_PATH). */
export function getXattr(fd: number, attribute: Uint8Array): Buffer | undefined {
  const calls = nativeCalls()
  if (calls === undefined) return undefined
  const text = secondCString(attribute, 'getxattr')
  return copy(fill(calls, undefined, 'getxattr', (c, out, size) => c.fgetxattr(fd, text, out, size)))
}

/** Creates or replaces. @throws {PosixError} ENOTSUP, EPERM, ENOSPC… */
export function setXattrAt(
  dirFd: number,
  name: Uint8Array,
  attribute: Uint8Array,
  value: Uint8Array,
): void {
  const calls = need(nativeCalls(), 'setxattr', name)
  const path = locatedCString(dirFd, name, 'setxattr')
  const text = secondCString(attribute, 'setxattr')
  check(calls, calls.lsetxattr(path, text, value, value.length, 0), 'setxattr', name)
}

export function setXattr(fd: number, attribute: Uint8Array, value: Uint8Array): void {
  const calls = need(nativeCalls(), 'setxattr')
  const text = secondCString(attribute, 'setxattr')
  check(calls, calls.fsetxattr(fd, text, value, value.length, 0), 'setxattr')
}

/** @throws {PosixError} ENODATA — when there is no such attribute */
export function removeXattrAt(dirFd: number, name: Uint8Array, attribute: Uint8Array): void {
  const calls = need(nativeCalls(), 'removexattr', name)
  const path = locatedCString(dirFd, name, 'removexattr')
  check(calls, calls.lremovexattr(path, secondCString(attribute, 'removexattr')), 'removexattr', name)
}

export function removeXattr(fd: number, attribute: Uint8Array): void {
  const calls = need(nativeCalls(), 'removexattr')
  check(calls, calls.fremovexattr(fd, secondCString(attribute, 'removexattr')), 'removexattr')
}

/** What the call filled, valid until the next call; undefined where there is no attribute. */
function fill(
  calls: NativeCalls,
  name: Uint8Array | undefined,
  syscall: string,
  call: Fill,
): Buffer | undefined {
  let buffer: Buffer = usual
  for (;;) {
    const length = call(calls, buffer, buffer.length)
    if (length >= 0) return buffer.subarray(0, length)
    const errno = calls.errno()
    if (errno === errnoNumber('ERANGE') && buffer === usual) {
      buffer = most ??= Buffer.allocUnsafeSlow(MOST_BYTES)
    } else if (errno === errnoNumber('ENODATA') || errno === errnoNumber('ENOTSUP')) {
      return undefined
    } else {
      throw systemError(errno, syscall, name)
    }
  }
}

/** Names, each closed by a NUL. */
function splitNames(list: Buffer | undefined): Buffer[] {
  const names: Buffer[] = []
  if (list === undefined) return names
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start)
    names.push(Buffer.from(list.subarray(start, end)))
    start = end + 1
  }
  return names
}

function copy(value: Buffer | undefined): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(value)
}

function need(calls: NativeCalls | undefined, syscall: string, name?: Uint8Array): NativeCalls {
  if (calls === undefined) throw systemError(errnoNumber('ENOTSUP'), syscall, name)
  return calls
}

function check(calls: NativeCalls, result: number, syscall: string, name?: Uint8Array): void {
  if (result !== 0) throw systemError(calls.errno(), syscall, name)
}
