/**
 * Reading and writing on descriptors. These go through `node:fs`: measured in bench/posix.bench.ts,
 * a call costs the same as through koffi, and `node:fs` takes an offset without a view of its own.
 */
import { ftruncateSync, readSync, writeSync } from 'node:fs'
import { errnoOf } from '../errors.ts'
import { errnoNumber, systemError } from './system-error.ts'

/** One call, as in C: bytes read into the buffer at `offset`, perhaps fewer than asked; 0 at the end. */
export function pread(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  return readOnce(fd, buffer, offset, length, position)
}

/** As `pread`, from where the descriptor stands: for pipes and other streams too. */
export function read(fd: number, buffer: Uint8Array, offset: number, length: number): number {
  return readOnce(fd, buffer, offset, length, null)
}

/** Writes all of it or throws. */
export function pwrite(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length; ) {
    done += writeOnce(fd, buffer, offset + done, length - done, position + done)
  }
}

/** As `pwrite`, where the descriptor stands. */
export function write(fd: number, buffer: Uint8Array, offset: number, length: number): void {
  for (let done = 0; done < length; ) {
    done += writeOnce(fd, buffer, offset + done, length - done, null)
  }
}

/** Cuts a file off, or lengthens it by a hole. */
export function setSize(fd: number, sizeBytes: number): void {
  try {
    ftruncateSync(fd, sizeBytes)
  } catch (error) {
    throw asPosixError(error, 'ftruncate')
  }
}

function readOnce(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
): number {
  for (;;) {
    try {
      return readSync(fd, buffer, offset, length, position)
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw asPosixError(error, 'read')
    }
  }
}

function writeOnce(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
): number {
  for (;;) {
    try {
      const count = writeSync(fd, buffer, offset, length, position)
      // No file answers nothing for something; a loop on one that does would never end.
      if (count === 0) throw systemError(errnoNumber('EIO'), 'write')
      return count
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw asPosixError(error, 'write')
    }
  }
}

/** Errors of arguments, which are a programmer's, stay as they are. */
function asPosixError(error: unknown, syscall: string): unknown {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return error
  return systemError(-error.errno, syscall)
}
