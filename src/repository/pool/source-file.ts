/** Reading source files in a worker: never following a link, never waiting on a FIFO. */
import { readSync } from 'node:fs'
import { close, openAt, OPEN_TO_READ } from '../../util/posix/open.ts'
import { type FileStat, fstat } from '../../util/posix/stat.ts'
import { SourceError } from '../../util/source-error.ts'

export interface SourceRead {
  /** Bytes read into the buffer. */
  readonly length: number
  /** Taken after reading: if it is what the scan saw, nothing changed in between. */
  readonly stat: FileStat
}

/**
 * @param expected - size that the scan saw; 0 also stands for files that do not know, as in /proc
 * @throws {SourceError} NO_ROOM - the file is larger than the buffer: it must be read in segments
 */
export function readWholeFile(dirFd: number, name: Uint8Array, into: Uint8Array, expected: number): SourceRead {
  const fd = openAt(dirFd, name, OPEN_TO_READ)
  try {
    let length = 0
    for (;;) {
      const wanted = (expected === 0 ? into.length : Math.min(expected, into.length)) - length
      const count = wanted === 0 ? 0 : readSync(fd, into, length, wanted, length)
      length += count
      if (count === 0 || (expected > 0 && length === expected)) break
    }
    const stat = fstat(fd)
    if (stat.type !== 'file') throw new SourceError('NOT_A_FILE', `it is a ${stat.type} now`)
    // Nothing more fits: there may be more to read.
    if (length === into.length && (expected === 0 || expected > length)) throw new SourceError('NO_ROOM', 'it grew while it was read')
    return { length, stat }
  } finally {
    close(fd)
  }
}

/** Fills the buffer from that offset on; less only at the end of the file. */
export function readFileAt(fd: number, into: Uint8Array, offset: number): SourceRead {
  let length = 0
  while (length < into.length) {
    const count = readSync(fd, into, length, into.length - length, offset + length)
    if (count === 0) break
    length += count
  }
  return { length, stat: fstat(fd) }
}
