/**
 * Memory that is taken piece by piece and given back all at once. What a worker decompresses lives
 * for one request; a fresh buffer for each piece would have to be found, cleared and paged in
 * every time, which costs about as much as decompressing into it.
 */

export interface Arena {
  /** Bytes that hold anything, valid until `reset`. */
  take(lengthBytes: number): Uint8Array
  reset(): void
}

/** @param blockBytes - what is kept for ever once it was needed; larger pieces come and go */
export function createArena(blockBytes: number): Arena {
  let block: Uint8Array | undefined
  let used = 0
  return {
    take(lengthBytes) {
      if (lengthBytes > blockBytes - used) return new Uint8Array(lengthBytes)
      block ??= new Uint8Array(blockBytes)
      const piece = block.subarray(used, used + lengthBytes)
      used += lengthBytes
      return piece
    },
    reset() {
      used = 0
    },
  }
}
