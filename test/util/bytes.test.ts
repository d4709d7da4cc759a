import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes, concatBytes, dataView, equalBytes, equalSecret, fromHex, readSafeU64, toHex, utf8 } from '../../src/util/bytes.ts'
import { shifted } from './bytes-of.ts'

describe('hex', () => {
  test('gives back what was written, of views as well', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes)
        expect(toHex(shifted(bytes, 3))).toBe(toHex(bytes))
      }),
    )
  })

  test.each(['0', 'abc', 'zz', '0x', ' 00', '00 '])('refuses "%s"', (text) => {
    expect(() => fromHex(text)).toThrow(RangeError)
  })
})

describe('bytes', () => {
  test('are equal when all of them are, and only then', () => {
    for (const equal of [equalBytes, equalSecret]) {
      expect(equal(utf8('abc'), shifted(utf8('abc'), 1))).toBe(true)
      expect(equal(utf8('abc'), utf8('abd'))).toBe(false)
      expect(equal(utf8('abc'), utf8('ab'))).toBe(false)
      expect(equal(utf8(''), utf8(''))).toBe(true)
    }
  })

  test('are ordered by their values, the shorter first', () => {
    expect(compareBytes(Uint8Array.of(0x7f), Uint8Array.of(0x80))).toBeLessThan(0)
    expect(compareBytes(utf8('a'), utf8('a/'))).toBeLessThan(0)
    expect(compareBytes(utf8('b'), utf8('aa'))).toBeGreaterThan(0)
    expect(compareBytes(utf8('b'), utf8('b'))).toBe(0)
  })

  test('are joined into memory of their own', () => {
    const joined = concatBytes(utf8('a'), utf8(''), shifted(utf8('bc'), 2))
    expect(Buffer.from(joined).toString()).toBe('abc')
    expect(joined.buffer.byteLength).toBe(3)
    expect(concatBytes()).toEqual(new Uint8Array(0))
  })
})

describe('readSafeU64', () => {
  test('reads up to 2^53 - 1 and refuses what a number cannot hold', () => {
    const bytes = new Uint8Array(9)
    const view = dataView(bytes.subarray(1))
    view.setBigUint64(0, BigInt(Number.MAX_SAFE_INTEGER), true)
    expect(readSafeU64(view, 0)).toBe(Number.MAX_SAFE_INTEGER)
    view.setBigUint64(0, 2n ** 53n, true)
    expect(() => readSafeU64(view, 0)).toThrow(RangeError)
    view.setBigUint64(0, 2n ** 64n - 1n, true)
    expect(() => readSafeU64(view, 0)).toThrow(RangeError)
  })
})
