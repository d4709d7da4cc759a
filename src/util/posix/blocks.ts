/** Blocks of files that are shared or given back without being read, where the file system can. */
import { nativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

const FICLONE = 0x40049409
const FALLOC_FL_KEEP_SIZE = 1
const FALLOC_FL_PUNCH_HOLE = 2

/** Makes an empty file share all blocks of another, until one of them is written to; false, and it stays empty, where it cannot. */
export function cloneFile(fromFd: number, toFd: number): boolean {
  const calls = nativeCalls()
  return calls !== undefined && calls.ioctl(toFd, FICLONE, fromFd) === 0
}

/** Makes a stretch read as zeros that take no room. @throws {PosixError} EOPNOTSUPP — where files have no holes */
export function punchHole(fd: number, offset: number, length: number): void {
  const calls = nativeCalls()
  if (calls === undefined) throw systemError(errnoNumber('EOPNOTSUPP'), 'fallocate')
  if (calls.fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) !== 0) throw systemError(calls.errno(), 'fallocate')
}
