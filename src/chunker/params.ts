/** Chunk sizes: fixed for a repository at init, since other sizes would find no duplicates. */
import { BackupError } from '../util/errors.ts'

export interface ChunkerParams {
  readonly minBytes: number
  readonly averageBytes: number
  readonly maxBytes: number
}

const KIB = 1024
export const AVERAGE_DEFAULT = 128 * KIB
export const AVERAGE_LEAST = 16 * KIB
export const AVERAGE_MOST = 1024 * KIB

/**
 * A quarter and four times the average, as measured: 128 KiB stores an 800 MB image as small as
 * 1 MiB does, and what 200 inserts add falls from 73 MB to 13.
 * @throws {BackupError} INVALID_ARGUMENT - not a power of two from 16 KiB to 1 MiB
 */
export function chunkerParams(averageBytes: number = AVERAGE_DEFAULT): ChunkerParams {
  if (!Number.isInteger(Math.log2(averageBytes)) || averageBytes < AVERAGE_LEAST || averageBytes > AVERAGE_MOST) {
    throw new BackupError('INVALID_ARGUMENT', 'the average chunk size must be a power of two from 16K to 1M')
  }
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 }
}

/** Whether sizes read from a config can be worked with. */
export function isValidChunkerParams(params: ChunkerParams): boolean {
  const { minBytes, averageBytes, maxBytes } = params
  return minBytes >= 64 && minBytes <= averageBytes && averageBytes <= maxBytes && averageBytes >= 256 && maxBytes >= 1024 && maxBytes <= 4 * AVERAGE_MOST
}
