/**
 * Which stretches of files on disk hold the blobs that they are to hold. What does can go into
 * another file at once, from the memory that was hashed: so nothing is written that was not checked,
 * whoever changes the file meanwhile.
 */
import { keyedHash } from '../../crypto/hash.ts'
import type { Arena } from '../../util/arena.ts'
import { equalBytes } from '../../util/bytes.ts'
import { pread } from '../../util/posix/read-write.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { ID_BYTES } from '../format.ts'
import { COMPARE_COLUMNS, type CompareRequest, NO_FD, type OpenProblem, type OpenReply } from './open-messages.ts'

type Write = (fd: number, bytes: Uint8Array, position: number) => OpenProblem | undefined

export function compareBlobs(request: CompareRequest, memory: Arena, write: Write): OpenReply {
  const { rows, ids } = request
  const hash = keyedHash(request.blobIdKey)
  const count = rows.length / COMPARE_COLUMNS
  const isSame = new Uint8Array(count)
  const problems = new Map<number, OpenProblem>()
  let longest = 0
  for (let row = 0; row < count; row++) longest = Math.max(longest, rows[row * COMPARE_COLUMNS + 2]!)
  const buffer = memory.take(longest)
  for (let row = 0; row < count; row++) {
    const [fd, position, length, into] = rows.subarray(row * COMPARE_COLUMNS, (row + 1) * COMPARE_COLUMNS) as unknown as [number, number, number, number]
    const bytes = buffer.subarray(0, length)
    if (!readFully(fd, bytes, position) || !equalBytes(hash(bytes), ids.subarray(row * ID_BYTES, (row + 1) * ID_BYTES))) continue
    isSame[row] = 1
    const problem = into === NO_FD ? undefined : write(into, bytes, position)
    if (problem !== undefined) problems.set(row, problem)
  }
  return { kind: 'compared', job: request.job, buffer: undefined, isSame, problems }
}

/** False where the file ends before, and where it cannot be read: then its bytes come from elsewhere. */
function readFully(fd: number, into: Uint8Array, position: number): boolean {
  try {
    for (let at = 0; at < into.length; ) {
      const count = pread(fd, into, at, into.length - at, position + at)
      if (count === 0) return false
      at += count
    }
    return true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    return false
  }
}
