import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCompressor, createDecompressor } from '../../src/codec/zstd.ts'
import { seal, SEAL_OVERHEAD_BYTES } from '../../src/crypto/aead.ts'
import { newDataKey } from '../../src/repository/envelope.ts'
import { CODEC_STORED, CODEC_ZSTD } from '../../src/repository/format.ts'
import { type FrameShape, openFrame, sealFrame, type SealedFrame } from '../../src/repository/frame.ts'
import { dataView, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { REPOSITORY_ID } from './support.ts'

const dataKey = newDataKey(REPOSITORY_ID)
const compressor = createCompressor(3)
const decompressor = createDecompressor()
const text = utf8('so much to say, and all of it the same; '.repeat(100))

const open = (frame: SealedFrame, change: Partial<FrameShape> = {}): Uint8Array => openFrame(REPOSITORY_ID, dataKey, { ...frame, ...change }, frame.bytes, decompressor)

describe('a frame', () => {
  test('gives back what was sealed, compressed or not, data or tree', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(20), fc.boolean(), fc.constantFrom<'data' | 'tree'>('data', 'tree'), (bytes, copies, isCompressed, blobType) => {
        const plaintext = new Uint8Array(Buffer.concat(Array.from({ length: copies }, () => bytes)))
        const frame = sealFrame(REPOSITORY_ID, dataKey, blobType, plaintext, isCompressed ? compressor : undefined)
        expect(frame.plainBytes).toBe(plaintext.length)
        expect(frame.storedBytes).toBe(frame.bytes.length)
        expect(Buffer.compare(open(frame), plaintext)).toBe(0)
      }),
    )
  })

  test('is compressed where that is worth it, and stored where it is not', () => {
    const packed = sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor)
    expect(packed.codec).toBe(CODEC_ZSTD)
    expect(packed.storedBytes).toBeLessThan(text.length / 10)
    const noise = sealFrame(REPOSITORY_ID, dataKey, 'data', bytesOf(1, 5000), compressor)
    expect(noise.codec).toBe(CODEC_STORED)
    expect(noise.storedBytes).toBe(5000 + SEAL_OVERHEAD_BYTES)
    expect(sealFrame(REPOSITORY_ID, dataKey, 'data', text, undefined).codec).toBe(CODEC_STORED)
  })

  test('is sealed differently every time', () => {
    const seals = Array.from({ length: 20 }, () => toHex(sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor).bytes.subarray(0, 24)))
    expect(new Set(seals).size).toBe(20)
  })

  test('is refused when any bit of it differs', () => {
    const frame = sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor)
    for (let bit = 0; bit < frame.bytes.length * 8; bit++) {
      expectRefused(() => openFrame(REPOSITORY_ID, dataKey, frame, flipped(frame.bytes, bit), decompressor), 'CORRUPT')
    }
  })

  test('is refused with any other length, type or codec than it was sealed with', () => {
    for (const frame of [sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor), sealFrame(REPOSITORY_ID, dataKey, 'data', bytesOf(2, 300), compressor)]) {
      for (const change of [1, -1, 100, 2 ** 20]) expectRefused(() => open(frame, { plainBytes: frame.plainBytes + change }), 'CORRUPT')
      expectRefused(() => open(frame, { plainBytes: 0 }), 'CORRUPT')
      expectRefused(() => open(frame, { storedBytes: frame.storedBytes - 1 }), 'CORRUPT')
      expectRefused(() => open(frame, { blobType: 'tree' }), 'CORRUPT')
      expectRefused(() => open(frame, { codec: frame.codec === CODEC_ZSTD ? CODEC_STORED : CODEC_ZSTD }), 'CORRUPT')
      expectRefused(() => open(frame, { codec: 9 }), 'CORRUPT')
    }
  })

  test('is refused when it is cut short, and when bytes follow it', () => {
    const frame = sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor)
    for (const length of [0, 1, 39, 40, frame.bytes.length - 1]) {
      expectRefused(() => openFrame(REPOSITORY_ID, dataKey, frame, frame.bytes.subarray(0, length), decompressor), 'CORRUPT')
      expectRefused(() => openFrame(REPOSITORY_ID, dataKey, { ...frame, storedBytes: length }, frame.bytes.subarray(0, length), decompressor), 'CORRUPT')
    }
    const longer = new Uint8Array([...frame.bytes, 0])
    expectRefused(() => openFrame(REPOSITORY_ID, dataKey, { ...frame, storedBytes: longer.length }, longer, decompressor), 'CORRUPT')
  })

  test('does not open in another repository, nor under another data key or its name', () => {
    const frame = sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor)
    const other = newDataKey(REPOSITORY_ID)
    expectRefused(() => openFrame(bytesOf(3, 16), dataKey, frame, frame.bytes, decompressor), 'CORRUPT')
    expectRefused(() => openFrame(REPOSITORY_ID, other, frame, frame.bytes, decompressor), 'CORRUPT')
    expectRefused(() => openFrame(REPOSITORY_ID, { id: other.id, key: dataKey.key }, frame, frame.bytes, decompressor), 'CORRUPT')
  })

  test('that states more than any frame may hold is refused before memory is taken', () => {
    const frame = sealFrame(REPOSITORY_ID, dataKey, 'data', text, compressor)
    expectRefused(() => open(frame, { plainBytes: 0xffffffff }), 'CORRUPT')
    expectRefused(() => open(frame, { plainBytes: 64 * 1024 * 1024 + 1 }), 'CORRUPT')
  })
})

describe('a frame that a holder of the key made to be hostile', () => {
  /** As the format lays out the associated data. */
  function sealed(shape: Omit<FrameShape, 'storedBytes'>, body: Uint8Array): SealedFrame {
    const full = { ...shape, storedBytes: body.length + SEAL_OVERHEAD_BYTES }
    const aad = new Uint8Array(44)
    aad.set(REPOSITORY_ID)
    aad.set(dataKey.id, 16)
    aad[32] = 3
    aad[33] = shape.blobType === 'data' ? 1 : 2
    aad[34] = shape.codec
    dataView(aad).setUint32(36, shape.plainBytes, true)
    dataView(aad).setUint32(40, full.storedBytes, true)
    return { ...full, bytes: seal(dataKey.key, body, aad) }
  }

  test('is laid out as the format says', () => {
    expect(toHex(open(sealed({ blobType: 'tree', codec: 0, plainBytes: 3 }, Uint8Array.of(1, 2, 3))))).toBe('010203')
  })

  test('cannot be a bomb', () => {
    const bomb = compressor.compress(new Uint8Array(64 * 1024 * 1024), 2 ** 30)!.slice()
    expectRefused(() => open(sealed({ blobType: 'data', codec: CODEC_ZSTD, plainBytes: 1000 }, bomb)), 'CORRUPT')
  })

  test('cannot state another length than it has, nor use an unknown codec', () => {
    expectRefused(() => open(sealed({ blobType: 'data', codec: CODEC_STORED, plainBytes: 4 }, Uint8Array.of(1, 2, 3))), 'CORRUPT')
    expectRefused(() => open(sealed({ blobType: 'data', codec: CODEC_ZSTD, plainBytes: 5 }, compressor.compress(Uint8Array.of(1, 2, 3), 99)!)), 'CORRUPT')
    expect(expectRefused(() => open(sealed({ blobType: 'data', codec: 2, plainBytes: 3 }, Uint8Array.of(1, 2, 3))), 'CORRUPT').message).toContain('codec 2')
  })
})
