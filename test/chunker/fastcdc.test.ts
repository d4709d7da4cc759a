import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, dirname } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChunker } from '../../src/chunker/fastcdc.ts'
import { type ChunkerParams, chunkerParams, isValidChunkerParams } from '../../src/chunker/params.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

const SMALL: ChunkerParams = { minBytes: 256, averageBytes: 1024, maxBytes: 4096 }

function endsOf(data: Uint8Array, params: ChunkerParams): number[] {
  const buffer = createChunker(params).allocate(Math.max(1, data.length))
  buffer.bytes().set(data)
  return buffer.cut(0, data.length, true)
}

/** The same data, given in pieces: what follows the last end is given again, with more behind it. */
function endsOfPieces(data: Uint8Array, pieces: readonly number[], params: ChunkerParams): number[] {
  const buffer = createChunker(params).allocate(data.length + 1)
  const ends: number[] = []
  let from = 0
  let given = 0
  for (const piece of [...pieces, data.length]) {
    const to = Math.min(data.length, given + piece)
    buffer.bytes().set(data.subarray(given, to), given)
    given = to
    for (const end of buffer.cut(from, to, to === data.length)) ends.push((from = end))
    if (to === data.length) break
  }
  return ends
}

/** Something between noise and text: stretches that repeat, so that all cut rules are met. */
function mixedOf(seed: number, length: number): Uint8Array {
  const noise = bytesOf(seed, length)
  return noise.map((byte, i) => ((i >>> 13) % 3 === 0 ? 0 : (i >>> 13) % 3 === 1 ? byte & 15 : byte))
}

