/**
 * Whether a live file holds the bytes that a snapshot lists: it is read in pieces as long as the
 * snapshot's blobs, and the ids of the pieces are compared. Nothing is read from the repository but
 * the list of ids.
 */
import type { KeyedHash } from '../../crypto/hash.ts'
import { equalBytes } from '../../util/bytes.ts'
import { throwIfAborted } from '../../util/errors.ts'
import { close, openAt, OPEN_TO_READ } from '../../util/posix/open.ts'
import { pread } from '../../util/posix/read-write.ts'
import type { Node } from '../../snapshot/node.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'

/** @throws {PosixError} where the file cannot be read */
export async function holdsContent(trees: TreeReader, hash: KeyedHash, node: Node, dirFd: number, name: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
  if (node.content === undefined) return node.size === 0
  const fd = openAt(dirFd, name, OPEN_TO_READ)
  try {
    const position = positions(node)
    for await (const blobs of trees.content(node.content)) {
      throwIfAborted(signal)
      for (const blob of blobs) {
        if (!holdsBlob(fd, position, blob.length, hash, blob.id)) return false
      }
    }
    return true
  } finally {
    close(fd)
  }
}

/** Where the next bytes of the content lie in the file, which may have holes between them. */
interface Position {
  /** Up to so many bytes from here on. */
  take(most: number): { readonly offset: number; readonly length: number }
}

function positions(node: Node): Position {
  const extents = node.extents ?? [{ offset: 0, length: Number.POSITIVE_INFINITY }]
  let at = 0
  let done = 0
  return {
    take(most) {
      while (at < extents.length - 1 && done === extents[at]!.length) {
        at++
        done = 0
      }
      const extent = extents[at] ?? { offset: node.size, length: 0 }
      const length = Math.min(most, extent.length - done)
      const offset = extent.offset + done
      done += length
      return { offset, length }
    },
  }
}

let buffer: Uint8Array = new Uint8Array(0)

function holdsBlob(fd: number, position: Position, length: number, hash: KeyedHash, id: Uint8Array): boolean {
  if (buffer.length < length) buffer = new Uint8Array(length)
  for (let filled = 0; filled < length; ) {
    const piece = position.take(length - filled)
    if (piece.length === 0) return false
    for (let got = 0; got < piece.length; ) {
      const read = pread(fd, buffer, filled + got, piece.length - got, piece.offset + got)
      if (read === 0) return false
      got += read
    }
    filled += piece.length
  }
  return equalBytes(hash(buffer.subarray(0, length)), id)
}
