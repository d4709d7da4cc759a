import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NONCE_BYTES, open, seal, SEAL_OVERHEAD_BYTES } from '../../src/crypto/aead.ts'
import { concatBytes, toHex } from '../../src/util/bytes.ts'
import { bytesOf, flipped, shifted } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

const KEY = bytesOf(1, 32)
const AAD = bytesOf(2, 44)

describe('seal and open', () => {
  test('agree with another implementation both ways, at all small lengths', () => {
    for (let length = 0; length < 300; length += 7) {
      const plaintext = bytesOf(length, length)
      const sealed = seal(KEY, plaintext, AAD)
      expect(sealed.length).toBe(length + SEAL_OVERHEAD_BYTES)
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const other = xchacha20poly1305(KEY, nonce, AAD)
      expect(toHex(other.decrypt(sealed.subarray(NONCE_BYTES)))).toBe(toHex(plaintext))
      const theirs = other.encrypt(plaintext)
      expect(toHex(theirs)).toBe(toHex(sealed.subarray(NONCE_BYTES)))
      expect(toHex(open(KEY, concatBytes(nonce, theirs), AAD))).toBe(toHex(plaintext))
    }
  })

  test('give back what was sealed, whatever the bytes and however long the associated data', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.uint8Array({ maxLength: 200 }), (plaintext, aad) => {
        expect(toHex(open(KEY, seal(KEY, plaintext, aad), aad))).toBe(toHex(plaintext))
      }),
    )
  })

  test('agree with another implementation on a mebibyte', () => {
    const plaintext = bytesOf(3, 1024 * 1024)
    const sealed = seal(KEY, plaintext, AAD)
    const other = xchacha20poly1305(KEY, sealed.subarray(0, NONCE_BYTES), AAD)
    expect(Buffer.compare(other.decrypt(sealed.subarray(NONCE_BYTES)), plaintext)).toBe(0)
  })

  test('open the test vector of the draft', () => {
    // draft-irtf-cfrg-xchacha-03, A.3.1
    const key = Buffer.from('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f', 'hex')
    const nonce = Buffer.from('404142434445464748494a4b4c4d4e4f5051525354555657', 'hex')
    const aad = Buffer.from('50515253c0c1c2c3c4c5c6c7', 'hex')
    const body = Buffer.from(
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
      'hex',
    )
    expect(Buffer.from(open(key, concatBytes(nonce, body), aad)).toString()).toBe(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    )
  })

  test('take keys, plaintexts and associated data at odd places of a larger buffer', () => {
    const plaintext = bytesOf(4, 333)
    for (let offset = 0; offset < 9; offset++) {
      const sealed = seal(shifted(KEY, offset), shifted(plaintext, offset), shifted(AAD, offset))
      expect(toHex(open(KEY, sealed, AAD))).toBe(toHex(plaintext))
      expect(toHex(open(shifted(KEY, offset), shifted(sealed, offset), shifted(AAD, offset)))).toBe(toHex(plaintext))
    }
  })

  test('seal into memory of their own, that may be transferred', () => {
    const sealed = seal(KEY, bytesOf(5, 10), AAD)
    expect(sealed.byteOffset).toBe(0)
    expect(sealed.buffer.byteLength).toBe(sealed.length)
  })

  test('never draw a nonce twice', () => {
    const nonces = new Set<string>()
    for (let i = 0; i < 1000; i++) nonces.add(toHex(seal(KEY, new Uint8Array(0), AAD).subarray(0, NONCE_BYTES)))
    expect(nonces.size).toBe(1000)
  })
})

describe('open', () => {
  test('refuses every single flipped bit', () => {
    const sealed = seal(KEY, bytesOf(6, 20), AAD)
    for (let bit = 0; bit < sealed.length * 8; bit++) expectRefused(() => open(KEY, flipped(sealed, bit), AAD), 'CORRUPT')
  })

  test('refuses every flipped bit of the associated data and of the key', () => {
    const sealed = seal(KEY, bytesOf(7, 20), AAD)
    for (let bit = 0; bit < AAD.length * 8; bit++) expectRefused(() => open(KEY, sealed, flipped(AAD, bit)), 'CORRUPT')
    for (let bit = 0; bit < KEY.length * 8; bit++) expectRefused(() => open(flipped(KEY, bit), sealed, AAD), 'CORRUPT')
  })

  test('refuses associated data that is longer or shorter', () => {
    const sealed = seal(KEY, bytesOf(8, 20), AAD)
    expectRefused(() => open(KEY, sealed, AAD.subarray(1)), 'CORRUPT')
    expectRefused(() => open(KEY, sealed, concatBytes(AAD, Uint8Array.of(0))), 'CORRUPT')
    expectRefused(() => open(KEY, sealed, new Uint8Array(0)), 'CORRUPT')
  })

  test('refuses bytes that are cut short anywhere, or longer', () => {
    const sealed = seal(KEY, bytesOf(9, 30), AAD)
    for (let length = 0; length < sealed.length; length++) expectRefused(() => open(KEY, sealed.subarray(0, length), AAD), 'CORRUPT')
    expectRefused(() => open(KEY, concatBytes(sealed, Uint8Array.of(0)), AAD), 'CORRUPT')
  })

  test('refuses keys that are not 32 bytes as a mistake of the caller', () => {
    expect(() => seal(KEY.subarray(1), new Uint8Array(0), AAD)).toThrow(RangeError)
    expect(() => open(new Uint8Array(33), seal(KEY, new Uint8Array(0), AAD), AAD)).toThrow(RangeError)
  })
})
