/** Writing without the blocks that are all zeros: they stay holes, and read as zeros all the same. */
import { isZero } from './bytes.ts'
import { pwrite } from './posix/read-write.ts'

/** What file systems allocate at least, nearly all of them. */
const BLOCK_BYTES = 4096

/** Writes into a file that is empty there. Its size must be set at the end: it may end in a hole. */
export function pwriteSparse(fd: number, bytes: Uint8Array, position: number): void {
  // Where data begins that is not written yet.
  let from = 0
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + BLOCK_BYTES - ((position + at) % BLOCK_BYTES))
    if (isZero(bytes.subarray(at, end))) {
      if (at > from) pwrite(fd, bytes, from, at - from, position + from)
      from = end
    }
    at = end
  }
  if (bytes.length > from) pwrite(fd, bytes, from, bytes.length - from, position + from)
}
