/** What is known about a file, in the same shape whichever way it was asked for. */
import { errnoNumber, systemError } from './system-error.ts'

export type FileType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'block'
  | 'character'

export interface FileStat {
  type: FileType
  /** Permissions with set-user-id, set-group-id and sticky: the low 12 bits. */
  mode: number
  uid: number
  gid: number
  size: number
  /** A number up to 2^53 - 1, a bigint above: equal inodes are always `===`. */
  inode: number | bigint
  /** major * 2^32 + minor. */
  device: number
  links: number
  /** Whole seconds, rounded down; negative before 1970. The matching Ns is 0 to 999,999,999. */
  mtimeS: number
  mtimeNs: number
  ctimeS: number
  ctimeNs: number
  atimeS: number
  atimeNs: number
  /** What device a block or character special file stands for; 0 for all others. */
  rdevMajor: number
  rdevMinor: number
  /** Blocks of 512 bytes in use. */
  blocks: number
}

/** Some file systems do not say the type of an entry: then `statAt` does. */
export type EntryType = FileType | 'unknown'

export interface DirectoryEntry {
  name: Buffer
  type: EntryType
}

/** By bits 12 to 15 of a mode, which is also how directory entries number them. */
const TYPES: readonly (FileType | undefined)[] = [
  undefined,
  'fifo',
  'character',
  undefined,
  'directory',
  undefined,
  'block',
  undefined,
  'file',
  undefined,
  'symlink',
  undefined,
  'socket',
]

/** Undefined for numbers that stand for nothing, and for 0, "not said". */
export function fileTypeOfNumber(number: number): FileType | undefined {
  return TYPES[number]
}

/** @throws {PosixError} EINVAL — when the mode names no kind of file that there is */
export function fileTypeOfMode(mode: number): FileType {
  const type = TYPES[(mode >> 12) & 15]
  if (type === undefined) throw systemError(errnoNumber('EINVAL'), 'stat')
  return type
}
