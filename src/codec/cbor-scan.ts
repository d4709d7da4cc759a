/**
 * Passing over CBOR without decoding it: for whoever wants few of many items. Only what a decoder
 * of deterministic CBOR would take is passed over; what an item means is not looked at.
 */
import { BackupError } from '../util/errors.ts'

export const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5 } as const

/** Nodes hold lists of pairs at most; whatever is deeper was not made by a backup. */
const DEPTH_LIMIT = 8

/** A place in bytes, and what the item there begins with. */
export class CborScanner {
  readonly bytes: Uint8Array
  /** Where the next item begins. */
  at = 0
  /** Of the head that was read last: its major type, and its number (value, length or count). */
  major = 0
  value = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Reads the head of the next item and stands behind it. @throws {BackupError} CORRUPT */
  head(): void {
    const { bytes } = this
    const first = bytes[this.at++]
    if (first === undefined) throw broken()
    this.major = first >> 5
    const low = first & 31
    if (low < 24) {
      this.value = low
      return
    }
    if (low > 27) throw broken()
    const end = this.at + (1 << (low - 24))
    if (end > bytes.length) throw broken()
    let value = 0
    for (; this.at < end; this.at++) value = value * 256 + bytes[this.at]!
    this.value = value
  }

  /** Passes over the next item, which must be a byte string of `value` bytes before `at`. @throws {BackupError} CORRUPT */
  byteString(): void {
    this.head()
    if (this.major !== MAJOR.bytes) throw broken()
    this.#pass(this.value)
  }

  /** Passes over the next item, whatever it is. @throws {BackupError} CORRUPT */
  skip(depth = 0): void {
    this.head()
    const { major, value } = this
    if (major === MAJOR.bytes || major === MAJOR.text) this.#pass(value)
    else if (major === MAJOR.array || major === MAJOR.map) {
      if (depth === DEPTH_LIMIT || value > this.bytes.length) throw broken()
      for (let left = major === MAJOR.map ? value * 2 : value; left > 0; left--) this.skip(depth + 1)
    } else if (major > MAJOR.map) throw broken()
  }

  #pass(length: number): void {
    this.at += length
    if (this.at > this.bytes.length) throw broken()
  }
}

function broken(): BackupError {
  return new BackupError('CORRUPT', 'malformed CBOR')
}
