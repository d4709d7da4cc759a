/**
 * The C library's functions, bound through koffi on first use only: loading koffi takes tens of
 * milliseconds, which a command that touches no files must not pay. Only Linux on x64 and arm64 is
 * bound (struct layouts and call numbers below are theirs); elsewhere, or where koffi or the statx
 * call is missing, `nativeCalls` answers undefined and callers use the fallback on `node:fs`.
 */
import { createRequire } from 'node:module'
import { systemError, type PosixError } from './system-error.ts'

/** Arguments and results as in C; a result below zero means: see `errno()`, at once. */
export interface NativeCalls {
  errno(): number
  /** Of glibc alone. */
  mallopt: ((option: number, value: number) => number) | undefined
  statx(dirFd: number, name: Uint8Array, flags: number, mask: number, out: Uint8Array): number
  openat(dirFd: number, name: Uint8Array, flags: number, mode: number): number
  openat2(call: number, dirFd: number, name: Uint8Array, how: Uint8Array, size: number): number
  close(fd: number): number
  getdents64(call: number, fd: number, out: Uint8Array, size: number): number
  lseek(fd: number, offset: number, whence: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): number
  ioctl(fd: number, request: number, argument: number): number
  mkdirat(dirFd: number, name: Uint8Array, mode: number): number
  linkat(oldFd: number, old: Uint8Array, newFd: number, name: Uint8Array, flags: number): number
  symlinkat(target: Uint8Array, dirFd: number, name: Uint8Array): number
  mknodat(dirFd: number, name: Uint8Array, mode: number, device: number): number
  renameat(oldFd: number, old: Uint8Array, newFd: number, name: Uint8Array): number
  renameat2(
    call: number,
    oldFd: number,
    old: Uint8Array,
    newFd: number,
    name: Uint8Array,
    flags: number,
  ): number
  unlinkat(dirFd: number, name: Uint8Array, flags: number): number
  readlinkat(dirFd: number, name: Uint8Array, out: Uint8Array, size: number): number
  fchmod(fd: number, mode: number): number
  fchmodat2(call: number, dirFd: number, name: Uint8Array, mode: number, flags: number): number
  chmod(path: Uint8Array, mode: number): number
  fchown(fd: number, uid: number, gid: number): number
  fchownat(dirFd: number, name: Uint8Array, uid: number, gid: number, flags: number): number
  futimens(fd: number, times: Uint8Array): number
  utimensat(dirFd: number, name: Uint8Array, times: Uint8Array, flags: number): number
  listxattrat(
    call: number,
    dirFd: number,
    name: Uint8Array,
    flags: number,
    out: Uint8Array,
    size: number,
  ): number
  llistxattr(path: Uint8Array, out: Uint8Array, size: number): number
  flistxattr(fd: number, out: Uint8Array, size: number): number
  lgetxattr(path: Uint8Array, name: Uint8Array, out: Uint8Array, size: number): number
  fgetxattr(fd: number, name: Uint8Array, out: Uint8Array, size: number): number
  lsetxattr(
    path: Uint8Array,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ): number
  fsetxattr(fd: number, name: Uint8Array, value: Uint8Array, size: number, flags: number): number
  lremovexattr(path: Uint8Array, name: Uint8Array): number
  fremovexattr(fd: number, name: Uint8Array): number
  /** These four answer the errno itself. */
  getpwuid_r: LookUpById
  getgrgid_r: LookUpById
  getpwnam_r: LookUpByName
  getgrnam_r: LookUpByName
  /** Where a buffer lies in memory. */
  address(buffer: Uint8Array): bigint
}

export type LookUpById = (
  id: number,
  record: Uint8Array,
  text: Uint8Array,
  size: number,
  found: Uint8Array,
) => number

export type LookUpByName = (
  name: Uint8Array,
  record: Uint8Array,
  text: Uint8Array,
  size: number,
  found: Uint8Array,
) => number

const arm = process.arch === 'arm64'

/** Numbers of the calls that older C libraries have no function for. */
export const CALL = {
  getdents64: arm ? 61 : 217,
  renameat2: arm ? 276 : 316,
  openat2: 437,
  fchmodat2: 452,
  listxattrat: 465,
} as const

let attempted = false
let bound: NativeCalls | undefined
let reason = ''

/**
 * The bound functions, or undefined where only `node:fs` is to be had. Setting the environment
 * variable `NACRE_POSIX=fs` before the first call forces the fallback.
 */
export function nativeCalls(): NativeCalls | undefined {
  if (!attempted) attempt()
  return bound
}

/** Why there are no native calls; empty where there are. */
export function nativeFailure(): string {
  nativeCalls()
  return reason
}

/** The error of the call that has just failed: nothing may run between the two. */
export function lastError(calls: NativeCalls, syscall: string, path?: Uint8Array): PosixError {
  return systemError(calls.errno(), syscall, path)
}

