import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCompressor, createDecompressor, type Decompressor, ZSTD_LEVEL_MAX, ZSTD_LEVEL_MIN } from '../../src/codec/zstd.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped, shifted } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

const NO_LIMIT = Number.MAX_SAFE_INTEGER
const text = utf8('the quick brown fox jumps over the lazy dog; '.repeat(2000))

function compressed(bytes: Uint8Array, level = 3): Uint8Array {
  return createCompressor(level).compress(bytes, NO_LIMIT)!.slice()
}

function decompressed(decompressor: Decompressor, packed: Uint8Array, lengthBytes: number): Uint8Array {
  const out = new Uint8Array(lengthBytes)
  decompressor.decompress(packed, out)
  return out
}

describe('zstd', () => {
  test('gives back what was compressed, at every level', () => {
    const decompressor = createDecompressor()
    for (let level = ZSTD_LEVEL_MIN; level <= ZSTD_LEVEL_MAX; level++) {
      const packed = compressed(text, level)
      expect(packed.length, `level ${level}`).toBeLessThan(text.length / 10)
      expect(Buffer.compare(decompressed(decompressor, packed, text.length), text)).toBe(0)
    }
  })

  test('gives back anything, with one compressor and one decompressor for all', () => {
    const compressor = createCompressor(1)
    const decompressor = createDecompressor()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(Buffer.compare(decompressed(decompressor, compressor.compress(bytes, NO_LIMIT)!, bytes.length), bytes)).toBe(0)
      }),
    )
  })

  test('takes views that begin at odd places', () => {
    for (let offset = 0; offset < 5; offset++) {
      const packed = createCompressor(3).compress(shifted(text, offset), NO_LIMIT)!
      expect(Buffer.compare(decompressed(createDecompressor(), shifted(packed, offset), text.length), text)).toBe(0)
    }
  })

  test('compresses the empty input', () => {
    expect(decompressed(createDecompressor(), compressed(new Uint8Array(0)), 0).length).toBe(0)
  })

  test('gives nothing when the result would not fit', () => {
    const compressor = createCompressor(3)
    const size = compressor.compress(text, NO_LIMIT)!.length
    expect(compressor.compress(text, size)?.length).toBe(size)
    expect(compressor.compress(text, size - 1)).toBeUndefined()
    const noise = bytesOf(1, 10_000)
    expect(compressor.compress(noise, noise.length)).toBeUndefined()
  })

  test.each([-8, 20, 2.5, Number.NaN])('refuses level %d', (level) => {
    expect(() => createCompressor(level)).toThrow(RangeError)
  })
})

describe('decompression', () => {
  const decompressor = createDecompressor()

  test('is refused when the length is another one than stated, shorter or longer', () => {
    const packed = compressed(text)
    for (const length of [0, 1, text.length - 1, text.length + 1, text.length * 2]) expectRefused(() => decompressed(decompressor, packed, length), 'CORRUPT')
  })

  test('of a bomb stops at the stated length', () => {
    const bomb = compressed(new Uint8Array(256 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(64 * 1024)
    const before = process.memoryUsage().rss
    expectRefused(() => decompressed(decompressor, bomb, 1024), 'CORRUPT')
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })

  test('of noise, of nothing and of half a stream is refused', () => {
    expectRefused(() => decompressed(decompressor, bytesOf(2, 1000), 1000), 'CORRUPT')
    expectRefused(() => decompressed(decompressor, new Uint8Array(0), 1), 'CORRUPT')
    const packed = compressed(text)
    for (let length = 0; length < packed.length; length++) expectRefused(() => decompressed(decompressor, packed.subarray(0, length), text.length), 'CORRUPT')
  })

  test('works again after it refused something', () => {
    expectRefused(() => decompressed(decompressor, bytesOf(3, 100), 1000), 'CORRUPT')
    expect(Buffer.compare(decompressed(decompressor, compressed(text), text.length), text)).toBe(0)
  })

  test('of changed bytes gives the stated length or is refused, and never anything else', () => {
    const packed = compressed(bytesOf(4, 300).map((byte) => byte & 3))
    for (let bit = 0; bit < packed.length * 8; bit++) {
      try {
        expect(decompressed(decompressor, flipped(packed, bit), 300).length).toBe(300)
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPT' })
      }
    }
  })
})
