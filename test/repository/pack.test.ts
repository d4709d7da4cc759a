import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeCbor, encodeCbor } from '../../src/codec/cbor.ts'
import { signingPublicKey } from '../../src/crypto/asymmetric.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { newDataKey, wrapDataKey } from '../../src/repository/envelope.ts'
import { decodeIndex, encodeIndex } from '../../src/repository/index-object.ts'
import { decodePackHeader, decodeTrailer, encodePackHeader, encodePackTail, openPackDirectory, padme, TRAILER_BYTES } from '../../src/repository/pack.ts'
import { blobCount, blobEntries, decodeDirectory, encodeFrames, packEntriesFromCbor, type PackDirectory, packEntryFromCbor, packEntryToCbor } from '../../src/repository/pack-entry.ts'
import { concatBytes, dataView, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { idOf, otherOwner, owner, packEntryOf, REPOSITORY_ID, writer, WRITER_GROUP } from './support.ts'

const dataKey = newDataKey(REPOSITORY_ID)
const envelopes = [wrapDataKey(owner, 0, dataKey)]
const header = { group: 0, repositoryId: REPOSITORY_ID, session: bytesOf(1, 16), envelopes }
const entry = packEntryOf(1)

const anyEntry = fc.tuple(fc.nat(), fc.nat(60)).map(([seed, count]) => packEntryOf(seed, Array.from({ length: count }, (_, i) => idOf(i))))

describe('padme', () => {
  test('is never below the size, at most 12 percent above, and leaks few bits', () => {
    const seen = new Set<number>()
    for (let size = 0; size < 200_000; size += 7) {
      const padded = padme(size)
      expect(padded).toBeGreaterThanOrEqual(size)
      expect(padded - size).toBeLessThanOrEqual(Math.ceil(size * 0.12))
      seen.add(padded)
    }
    expect(seen.size).toBeLessThan(400)
  })

  test('is what the paper says', () => {
    expect([0, 1, 2, 3, 8, 9, 10, 100, 1000, 1_000_000, 33_554_433].map(padme)).toEqual([0, 1, 2, 3, 8, 10, 10, 104, 1024, 1_015_808, 34_603_008])
  })

  test('never falls as the size grows, and pads nothing twice', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 30 }), fc.nat(1000), (size, more) => {
        expect(padme(size + more)).toBeGreaterThanOrEqual(padme(size))
        expect(padme(padme(size))).toBe(padme(size))
      }),
    )
  })
})

describe('a pack\'s header', () => {
  test('comes back as it was, from the whole pack as well', () => {
    const bytes = encodePackHeader(header)
    const decoded = decodePackHeader(concatBytes(bytes, bytesOf(2, 300)), 'it')
    expect(decoded.header).toEqual(header)
    expect(toHex(decoded.headerBytes)).toBe(toHex(bytes))
  })

  test('lies where the format says', () => {
    const bytes = encodePackHeader({ ...header, group: 9 })
    expect(toHex(bytes.subarray(0, 16))).toBe('894e43520d0a1a0a' + '01010300' + '09000000')
    expect(toHex(bytes.subarray(16, 48))).toBe(toHex(REPOSITORY_ID) + toHex(bytesOf(1, 16)))
    expect(dataView(bytes).getUint32(48, true)).toBe(bytes.length - 52)
  })

  test('is refused when it is cut short, has another magic or type, or states too long envelopes', () => {
    const bytes = encodePackHeader(header)
    for (let length = 0; length < bytes.length; length++) expectRefused(() => decodePackHeader(bytes.subarray(0, length), 'it'), 'CORRUPT')
    for (const bit of [0, 63, 80, 87]) expectRefused(() => decodePackHeader(flipped(bytes, bit), 'it'), 'CORRUPT')
    const long = bytes.slice()
    dataView(long).setUint32(48, 0xffffffff, true)
    expectRefused(() => decodePackHeader(long, 'it'), 'CORRUPT')
    for (const bit of [64, 72]) expectRefused(() => decodePackHeader(flipped(bytes, bit), 'it'), 'REPOSITORY_VERSION')
  })
})

