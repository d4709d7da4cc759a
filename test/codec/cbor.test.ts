import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asArray, asBytes, asCount, asI64, asInteger, asMap, asText, asTexts, asU64, decodeCbor, encodeCbor, optional } from '../../src/codec/cbor.ts'
import { fromHex, toHex } from '../../src/util/bytes.ts'
import { shifted } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

/** Values as they stand in records. */
const value = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    // Numbers that fit a safe integer come back as such.
    fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }).map((big) => (big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big)),
    fc.string(),
    fc.uint8Array({ maxLength: 40 }),
    fc.boolean(),
  ),
  any: fc.oneof({ depthSize: 'small' }, tie('leaf'), fc.array(tie('any'), { maxLength: 5 }), fc.array(fc.tuple(fc.nat(1000), tie('any')), { maxLength: 5 }).map((entries) => new Map(entries))),
})).any

describe('CBOR', () => {
  test('gives back what was encoded', () => {
    fc.assert(
      fc.property(value, (item) => {
        expect(decodeCbor(encodeCbor(item))).toEqual(item)
      }),
    )
  })

  test('encodes a value in one way only, whatever the order in which a map was filled', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(100_000), { maxLength: 20 }), (keys) => {
        const forward = new Map(keys.map((key) => [key, key * 2]))
        const backward = new Map([...keys].reverse().map((key) => [key, key * 2]))
        expect(toHex(encodeCbor(forward))).toBe(toHex(encodeCbor(backward)))
      }),
    )
  })

  test.each<[string, unknown, string]>([
    ['small numbers in one byte', 23, '17'],
    ['24 in two', 24, '1818'],
    ['negative numbers', -1, '20'],
    ['2^53', 2n ** 53n, '1b0020000000000000'],
    ['the greatest', 2n ** 64n - 1n, '1bffffffffffffffff'],
    ['bytes', Uint8Array.of(1, 2), '420102'],
    ['text', 'ü', '62c3bc'],
    ['a map in the order of its keys', new Map([[2, 'b'], [1, 'a']]), 'a2016161026162'],
    ['keys by length first', new Map([[256, 0], [24, 0], [1, 0]]), 'a301001818001901000' + '0'],
  ])('encodes %s as the standard says', (_name, item, hex) => {
    expect(toHex(encodeCbor(item))).toBe(hex)
  })

  test('reads views', () => {
    const bytes = encodeCbor(new Map([[1, Uint8Array.of(9, 8)]]))
    expect(decodeCbor(shifted(bytes, 3))).toEqual(new Map([[1, Uint8Array.of(9, 8)]]))
  })

  test.each<[string, string]>([
    ['a key twice', 'a201000100'],
    ['a key twice, nested', '81a201000100'],
    ['an indefinite array', '9f01ff'],
    ['an indefinite map', 'bf0100ff'],
    ['indefinite bytes', '5f4101ff'],
    ['indefinite text', '7f6161ff'],
    ['a lone break', 'ff'],
    ['trailing bytes', '0100'],
    ['a second item', 'a0a0'],
    ['nothing', ''],
    ['an item cut short', '4201'],
    ['a length cut short', '19'],
    ['a map cut short', 'a201000'.slice(0, 6)],
    ['bytes that claim to be without end', '5bffffffffffffffff'],
    ['bytes that claim to be a gibibyte', '5a40000000'],
    ['an array that claims to be without end', '9bffffffffffffffff'],
    ['an array that claims four thousand million items', '9affffffff'],
    ['undefined', 'f7'],
    ['NaN', 'f97e00'],
    ['infinity', 'f97c00'],
    ['negative infinity', 'f9fc00'],
    ['a number in more bytes than it needs', '1817'],
    ['a number in eight bytes that fits four', '1b0000000000000001'],
    ['a length in more bytes than it needs', '580101'],
    ['a tag', 'c100'],
    ['a big number as a tag', 'c249010000000000000000'],
    ['a reserved length', '1c'],
    ['an unassigned simple value', 'f0'],
  ])('refuses %s', (_name, hex) => {
    expectRefused(() => decodeCbor(fromHex(hex)), 'CORRUPT')
  })

  test.each([1000, 100_000, 2_000_000])('refuses %d nested arrays without harm', (depth) => {
    const bytes = new Uint8Array(depth + 1).fill(0x81)
    bytes[depth] = 0
    try {
      decodeCbor(bytes)
      expect(depth).toBe(1000)
    } catch (error) {
      expect(error).toMatchObject({ code: 'CORRUPT' })
    }
  })

  test('never throws anything but CORRUPT, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeCbor(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT' })
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('reads no two encodings of numbers, bytes and lists as one value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30, max: 0xdf }), (bytes) => {
        let item: unknown
        try {
          item = decodeCbor(bytes)
        } catch {
          return
        }
        if (!isPlain(item)) return
        expect(toHex(encodeCbor(item))).toBe(toHex(bytes))
      }),
      { numRuns: 5000 },
    )
  })
})

