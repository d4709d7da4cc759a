/**
 * What the kernel knows about a file, by `statx` into one reused buffer: all times with nanoseconds,
 * and plain numbers wherever they are exact, because a bigint per field makes a scan of millions of
 * files slow.
 */
import { cString } from './c-string.ts'
import { fallbackFstat, fallbackStatAt } from './fallback-stat.ts'
import { fileTypeOfMode, type FileStat } from './file-stat.ts'
import { nativeCalls, type NativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

export { AT_FDCWD } from './c-string.ts'
export type { FileStat, FileType } from './file-stat.ts'

export interface StatOptions {
  /** Whether a link at the end of the name is followed; by default it is not. */
  follow?: boolean
}

const AT_SYMLINK_NOFOLLOW = 0x100
const AT_NO_AUTOMOUNT = 0x800
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff
const STATX_ATTR_MOUNT_ROOT = 0x2000

const record = Buffer.from(new ArrayBuffer(256))
const words = new Uint32Array(record.buffer)
const signedWords = new Int32Array(record.buffer)
const NO_NAME = Buffer.from([0])

/** @throws {PosixError} ENOENT and others */
export function statAt(dirFd: number, name: Uint8Array, options?: StatOptions): FileStat {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackStatAt(dirFd, name, options?.follow === true)
  if (callStatx(calls, dirFd, name, options) !== 0) throw systemError(calls.errno(), 'stat', name)
  return decodeRecord()
}

/** As `statAt`, but a name that is not there (ENOENT, ENOTDIR) answers undefined. */
export function statAtIfPresent(
  dirFd: number,
  name: Uint8Array,
  options?: StatOptions,
): FileStat | undefined {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackStatAt(dirFd, name, options?.follow === true, true)
  if (callStatx(calls, dirFd, name, options) === 0) return decodeRecord()
  const errno = calls.errno()
  if (errno === errnoNumber('ENOENT') || errno === errnoNumber('ENOTDIR')) return undefined
  throw systemError(errno, 'stat', name)
}

/** Works on every descriptor, those opened with O_PATH included. */
export function fstat(fd: number): FileStat {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackFstat(fd)
  // A name of nothing would stand for the working directory if the descriptor did.
  if (fd < 0) throw systemError(errnoNumber('EBADF'), 'fstat')
  if (calls.statx(fd, NO_NAME, AT_EMPTY_PATH, STATX_BASIC_STATS, record) !== 0) {
    throw systemError(calls.errno(), 'fstat')
  }
  return decodeRecord()
}

/** Whether something is mounted on the folder; false where the kernel does not tell (before 5.8). */
export function isMountPoint(fd: number): boolean {
  const calls = nativeCalls()
  if (calls === undefined) return false
  if (calls.statx(fd, NO_NAME, AT_EMPTY_PATH, STATX_BASIC_STATS, record) !== 0) throw systemError(calls.errno(), 'fstat')
  return (words[2]! & words[14]! & STATX_ATTR_MOUNT_ROOT) !== 0
}

function callStatx(
  calls: NativeCalls,
  dirFd: number,
  name: Uint8Array,
  options: StatOptions | undefined,
): number {
  const follow = options !== undefined && options.follow === true
  const flags = follow ? AT_NO_AUTOMOUNT : AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW
  return calls.statx(dirFd, cString(name, 'stat'), flags, STATX_BASIC_STATS, record)
}

/**
 * struct statx, in words of 4 bytes: 2 attributes, 14 which of these are told, 4 nlink, 5 uid, 6 gid, 7 mode (16 bits), 8 ino, 10 size,
 * 12 blocks, 16 atime, 20 btime, 24 ctime, 28 mtime (each: 64-bit seconds, 32-bit nanoseconds),
 * 32 rdev major, 33 minor, 34 dev major, 35 minor.
 */
function decodeRecord(): FileStat {
  const mode = words[7]! & 0xffff
  return {
    type: fileTypeOfMode(mode),
    mode: mode & 0o7777,
    uid: words[5]!,
    gid: words[6]!,
    size: words[11]! * 0x100000000 + words[10]!,
    inode: words[9]! < 0x200000 ? words[9]! * 0x100000000 + words[8]! : largeInode(),
    device: words[34]! * 0x100000000 + words[35]!,
    links: words[4]!,
    mtimeS: signedWords[29]! * 0x100000000 + words[28]!,
    mtimeNs: words[30]!,
    ctimeS: signedWords[25]! * 0x100000000 + words[24]!,
    ctimeNs: words[26]!,
    atimeS: signedWords[17]! * 0x100000000 + words[16]!,
    atimeNs: words[18]!,
    rdevMajor: words[32]!,
    rdevMinor: words[33]!,
    blocks: words[13]! * 0x100000000 + words[12]!,
  }
}

function largeInode(): bigint {
  return (BigInt(words[9]!) << 32n) | BigInt(words[8]!)
}
