import { describe, expect, test } from 'vitest'
import { boxPublicKey, openBox, sealBox, sign, signingPublicKey, verify } from '../../src/crypto/asymmetric.ts'
import { concatBytes, fromHex, toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf, flipped, shifted } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'

const SEED = bytesOf(1, 32)
const MESSAGE = utf8('what is signed')
const AAD = utf8('where it stands')

describe('signatures', () => {
  test('are those of RFC 8032', () => {
    const seed = fromHex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7')
    expect(toHex(signingPublicKey(seed))).toBe('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025')
    expect(toHex(sign(seed, fromHex('af82')))).toBe('6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a')
  })

  test('verify under the key that made them, and not when any bit of them differs', () => {
    const key = signingPublicKey(SEED)
    const signature = sign(SEED, MESSAGE)
    expect(verify(key, MESSAGE, signature)).toBe(true)
    for (let bit = 0; bit < signature.length * 8; bit++) expect(verify(key, MESSAGE, flipped(signature, bit))).toBe(false)
    for (let bit = 0; bit < MESSAGE.length * 8; bit++) expect(verify(key, flipped(MESSAGE, bit), signature)).toBe(false)
  })

  test('do not verify under another key, nor under one that is no point', () => {
    const signature = sign(SEED, MESSAGE)
    expect(verify(signingPublicKey(bytesOf(2, 32)), MESSAGE, signature)).toBe(false)
    expect(verify(new Uint8Array(32).fill(255), MESSAGE, signature)).toBe(false)
    expect(verify(new Uint8Array(32), MESSAGE, signature)).toBe(false)
  })

  test('of a wrong length are refused, and so are keys', () => {
    const key = signingPublicKey(SEED)
    const signature = sign(SEED, MESSAGE)
    expect(verify(key, MESSAGE, signature.subarray(1))).toBe(false)
    expect(verify(key, MESSAGE, concatBytes(signature, Uint8Array.of(0)))).toBe(false)
    expect(verify(key.subarray(1), MESSAGE, signature)).toBe(false)
    expect(verify(new Uint8Array(0), MESSAGE, signature)).toBe(false)
  })

  test('are made and checked from views', () => {
    const signature = sign(shifted(SEED, 3), shifted(MESSAGE, 1))
    expect(verify(shifted(signingPublicKey(SEED), 5), MESSAGE, shifted(signature, 7))).toBe(true)
  })
})

describe('sealed boxes', () => {
  const recipient = boxPublicKey(SEED)

  test('have the public key of RFC 7748', () => {
    const seed = fromHex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')
    expect(toHex(boxPublicKey(seed))).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
  })

  test('open for the recipient, and are different every time', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    expect(toHex(openBox(SEED, box, AAD))).toBe(toHex(MESSAGE))
    expect(toHex(sealBox(recipient, MESSAGE, AAD))).not.toBe(toHex(box))
    expect(toHex(openBox(shifted(SEED, 1), shifted(box, 3), shifted(AAD, 5)))).toBe(toHex(MESSAGE))
  })

  test('do not open for another recipient, or as something else', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    expectRefused(() => openBox(bytesOf(2, 32), box, AAD), 'CORRUPT')
    expectRefused(() => openBox(SEED, box, utf8('elsewhere')), 'CORRUPT')
  })

  test('do not open when any bit of what is sealed differs', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    for (let bit = 32 * 8; bit < box.length * 8; bit++) expectRefused(() => openBox(SEED, flipped(box, bit), AAD), 'CORRUPT')
  })

  test('do not open when any bit of the sender\'s key differs', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    for (let bit = 0; bit < 32 * 8; bit++) expectRefused(() => openBox(SEED, flipped(box, bit), AAD), 'CORRUPT')
  })

  test('are refused as damaged when the sender\'s key gives no secret', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    const zero = concatBytes(new Uint8Array(32), box.subarray(32))
    expectRefused(() => openBox(SEED, zero, AAD), 'CORRUPT')
  })

  test('are refused when they are cut short anywhere', () => {
    const box = sealBox(recipient, MESSAGE, AAD)
    for (let length = 0; length < box.length; length++) expectRefused(() => openBox(SEED, box.subarray(0, length), AAD), 'CORRUPT')
  })
})