describe('the chunker', () => {
  test('runs the WebAssembly that this repository was made with', () => {
    // Another build could cut elsewhere, and nothing would be found again.
    const folder = dirname(createRequire(import.meta.url).resolve('fastcdc-wasm'))
    const wasm = readFileSync(join(folder, 'fastcdc_wasm_bg.wasm'))
    expect(createHash('sha256').update(wasm).digest('hex')).toBe('eebeef57aa5b106ebbd816bf88d6390c3ddff734c959fd503049b789a3dfe7ba')
  })

  test('cuts seeded noise where it always did', () => {
    const data = bytesOf(42, 2_000_000)
    expect(endsOf(data, chunkerParams(128 * 1024))).toEqual([51940, 322030, 412856, 755121, 891641, 1013051, 1300013, 1559795, 1688099, 1756907, 1921480, 2000000])
    expect(endsOf(data.subarray(0, 400_000), chunkerParams(16 * 1024))).toEqual([51940, 69648, 75794, 90304, 104350, 116966, 146295, 157201, 173946, 198512, 219648, 253892, 271603, 287242, 303294, 317996, 333921, 345414, 358539, 387135, 400000])
  })

  test('cuts zeros at the largest chunk', () => {
    expect(endsOf(new Uint8Array(10_000), SMALL)).toEqual([4096, 8192, 10_000])
  })

  test('ends at the end, with chunks that are neither too short nor too long', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(60_000), (seed, length) => {
        const ends = endsOf(mixedOf(seed, length), SMALL)
        expect(ends.at(-1)).toBe(length === 0 ? undefined : length)
        let start = 0
        for (const [i, end] of ends.entries()) {
          const size = end - start
          expect(size).toBeGreaterThan(0)
          expect(size).toBeLessThanOrEqual(SMALL.maxBytes)
          if (i < ends.length - 1) expect(size).toBeGreaterThanOrEqual(SMALL.minBytes)
          start = end
        }
      }),
    )
  })

  test('gives the same chunks however the data is split', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 60_000 }), fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 60 }), (seed, length, pieces) => {
        const data = mixedOf(seed, length)
        expect(endsOfPieces(data, pieces, SMALL)).toEqual(endsOf(data, SMALL))
      }),
    )
  })

  test('gives the same chunks byte by byte', () => {
    const data = mixedOf(7, 9000)
    expect(endsOfPieces(data, Array.from({ length: 9000 }, () => 1), SMALL)).toEqual(endsOf(data, SMALL))
  })

  test('cuts from the chunk\'s own start, whatever lay before', () => {
    const data = bytesOf(11, 40_000)
    const ends = endsOf(data, SMALL)
    const first = ends[0]!
    expect(endsOf(data.subarray(first), SMALL)).toEqual(ends.slice(1).map((end) => end - first))
  })

  test('finds its cuts again behind an insertion', () => {
    const data = bytesOf(12, 200_000)
    const changed = new Uint8Array([...data.subarray(0, 50_000), 1, 2, 3, ...data.subarray(50_000)])
    const before = new Set(endsOf(data, SMALL))
    const shared = endsOf(changed, SMALL).filter((end) => before.has(end) || before.has(end - 3))
    expect(shared.length).toBeGreaterThan(before.size - 10)
  })

  test('gives no cut that more data could move', () => {
    const buffer = createChunker(SMALL).allocate(5000)
    buffer.bytes().set(bytesOf(13, 5000))
    expect(buffer.cut(0, 4095, false)).toEqual([])
    for (const end of buffer.cut(0, 5000, false)) expect(end).toBeLessThanOrEqual(5000)
  })

  test('has an average near the one asked for', () => {
    const data = bytesOf(14, 3_000_000)
    const average = data.length / endsOf(data, SMALL).length
    expect(average).toBeGreaterThan(SMALL.averageBytes * 0.7)
    expect(average).toBeLessThan(SMALL.averageBytes * 1.6)
  })

  test('keeps several buffers apart while its memory grows', () => {
    const chunker = createChunker(SMALL)
    const first = chunker.allocate(20_000)
    const data = bytesOf(15, 20_000)
    first.bytes().set(data)
    const wanted = first.cut(0, 20_000, true)
    const others = Array.from({ length: 8 }, () => chunker.allocate(4 * 1024 * 1024))
    for (const other of others) other.bytes().fill(255)
    expect(Buffer.compare(first.bytes(), data)).toBe(0)
    expect(first.cut(0, 20_000, true)).toEqual(wanted)
  })

  test('gives memory back that is freed, so that buffers come and go without end', () => {
    const chunker = createChunker(SMALL)
    chunker.allocate(8 * 1024 * 1024).free()
    const kept = chunker.allocate(1)
    const before = kept.bytes().buffer.byteLength
    for (let i = 0; i < 600; i++) {
      const pair = [chunker.allocate(8 * 1024 * 1024), chunker.allocate(8 * 1024 * 1024)]
      for (const buffer of pair) buffer.free()
    }
    expect(kept.bytes().buffer.byteLength).toBeLessThan(before + 64 * 1024 * 1024)
  })

  test('leaks nothing over many cuts', () => {
    const buffer = createChunker(SMALL).allocate(100_000)
    buffer.bytes().set(bytesOf(16, 100_000))
    buffer.cut(0, 100_000, true)
    const before = buffer.bytes().buffer.byteLength
    for (let i = 0; i < 5000; i++) buffer.cut(0, 100_000, true)
    expect(buffer.bytes().buffer.byteLength).toBe(before)
  })
})

describe('chunk sizes', () => {
  test('are a quarter and four times the average', () => {
    expect(chunkerParams()).toEqual({ minBytes: 32 * 1024, averageBytes: 128 * 1024, maxBytes: 512 * 1024 })
    expect(chunkerParams(16 * 1024)).toEqual({ minBytes: 4096, averageBytes: 16 * 1024, maxBytes: 64 * 1024 })
  })

  test.each([0, -1, 1000, 8192, 2 * 1024 * 1024, 100_000, Number.NaN, Number.POSITIVE_INFINITY])('of average %d are refused', (average) => {
    expectRefused(() => chunkerParams(average), 'INVALID_ARGUMENT')
  })

  test.each([
    { minBytes: 0, averageBytes: 1024, maxBytes: 4096 },
    { minBytes: 2048, averageBytes: 1024, maxBytes: 4096 },
    { minBytes: 256, averageBytes: 8192, maxBytes: 4096 },
    { minBytes: 64, averageBytes: 128, maxBytes: 4096 },
    { minBytes: 64, averageBytes: 256, maxBytes: 512 },
    { minBytes: 256, averageBytes: 1024, maxBytes: 2 ** 31 },
  ])('that no chunker can work with are known: $minBytes, $averageBytes, $maxBytes', (params) => {
    expect(isValidChunkerParams(params)).toBe(false)
  })

  test('that can be chosen are all valid', () => {
    for (let average = 16 * 1024; average <= 1024 * 1024; average *= 2) expect(isValidChunkerParams(chunkerParams(average))).toBe(true)
  })
})
