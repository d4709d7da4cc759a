/** Ranges of objects, judged in one place so that every backend draws the same border. */
import { BackupError } from '../util/errors.ts'
import type { ByteRange } from './backend.ts'

/** @throws {RangeError} when the numbers are no range, whatever the object */
export function checkRange(range: ByteRange | undefined): void {
  if (range === undefined) return
  const { offset, length } = range
  const numbers = [offset, length, offset + length]
  if (!numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) {
    throw new RangeError(`not a byte range: offset ${offset}, length ${length}`)
  }
}

/**
 * The range within an object of that size; all of it when none is asked for.
 * @throws {BackupError} BACKEND_TRUNCATED when the object ends before the range does
 */
export function rangeWithin(range: ByteRange | undefined, sizeBytes: number, key: string): ByteRange {
  if (range === undefined) return { offset: 0, length: sizeBytes }
  if (range.offset + range.length > sizeBytes) throw truncated(key, range.offset + range.length, sizeBytes)
  return range
}

export function truncated(key: string, neededBytes: number, sizeBytes: number): BackupError {
  const message = `${key} is shorter than it should be: ${neededBytes} bytes wanted, it ends at ${sizeBytes}`
  return new BackupError('BACKEND_TRUNCATED', message, { path: key, details: { neededBytes, sizeBytes } })
}
