import { blake3 } from '@noble/hashes/blake3.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { describe, expect, test } from 'vitest'
import { keyedHash, pureKeyedHash, runningSha256, sha256 } from '../../src/crypto/hash.ts'
import { toHex } from '../../src/util/bytes.ts'
import { bytesOf, shifted } from '../util/bytes-of.ts'

const KEY = bytesOf(1, 32)

/** Every step of 31, and both sides of what the tree of BLAKE3 is built of: blocks of 64 and chunks of 1024 bytes. */
function lengths(): number[] {
  const all = new Set<number>()
  for (let length = 0; length <= 2048; length += 31) all.add(length)
  for (const edge of [64, 128, 1024, 2048, 3072, 4096, 8192, 16_384, 65_536, 131_072]) for (let d = -1; d <= 1; d++) all.add(edge + d)
  return [...all]
}

describe('keyed BLAKE3', () => {
  test('is the same by the native library and in JavaScript at every length', () => {
    const native = keyedHash(KEY)
    const pure = pureKeyedHash(KEY)
    const input = bytesOf(2, 131_073)
    for (const length of lengths()) {
      const bytes = input.subarray(0, length)
      expect(toHex(native(bytes)), `length ${length}`).toBe(toHex(pure(bytes)))
      expect(toHex(pure(bytes))).toBe(toHex(blake3(bytes, { key: KEY })))
    }
  })

  test('gives the keyed hash of the published test vectors', () => {
    const key = new TextEncoder().encode('whats the Elvish word for friend')
    const input = Uint8Array.from({ length: 1025 }, (_, i) => i % 251)
    expect(toHex(keyedHash(key)(input.subarray(0, 0)))).toBe('92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26')
    expect(toHex(keyedHash(key)(input.subarray(0, 1)))).toBe('6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b')
  })

  test('hashes views that begin anywhere, and keys that are views', () => {
    const input = bytesOf(3, 1500)
    const wanted = toHex(keyedHash(KEY)(input))
    for (let offset = 0; offset < 9; offset++) {
      expect(toHex(keyedHash(shifted(KEY, offset))(shifted(input, offset)))).toBe(wanted)
    }
  })

  test('keeps nothing of one input for the next', () => {
    const hash = keyedHash(KEY)
    const first = toHex(hash(bytesOf(4, 777)))
    hash(bytesOf(5, 100_000))
    hash(new Uint8Array(0))
    expect(toHex(hash(bytesOf(4, 777)))).toBe(first)
  })

  test('gives a digest that the next call does not change', () => {
    const hash = keyedHash(KEY)
    const first = hash(bytesOf(6, 10))
    const copy = toHex(first)
    hash(bytesOf(7, 10))
    expect(toHex(first)).toBe(copy)
  })

  test('gives other ids under another key', () => {
    const input = bytesOf(8, 100)
    expect(toHex(keyedHash(bytesOf(9, 32))(input))).not.toBe(toHex(keyedHash(KEY)(input)))
  })

  test.each([0, 16, 31, 33, 64])('refuses a key of %d bytes', (length) => {
    expect(() => keyedHash(new Uint8Array(length))).toThrow(RangeError)
  })
})

describe('SHA-256', () => {
  test('agrees with another implementation, in one piece and in many', () => {
    const input = bytesOf(10, 5000)
    const wanted = toHex(nobleSha256(input))
    expect(toHex(sha256(input))).toBe(wanted)
    expect(toHex(sha256(input.subarray(0, 1), input.subarray(1, 1), input.subarray(1)))).toBe(wanted)
    const running = runningSha256()
    for (let at = 0; at < input.length; at += 613) running.update(input.subarray(at, at + 613))
    expect(toHex(running.digest())).toBe(wanted)
  })
})
