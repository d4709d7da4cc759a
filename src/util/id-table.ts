/**
 * Numbers for 32-byte ids: each id that is added gets a slot, and keeps it, so that facts about ids
 * can be single bits beside the table. It is made for a known number of ids and filled to nine
 * tenths: 36 bytes an id, whole ids, no rehashing that needs the memory twice. Ids are keyed hashes:
 * their first bytes spread them evenly.
 */
import { BitSet } from './bit-set.ts'

const ID_BYTES = 32
const WORDS = ID_BYTES / 4
const MAX_LOAD = 0.9
const LEAST_SLOTS = 64
/** Slots of a page, 32 MiB: one array for all would end at 4 GiB. */
const PAGE_SLOTS = 2 ** 20

export class IdTable {
  /** Slots are numbers below this. */
  readonly slots: number
  readonly #pages: Uint32Array[] = []
  readonly #taken: BitSet
  readonly #most: number
  /** The id that is asked for, as words. */
  readonly #words = new Uint32Array(WORDS)
  readonly #wordBytes = new Uint8Array(this.#words.buffer)
  #size = 0

  /** @param capacity - how many ids will fit */
  constructor(capacity: number) {
    this.slots = Math.max(LEAST_SLOTS, Math.ceil(capacity / MAX_LOAD) + 1)
    this.#most = Math.floor(this.slots * MAX_LOAD)
    this.#taken = new BitSet(this.slots)
    for (let first = 0; first < this.slots; first += PAGE_SLOTS) this.#pages.push(new Uint32Array(Math.min(PAGE_SLOTS, this.slots - first) * WORDS))
  }

  get size(): number {
    return this.#size
  }

  hasRoomFor(count: number): boolean {
    return this.#size + count <= this.#most
  }

  /**
   * The slot of the id at that offset of the bytes, which it gets now unless it has one.
   * @throws {RangeError} when the table is full
   */
  add(bytes: Uint8Array, offset = 0): number {
    const slot = this.#search(bytes, offset)
    if (this.#taken.has(slot)) return slot
    if (this.#size >= this.#most) throw new RangeError('the table of ids is full')
    this.#pages[Math.floor(slot / PAGE_SLOTS)]!.set(this.#words, (slot % PAGE_SLOTS) * WORDS)
    this.#taken.add(slot)
    this.#size++
    return slot
  }

  /** The slot of the id, or -1. */
  find(bytes: Uint8Array, offset = 0): number {
    const slot = this.#search(bytes, offset)
    return this.#taken.has(slot) ? slot : -1
  }

  /** The id's slot, or the free one where it belongs. */
  #search(bytes: Uint8Array, offset: number): number {
    const words = this.#words
    for (let i = 0; i < ID_BYTES; i++) this.#wordBytes[i] = bytes[offset + i]!
    let slot = Math.min(this.slots - 1, Math.floor((words[0]! / 2 ** 32) * this.slots))
    while (this.#taken.has(slot) && !this.#holds(slot)) slot = slot + 1 === this.slots ? 0 : slot + 1
    return slot
  }

  #holds(slot: number): boolean {
    const page = this.#pages[Math.floor(slot / PAGE_SLOTS)]!
    const at = (slot % PAGE_SLOTS) * WORDS
    for (let i = 0; i < WORDS; i++) if (page[at + i] !== this.#words[i]) return false
    return true
  }
}
