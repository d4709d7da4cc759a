/**
 * Large buffers that go round: who reads takes one, a worker gives it back. A fresh one for every
 * read would have to be mapped, cleared and paged in each time, and the garbage collector would
 * run to count it.
 */

export interface BufferPool {
  /** Bytes that hold anything; a view of a buffer that is the caller's until it is given back. */
  take(lengthBytes: number): Uint8Array<ArrayBuffer>
  give(buffer: ArrayBuffer): void
}

/** @param bufferBytes - size of the buffers that are kept; larger ones come and go */
export function createBufferPool(bufferBytes: number, most: number): BufferPool {
  const free: ArrayBuffer[] = []
  return {
    take(lengthBytes) {
      if (lengthBytes > bufferBytes) return new Uint8Array(lengthBytes)
      return new Uint8Array(free.pop() ?? new ArrayBuffer(bufferBytes), 0, lengthBytes)
    },
    give(buffer) {
      if (buffer.byteLength === bufferBytes && free.length < most) free.push(buffer)
    },
  }
}
