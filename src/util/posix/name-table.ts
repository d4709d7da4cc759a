/**
 * Many names in little memory: their bytes stand one behind the other, and a number says where each
 * begins. Sorted by counting bytes, which no choice of names can make slow.
 */
import { release } from '../release.ts'

/** Before each name stands its type, behind it a NUL, which sorts before all that a name can hold. */
const EXTRA_BYTES = 2
/** What a name takes besides its bytes: where it begins, twice while names are sorted. */
const NAME_BYTES = EXTRA_BYTES + 8
/** So few are sorted by insertion: counting would look at more buckets than there are names. */
const FEW = 24

export class NameTable {
  #bytes: Buffer<ArrayBuffer>
  #starts: Uint32Array<ArrayBuffer>
  #end = 0
  #count = 0

  constructor(roomBytes: number, roomNames: number) {
    // Of most folders it is a piece of Node's own pool, which costs next to nothing.
    this.#bytes = Buffer.allocUnsafe(roomBytes)
    this.#starts = new Uint32Array(roomNames)
  }

  get count(): number {
    return this.#count
  }

  /** What sorting it takes, about. */
  get sizeBytes(): number {
    return this.#end + this.#count * (NAME_BYTES - EXTRA_BYTES)
  }

  /** Takes a copy of the name, which stands in `from` from `start` up to `end`. */
  add(from: Uint8Array, start: number, end: number, type: number): void {
    let at = this.#end
    if (at + end - start + EXTRA_BYTES > this.#bytes.length || this.#count === this.#starts.length) this.#grow(end - start)
    const bytes = this.#bytes
    this.#starts[this.#count++] = at + 1
    bytes[at++] = type
    for (let i = start; i < end; i++) bytes[at++] = from[i]!
    bytes[at++] = 0
    this.#end = at
  }

  sort(): void {
    if (this.#count <= FEW) return insertNames(this.#bytes, this.#starts, 0, this.#count, 0)
    const spare = new Uint32Array(this.#count)
    sortNames({ bytes: this.#bytes, starts: this.#starts, spare, counts: [] }, 0, this.#count, 0)
    release(new Uint8Array(spare.buffer))
  }

  /** Keeps the first so many of sorted names. */
  keep(count: number): void {
    const kept = new NameTable(this.#bytes.length, this.#starts.length)
    for (let i = 0; i < count; i++) kept.add(this.#bytes, this.#starts[i]!, this.#starts[i]! + this.#lengthAt(i), this.typeAt(i))
    this.#replace(kept.#bytes, kept.#starts)
    this.#count = count
    this.#end = kept.#end
  }

  /** A view, for as long as the table is not changed. */
  nameAt(i: number): Buffer {
    const start = this.#starts[i]!
    return this.#bytes.subarray(start, start + this.#lengthAt(i))
  }

  typeAt(i: number): number {
    return this.#bytes[this.#starts[i]! - 1]!
  }

  /** Whether sorted names hold this one. */
  has(name: Uint8Array): boolean {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >> 1
      const order = compareName(this.#bytes, this.#starts[middle]!, name)
      if (order === 0) return true
      if (order < 0) low = middle + 1
      else high = middle
    }
    return false
  }

  #lengthAt(i: number): number {
    const start = this.#starts[i]!
    let end = start
    while (this.#bytes[end] !== 0) end++
    return end - start
  }

  #grow(nameBytes: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#end + nameBytes + EXTRA_BYTES))
    bytes.set(this.#bytes.subarray(0, this.#end))
    const starts = new Uint32Array(Math.max(2 * this.#starts.length, FEW))
    starts.set(this.#starts.subarray(0, this.#count))
    this.#replace(bytes, starts)
  }

  #replace(bytes: Buffer<ArrayBuffer>, starts: Uint32Array<ArrayBuffer>): void {
    release(this.#bytes)
    release(new Uint8Array(this.#starts.buffer))
    this.#bytes = bytes
    this.#starts = starts
  }
}

/** How the name that stands there, with a NUL behind it, sorts against another: below zero, zero or above. */
export function compareName(bytes: Uint8Array, start: number, name: Uint8Array): number {
  for (let i = 0; i < name.length; i++) {
    const difference = bytes[start + i]! - name[i]!
    if (difference !== 0) return difference
  }
  return bytes[start + name.length]!
}

interface Sorting {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly spare: Uint32Array
  /** By depth. */
  readonly counts: Uint32Array[]
}

/** Names from `low` to `high` are the same in their first `depth` bytes. */
function sortNames(sorting: Sorting, low: number, high: number, depth: number): void {
  const { bytes, starts, spare } = sorting
  if (high - low <= FEW) return insertNames(bytes, starts, low, high, depth)
  const ends = (sorting.counts[depth] ??= new Uint32Array(256))
  ends.fill(0)
  for (let i = low; i < high; i++) ends[bytes[starts[i]! + depth]!]!++
  const first = bytes[starts[low]! + depth]!
  if (ends[first] === high - low) {
    if (first !== 0) sortNames(sorting, low, high, depth + 1)
    return
  }
  let sum = low
  for (let byte = 0; byte < 256; byte++) {
    const count = ends[byte]!
    ends[byte] = sum
    sum += count
  }
  for (let i = low; i < high; i++) spare[ends[bytes[starts[i]! + depth]!]!++] = starts[i]!
  starts.set(spare.subarray(low, high), low)
  for (let byte = 1; byte < 256; byte++) {
    const [from, to] = [ends[byte - 1]!, ends[byte]!]
    if (to - from > 1) sortNames(sorting, from, to, depth + 1)
  }
}

function insertNames(bytes: Uint8Array, starts: Uint32Array, low: number, high: number, depth: number): void {
  for (let i = low + 1; i < high; i++) {
    const start = starts[i]!
    let at = i
    for (; at > low && isAfter(bytes, starts[at - 1]! + depth, start + depth); at--) starts[at] = starts[at - 1]!
    starts[at] = start
  }
}

function isAfter(bytes: Uint8Array, a: number, b: number): boolean {
  while (bytes[a] === bytes[b] && bytes[a] !== 0) {
    a++
    b++
  }
  return bytes[a]! > bytes[b]!
}