describe('a pack\'s directory', () => {
  const headerBytes = encodePackHeader(header)

  function directoryOf(tail: Uint8Array): PackDirectory {
    const length = decodeTrailer(tail.subarray(tail.length - TRAILER_BYTES), 10_000_000, 'it')
    const sealed = tail.subarray(tail.length - TRAILER_BYTES - length, tail.length - TRAILER_BYTES)
    return openPackDirectory(headerBytes, dataKey, sealed, 'it')
  }

  test('comes back from the pack\'s end', () => {
    fc.assert(
      fc.property(anyEntry, fc.boolean(), (item, isLast) => {
        const tail = encodePackTail(headerBytes, dataKey, item, item.sizeBytes, isLast)
        const directory = directoryOf(tail)
        expect(directory.frames).toEqual(item.frames)
        expect(Buffer.compare(directory.blobs, item.blobs)).toBe(0)
      }),
    )
  })

  test('pads the last packs of a session to a Padmé size, and others in steps', () => {
    fc.assert(
      fc.property(anyEntry, fc.integer({ min: 100, max: 5_000_000 }), (item, framesEnd) => {
        const last = framesEnd + encodePackTail(headerBytes, dataKey, item, framesEnd, true).length
        // A byte string cannot take any number of bytes: 23 become 24, and 24 become 26.
        expect(Math.min(padme(last) - last, last - padme(last - 1))).toBeLessThanOrEqual(1)
        const other = encodePackTail(headerBytes, dataKey, item, framesEnd, false).length
        expect(Math.abs(((other - 48 + 2048) % 4096) - 2048)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('is refused when any bit of it, of the header or of the envelopes differs', () => {
    const tail = encodePackTail(headerBytes, dataKey, entry, entry.sizeBytes, true)
    const sealed = tail.subarray(0, tail.length - TRAILER_BYTES)
    for (let bit = 0; bit < sealed.length * 8; bit += 11) expectRefused(() => openPackDirectory(headerBytes, dataKey, flipped(sealed, bit), 'it'), 'CORRUPT')
    for (let bit = 0; bit < headerBytes.length * 8; bit += 11) expectRefused(() => openPackDirectory(flipped(headerBytes, bit), dataKey, sealed, 'it'), 'CORRUPT')
    expectRefused(() => openPackDirectory(headerBytes, newDataKey(REPOSITORY_ID), sealed, 'it'), 'CORRUPT')
  })

  test('is not found behind a trailer that is no trailer', () => {
    const trailer = (length: number, magic = 'NCRE'): Uint8Array => {
      const bytes = new Uint8Array(8)
      dataView(bytes).setUint32(0, length, true)
      bytes.set(utf8(magic), 4)
      return bytes
    }
    expect(decodeTrailer(trailer(100), 1000, 'it')).toBe(100)
    for (const bytes of [trailer(0), trailer(40), trailer(0xffffffff), trailer(941), trailer(100, 'NCRF'), trailer(100).subarray(1), new Uint8Array(0)]) {
      expectRefused(() => decodeTrailer(bytes, 1000, 'it'), 'CORRUPT')
    }
  })
})

describe('a pack entry', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(anyEntry, (item) => {
        const decoded = packEntryFromCbor(decodeCbor(encodeCbor(packEntryToCbor(item))))
        expect(decoded).toEqual(item)
        expect(blobCount(decoded)).toBe(item.blobs.length / 36)
      }),
    )
  })

  test('gives every blob with its frame and its place in it', () => {
    fc.assert(
      fc.property(anyEntry, (item) => {
        const blobs = [...blobEntries(item)]
        expect(blobs.length).toBe(blobCount(item))
        let number = 0
        for (const frame of item.frames) {
          let offset = 0
          for (const blob of blobs.slice(number, number + frame.blobCount)) {
            expect(blob.frame).toBe(frame)
            expect(blob.offsetInFrame).toBe(offset)
            expect(toHex(blob.id)).toBe(toHex(item.blobs.subarray(number * 36, number * 36 + 32)))
            offset += blob.length
            number++
          }
          expect(offset).toBe(frame.plainBytes)
        }
      }),
    )
  })

  test('has records of 20 and 36 bytes, as the format says', () => {
    const frame = { offset: 0x01020304, storedBytes: 0x11121314, plainBytes: 0x21222324, blobCount: 0x31323334, codec: 1, blobType: 'tree', envelope: 5 } as const
    expect(toHex(encodeFrames([frame]))).toBe('04030201' + '14131211' + '24232221' + '34333231' + '01020500')
  })

  /** The entry's tables with one number changed. */
  function changed(change: (frames: DataView, blobs: DataView) => void): () => unknown {
    const frames = encodeFrames(entry.frames)
    const blobs = entry.blobs.slice()
    change(dataView(frames), dataView(blobs))
    return () => decodeDirectory(frames, blobs, 'it')
  }

  test.each<[string, () => unknown]>([
    ['a frame that begins in the one before', changed((frames) => frames.setUint32(20, entry.frames[0]!.offset + 1, true))],
    ['frames out of order', changed((frames) => frames.setUint32(0, 0x7fffffff, true))],
    ['a frame longer than its blobs', changed((frames) => frames.setUint32(8, entry.frames[0]!.plainBytes + 1, true))],
    ['a blob longer than its frame', changed((_frames, blobs) => blobs.setUint32(32, 0xffffffff, true))],
    ['a frame with more blobs than there are', changed((frames) => frames.setUint32(12, 0xffffffff, true))],
    ['a frame with fewer blobs', changed((frames) => frames.setUint32(12, 0, true))],
    ['a blob type that is none', changed((frames) => frames.setUint8(17, 3))],
    ['a frame beyond what any may hold', changed((frames) => frames.setUint32(8, 0xffffffff, true))],
    ['a frame that ends beyond what any pack may hold', changed((frames) => frames.setUint32(20 * (entry.frames.length - 1) + 4, 0xffffffff, true))],
    ['a table of broken frames', () => decodeDirectory(encodeFrames(entry.frames).subarray(1), entry.blobs, 'it')],
    ['a table of broken blobs', () => decodeDirectory(encodeFrames(entry.frames), entry.blobs.subarray(0, entry.blobs.length - 1), 'it')],
    ['a blob too many', () => decodeDirectory(encodeFrames(entry.frames), concatBytes(entry.blobs, new Uint8Array(36)), 'it')],
    ['a blob too few', () => decodeDirectory(encodeFrames(entry.frames), entry.blobs.subarray(0, entry.blobs.length - 36), 'it')],
  ])('is refused with %s', (_what, run) => {
    expectRefused(run, 'CORRUPT')
  })

  test.each<[string, readonly [number, unknown]]>([
    ['an id of another length', [1, new Uint8Array(31)]],
    ['a pack larger than any may be', [2, 2 ** 40]],
    ['a pack smaller than its frames', [2, 100]],
    ['a session of another length', [3, new Uint8Array(15)]],
    ['no envelopes', [4, []]],
    ['frames that are no bytes', [5, 'frames']],
  ])('is refused with %s', (_what, change) => {
    const map = packEntryToCbor(entry)
    map.set(change[0], change[1])
    expectRefused(() => packEntryFromCbor(map), 'CORRUPT')
  })

  test('stands in a list', () => {
    const entries = [packEntryOf(1), packEntryOf(2)]
    expect(packEntriesFromCbor(decodeCbor(encodeCbor(entries.map(packEntryToCbor))))).toEqual(entries)
    expectRefused(() => packEntriesFromCbor(new Map()), 'CORRUPT')
  })
})

describe('an index object', () => {
  const index = { packs: [packEntryOf(1), packEntryOf(2)], replaces: [toHex(bytesOf(3, 32))] }
  const made = encodeIndex(owner, 0, index)

  test('comes back as it was, and is named by its group and the hash of its bytes', () => {
    expect(made.name).toBe(`0/${toHex(sha256(made.bytes))}`)
    expect(decodeIndex(owner, made.name, made.bytes, [owner.ownerPublic])).toEqual(index)
  })

  test('of a writer is read by the owner who trusts its key, and not obeyed otherwise', () => {
    const theirs = encodeIndex(writer, WRITER_GROUP, index)
    const writerKey = signingPublicKey(writer.signingSeed)
    expect(decodeIndex(owner, theirs.name, theirs.bytes, [writerKey])).toEqual(index)
    expectRefused(() => decodeIndex(owner, theirs.name, theirs.bytes, [owner.ownerPublic]), 'CORRUPT')
    expectRefused(() => decodeIndex(owner, theirs.name, theirs.bytes, []), 'CORRUPT')
  })

  test('is refused under the name of another, in another group and with other keys', () => {
    const other = encodeIndex(owner, 0, { packs: [], replaces: [] })
    expectRefused(() => decodeIndex(owner, other.name, made.bytes, [owner.ownerPublic]), 'CORRUPT')
    expectRefused(() => decodeIndex(owner, made.name.replace('0/', '1/'), made.bytes, [owner.ownerPublic]), 'CORRUPT')
    expectRefused(() => decodeIndex(otherOwner, made.name, made.bytes, [otherOwner.ownerPublic]), 'CORRUPT')
  })

  test('is refused when any bit of it differs, also under a name that fits', () => {
    for (let bit = 80; bit < made.bytes.length * 8; bit += 97) {
      const bytes = flipped(made.bytes, bit)
      expectRefused(() => decodeIndex(owner, made.name, bytes, [owner.ownerPublic]), 'CORRUPT')
      expectRefused(() => decodeIndex(owner, `0/${toHex(sha256(bytes))}`, bytes, [owner.ownerPublic]), 'CORRUPT')
    }
  })
})
