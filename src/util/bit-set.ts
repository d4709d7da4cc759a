/** A bit for each of a known number of things: an eighth of a byte where a Set takes dozens. */
export class BitSet {
  readonly #bytes: Uint8Array

  constructor(count: number) {
    this.#bytes = new Uint8Array(Math.ceil(count / 8))
  }

  has(at: number): boolean {
    return (this.#bytes[at >>> 3]! & (1 << (at & 7))) !== 0
  }

  /** Whether it was not set before. */
  add(at: number): boolean {
    const byte = this.#bytes[at >>> 3]!
    const bit = 1 << (at & 7)
    if ((byte & bit) !== 0) return false
    this.#bytes[at >>> 3] = byte | bit
    return true
  }
}
