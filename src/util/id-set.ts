/**
 * A set of 32-byte ids in typed arrays: open addressing with linear probing, about 48 bytes an id
 * at worst where a Set of strings takes some 120. Ids are keyed hashes, so their first bytes are as
 * good a hash as any.
 */

const ID_BYTES = 32
const FIRST_SLOTS = 1024
const MAX_LOAD = 0.7

export class IdSet {
  #slots: number
  #ids: Uint8Array
  #used: Uint8Array
  #size = 0

  constructor(slots: number = FIRST_SLOTS) {
    this.#slots = slots
    this.#ids = new Uint8Array(slots * ID_BYTES)
    this.#used = new Uint8Array(slots)
  }

  get size(): number {
    return this.#size
  }

  /** Whether the id at that offset of the bytes was not there before. */
  add(bytes: Uint8Array, offset = 0): boolean {
    if (this.#size >= this.#slots * MAX_LOAD) this.#grow()
    const slot = this.#find(bytes, offset)
    if (this.#used[slot] === 1) return false
    this.#used[slot] = 1
    for (let i = 0; i < ID_BYTES; i++) this.#ids[slot * ID_BYTES + i] = bytes[offset + i]!
    this.#size++
    return true
  }

  has(bytes: Uint8Array, offset = 0): boolean {
    return this.#used[this.#find(bytes, offset)] === 1
  }

  /** Copies of the ids, in no order; the set must not change meanwhile. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    for (let slot = 0; slot < this.#slots; slot++) if (this.#used[slot] === 1) yield this.#ids.slice(slot * ID_BYTES, (slot + 1) * ID_BYTES)
  }

  /** Whether it was there. Those behind it in its run move up, so no gravestones gather. */
  delete(bytes: Uint8Array, offset = 0): boolean {
    let hole = this.#find(bytes, offset)
    if (this.#used[hole] === 0) return false
    this.#size--
    for (let slot = this.#next(hole); this.#used[slot] === 1; slot = this.#next(slot)) {
      const home = this.#home(this.#ids, slot * ID_BYTES)
      const distance = (slot - home + this.#slots) % this.#slots
      const toHole = (slot - hole + this.#slots) % this.#slots
      if (distance < toHole) continue
      this.#ids.copyWithin(hole * ID_BYTES, slot * ID_BYTES, (slot + 1) * ID_BYTES)
      hole = slot
    }
    this.#used[hole] = 0
    return true
  }

  #next(slot: number): number {
    return slot + 1 === this.#slots ? 0 : slot + 1
  }

  #home(bytes: Uint8Array, offset: number): number {
    const word = bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)
    return (word >>> 0) % this.#slots
  }

  /** The id's slot, or the free one where it belongs. */
  #find(bytes: Uint8Array, offset: number): number {
    let slot = this.#home(bytes, offset)
    while (this.#used[slot] === 1 && !this.#equal(slot, bytes, offset)) slot = this.#next(slot)
    return slot
  }

  #equal(slot: number, bytes: Uint8Array, offset: number): boolean {
    const at = slot * ID_BYTES
    for (let i = 0; i < ID_BYTES; i++) if (this.#ids[at + i] !== bytes[offset + i]) return false
    return true
  }

  #grow(): void {
    const ids = this.#ids
    const used = this.#used
    const slots = this.#slots
    this.#slots = slots * 2
    this.#ids = new Uint8Array(this.#slots * ID_BYTES)
    this.#used = new Uint8Array(this.#slots)
    this.#size = 0
    for (let slot = 0; slot < slots; slot++) if (used[slot] === 1) this.add(ids, slot * ID_BYTES)
  }
}