/** Made of numbers, bytes and lists alone. */
function isPlain(item: unknown): boolean {
  if (Array.isArray(item)) return item.every(isPlain)
  return typeof item === 'bigint' || Number.isSafeInteger(item) || item instanceof Uint8Array
}

describe('looks at fields', () => {
  test('give what is of the right kind', () => {
    expect(asMap(new Map([[1, 2]]), 'x').get(1)).toBe(2)
    expect(asArray([1], 'x')).toEqual([1])
    expect(asBytes(Uint8Array.of(1), 'x', 1)).toEqual(Uint8Array.of(1))
    expect(asText('a', 'x')).toBe('a')
    expect(asTexts(['a'], 'x')).toEqual(['a'])
    expect(asCount(7, 'x', 7)).toBe(7)
    expect(asInteger(-7, 'x')).toBe(-7)
    expect(asU64(2n ** 64n - 1n, 'x')).toBe(2n ** 64n - 1n)
    expect(asU64(5, 'x')).toBe(5)
    expect(asI64(-(2n ** 63n), 'x')).toBe(-(2n ** 63n))
    expect(asI64(5, 'x')).toBe(5n)
    expect(optional(new Map([[1, 'a']]), 1, asText, 'x')).toBe('a')
    expect(optional(new Map(), 1, asText, 'x')).toBeUndefined()
  })

  test.each<[string, () => unknown]>([
    ['a list as a map', () => asMap([], 'x')],
    ['an object as a map', () => asMap({}, 'x')],
    ['a map as a list', () => asArray(new Map(), 'x')],
    ['text as bytes', () => asBytes('a', 'x')],
    ['bytes of another length', () => asBytes(new Uint8Array(3), 'x', 4)],
    ['bytes as text', () => asText(new Uint8Array(1), 'x')],
    ['nothing as text', () => asText(undefined, 'x')],
    ['a number in a list of texts', () => asTexts(['a', 1], 'x')],
    ['a negative count', () => asCount(-1, 'x')],
    ['a count beyond the limit', () => asCount(8, 'x', 7)],
    ['a fraction', () => asCount(1.5, 'x')],
    ['a bigint as a count', () => asCount(2n ** 60n, 'x')],
    ['a float as a whole number', () => asInteger(0.1, 'x')],
    ['2^64 as 64 bits', () => asU64(2n ** 64n, 'x')],
    ['a negative number as unsigned', () => asU64(-1, 'x')],
    ['2^63 as signed', () => asI64(2n ** 63n, 'x')],
    ['less than -2^63', () => asI64(-(2n ** 63n) - 1n, 'x')],
    ['a wrong optional field', () => optional(new Map([[1, 2]]), 1, asText, 'x')],
  ])('refuse %s', (_name, run) => {
    expectRefused(run, 'CORRUPT')
  })
})
