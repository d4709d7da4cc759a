/** Bytes for tests: seeded, so that a failure can be had again, and views that begin at odd places. */

/** Mulberry32: small, and good enough to be no pattern. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

export function bytesOf(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const random = randomOf(seed)
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = random() & 0xff
  return bytes
}

/** The same bytes as a Buffer at that offset of a larger memory. */
export function shifted(bytes: Uint8Array, offset: number): Buffer {
  const memory = Buffer.alloc(bytes.length + offset + 5, 0xee)
  memory.set(bytes, offset)
  return memory.subarray(offset, offset + bytes.length)
}

/** A copy in which one bit differs. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes)
  copy[bit >>> 3]! ^= 1 << (bit & 7)
  return copy
}
