import { argon2id } from '@noble/hashes/argon2.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { describe, expect, test } from 'vitest'
import { DEFAULT_KDF, deriveFromPassword, KDF_OUTPUT_BYTES, kdfObjection, type KdfParameters, pureArgon2id } from '../../src/crypto/kdf.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, shifted } from '../util/bytes-of.ts'
import { expectRejected } from '../util/expect-error.ts'

const PASSWORD = utf8('pässwörd \u{1f41a}')
const SALT = bytesOf(1, 32)

describe('deriveFromPassword', () => {
  test.each([
    { memoryKib: 64, passes: 1, lanes: 1 },
    { memoryKib: 256, passes: 3, lanes: 4 },
    { memoryKib: 1024, passes: 2, lanes: 2 },
  ])('by argon2id agrees with another implementation at $memoryKib KiB, $passes passes, $lanes lanes', async ({ memoryKib, passes, lanes }) => {
    const kdf = { algorithm: 1, memoryKib, passes, lanes } as const
    const wanted = toHex(argon2id(PASSWORD, SALT, { m: memoryKib, t: passes, p: lanes, dkLen: KDF_OUTPUT_BYTES }))
    expect(toHex(await deriveFromPassword(PASSWORD, SALT, kdf))).toBe(wanted)
    expect(toHex(await pureArgon2id(PASSWORD, SALT, kdf))).toBe(wanted)
  })

  test('by scrypt agrees with another implementation', async () => {
    const derived = await deriveFromPassword(PASSWORD, SALT, { algorithm: 2, cost: 1024, blockSize: 8, lanes: 2 })
    expect(toHex(derived)).toBe(toHex(scrypt(PASSWORD, SALT, { N: 1024, r: 8, p: 2, dkLen: KDF_OUTPUT_BYTES })))
  })

  test('takes password and salt at odd places of a larger buffer', async () => {
    const kdf = { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } as const
    const wanted = toHex(await deriveFromPassword(PASSWORD, SALT, kdf))
    expect(toHex(await deriveFromPassword(shifted(PASSWORD, 3), shifted(SALT, 7), kdf))).toBe(wanted)
  })

  test.each<[string, KdfParameters]>([
    ['argon2id with all memory there is', { algorithm: 1, memoryKib: 0xffffffff, passes: 1, lanes: 1 }],
    ['argon2id with more than a gibibyte', { algorithm: 1, memoryKib: 1024 * 1024 + 1, passes: 1, lanes: 1 }],
    ['argon2id with too little memory for its lanes', { algorithm: 1, memoryKib: 31, passes: 1, lanes: 4 }],
    ['argon2id without memory', { algorithm: 1, memoryKib: 0, passes: 1, lanes: 0 }],
    ['argon2id without passes', { algorithm: 1, memoryKib: 64, passes: 0, lanes: 1 }],
    ['argon2id with passes for a day', { algorithm: 1, memoryKib: 64, passes: 0xffffffff, lanes: 1 }],
    ['argon2id without lanes', { algorithm: 1, memoryKib: 64, passes: 1, lanes: 0 }],
    ['argon2id with lanes without end', { algorithm: 1, memoryKib: 1024, passes: 1, lanes: 65 }],
    ['scrypt of no power of two', { algorithm: 2, cost: 1000, blockSize: 8, lanes: 1 }],
    ['scrypt of cost 1', { algorithm: 2, cost: 1, blockSize: 8, lanes: 1 }],
    ['scrypt of cost 0', { algorithm: 2, cost: 0, blockSize: 8, lanes: 1 }],
    ['scrypt without a block', { algorithm: 2, cost: 1024, blockSize: 0, lanes: 1 }],
    ['scrypt with blocks without end', { algorithm: 2, cost: 2, blockSize: 0xffffffff, lanes: 1 }],
    ['scrypt with more than a gibibyte', { algorithm: 2, cost: 2 ** 31, blockSize: 8, lanes: 1 }],
    ['scrypt with lanes without end', { algorithm: 2, cost: 1024, blockSize: 8, lanes: 17 }],
  ])('refuses %s', async (_name, kdf) => {
    const started = performance.now()
    await expectRejected(deriveFromPassword(PASSWORD, SALT, kdf), 'CORRUPT')
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('kdfObjection', () => {
  test('has none against the default, nor against RFC 9106 or a costlier scrypt', () => {
    expect(kdfObjection(DEFAULT_KDF)).toBeUndefined()
    expect(kdfObjection({ algorithm: 2, cost: 2 ** 17, blockSize: 8, lanes: 1 })).toBeUndefined()
    expect(kdfObjection({ algorithm: 2, cost: 2 ** 20, blockSize: 8, lanes: 1 })).toBeUndefined()
  })
})
