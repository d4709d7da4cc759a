import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, test } from 'vitest'
import { deriveKey, keyIdOf, randomBytes } from '../../src/crypto/derive.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, shifted } from '../util/bytes-of.ts'

const KEY = bytesOf(1, 32)
const SALT = bytesOf(2, 16)

describe('deriveKey', () => {
  test.each([16, 32, 64, 255])('agrees with another HKDF at %d bytes', (length) => {
    expect(toHex(deriveKey(KEY, SALT, 'index 7', length))).toBe(toHex(hkdf(sha256, KEY, SALT, utf8('nacre v1 index 7'), length)))
  })

  test('gives another key for another label, salt or key', () => {
    const all = [deriveKey(KEY, SALT, 'a'), deriveKey(KEY, SALT, 'b'), deriveKey(KEY, bytesOf(3, 16), 'a'), deriveKey(bytesOf(4, 32), SALT, 'a')]
    expect(new Set(all.map(toHex)).size).toBe(4)
  })

  test('takes views', () => {
    expect(toHex(deriveKey(shifted(KEY, 1), shifted(SALT, 3), 'a'))).toBe(toHex(deriveKey(KEY, SALT, 'a')))
  })
})

describe('keyIdOf', () => {
  test('is 16 bytes that depend on the key and on the repository', () => {
    expect(keyIdOf(KEY, SALT).length).toBe(16)
    expect(toHex(keyIdOf(KEY, SALT))).not.toBe(toHex(keyIdOf(bytesOf(5, 32), SALT)))
    expect(toHex(keyIdOf(KEY, SALT))).not.toBe(toHex(keyIdOf(KEY, bytesOf(6, 16))))
  })
})

test('randomBytes gives fresh memory of the length asked for', () => {
  const bytes = randomBytes(32)
  expect(bytes.length).toBe(32)
  expect(bytes.buffer.byteLength).toBe(32)
  expect(toHex(bytes)).not.toBe(toHex(randomBytes(32)))
})
