/**
 * Finding the holes of sparse files without reading them. A file system that does not keep track
 * reports one run of data up to the end, and so does the fallback on `node:fs`. The descriptor's
 * own position moves: read with `pread`.
 */
import { fallbackFstat } from './fallback-stat.ts'
import { nativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

const SEEK_DATA = 3
const SEEK_HOLE = 4

/** Where data begins at or after the offset; undefined when only a hole or nothing follows. */
export function seekData(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_DATA)
}

/** Where a hole begins at or after the offset, the end of the file at the latest. */
export function seekHole(fd: number, offset: number): number | undefined {
  return seek(fd, offset, SEEK_HOLE)
}

function seek(fd: number, offset: number, whence: number): number | undefined {
  const calls = nativeCalls()
  if (calls === undefined) {
    const size = fallbackFstat(fd).size
    if (offset >= size) return undefined
    return whence === SEEK_DATA ? offset : size
  }
  const found = calls.lseek(fd, offset, whence)
  if (found >= 0) return found
  const errno = calls.errno()
  if (errno === errnoNumber('ENXIO')) return undefined
  throw systemError(errno, 'lseek')
}