function attempt(): void {
  attempted = true
  if (process.env['NACRE_POSIX'] === 'fs') {
    reason = 'switched off by NACRE_POSIX=fs'
  } else if (process.platform !== 'linux' || (process.arch !== 'x64' && !arm)) {
    reason = `not bound on ${process.platform} ${process.arch}`
  } else {
    try {
      bound = bind()
    } catch (error) {
      // Whatever keeps koffi from loading (absent, wrong libc, static Node) has the same answer.
      reason = error instanceof Error ? error.message : String(error)
    }
  }
}

function ofGlibc<T>(find: () => T): T | undefined {
  try {
    return find()
  } catch {
    return undefined
  }
}

function bind(): NativeCalls {
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
  const libc = koffi.load(null)
  const lookUp = ['void *', 'void *', 'size_t', 'void *']
  const calls: NativeCalls = {
    errno: koffi.errno,
    mallopt: ofGlibc(() => libc.func('mallopt', 'int', ['int', 'int'])),
    address: koffi.address,
    statx: libc.func('statx', 'int', ['int', 'void *', 'int', 'uint32_t', 'void *']),
    openat: libc.func('openat', 'int', ['int', 'void *', 'int', 'uint32_t']),
    openat2: libc.func('syscall', 'long', ['long', 'int', 'void *', 'void *', 'size_t']),
    close: libc.func('close', 'int', ['int']),
    getdents64: libc.func('syscall', 'long', ['long', 'int', 'void *', 'size_t']),
    lseek: libc.func('lseek', 'int64_t', ['int', 'int64_t', 'int']),
    fallocate: libc.func('fallocate', 'int', ['int', 'int', 'int64_t', 'int64_t']),
    ioctl: libc.func('ioctl', 'int', ['int', 'unsigned long', 'int']),
    mkdirat: libc.func('mkdirat', 'int', ['int', 'void *', 'uint32_t']),
    linkat: libc.func('linkat', 'int', ['int', 'void *', 'int', 'void *', 'int']),
    symlinkat: libc.func('symlinkat', 'int', ['void *', 'int', 'void *']),
    mknodat: libc.func('mknodat', 'int', ['int', 'void *', 'uint32_t', 'uint64_t']),
    renameat: libc.func('renameat', 'int', ['int', 'void *', 'int', 'void *']),
    renameat2: libc.func('syscall', 'long', ['long', 'int', 'void *', 'int', 'void *', 'uint32_t']),
    unlinkat: libc.func('unlinkat', 'int', ['int', 'void *', 'int']),
    readlinkat: libc.func('readlinkat', 'long', ['int', 'void *', 'void *', 'size_t']),
    fchmod: libc.func('fchmod', 'int', ['int', 'uint32_t']),
    fchmodat2: libc.func('syscall', 'long', ['long', 'int', 'void *', 'uint32_t', 'int']),
    chmod: libc.func('chmod', 'int', ['void *', 'uint32_t']),
    fchown: libc.func('fchown', 'int', ['int', 'uint32_t', 'uint32_t']),
    fchownat: libc.func('fchownat', 'int', ['int', 'void *', 'uint32_t', 'uint32_t', 'int']),
    futimens: libc.func('futimens', 'int', ['int', 'void *']),
    utimensat: libc.func('utimensat', 'int', ['int', 'void *', 'void *', 'int']),
    listxattrat: libc.func('syscall', 'long', ['long', 'int', 'void *', 'uint32_t', 'void *', 'size_t']),
    llistxattr: libc.func('llistxattr', 'long', ['void *', 'void *', 'size_t']),
    flistxattr: libc.func('flistxattr', 'long', ['int', 'void *', 'size_t']),
    lgetxattr: libc.func('lgetxattr', 'long', ['void *', 'void *', 'void *', 'size_t']),
    fgetxattr: libc.func('fgetxattr', 'long', ['int', 'void *', 'void *', 'size_t']),
    lsetxattr: libc.func('lsetxattr', 'int', ['void *', 'void *', 'void *', 'size_t', 'int']),
    fsetxattr: libc.func('fsetxattr', 'int', ['int', 'void *', 'void *', 'size_t', 'int']),
    lremovexattr: libc.func('lremovexattr', 'int', ['void *', 'void *']),
    fremovexattr: libc.func('fremovexattr', 'int', ['int', 'void *']),
    getpwuid_r: libc.func('getpwuid_r', 'int', ['uint32_t', ...lookUp]),
    getgrgid_r: libc.func('getgrgid_r', 'int', ['uint32_t', ...lookUp]),
    getpwnam_r: libc.func('getpwnam_r', 'int', ['void *', ...lookUp]),
    getgrnam_r: libc.func('getgrnam_r', 'int', ['void *', ...lookUp]),
  }
  // Kernels before 4.11 and strict sandboxes have no statx; then nothing native is of use.
  const failed = calls.statx(-100, Buffer.from('/\0'), 0, 0x7ff, Buffer.alloc(256)) !== 0
  if (failed) throw lastError(calls, 'statx')
  return calls
}
