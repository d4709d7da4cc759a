/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): a 192-bit nonce may be drawn at random for every
 * message. HChaCha20 from noble derives a subkey in a microsecond or two, OpenSSL does the bulk under it;
 * noble's own implementation is twenty times slower and serves as the oracle in the tests.
 *
 * Sealed bytes are nonce[24] ‖ ciphertext ‖ tag[16]. Associated data is not optional: whatever is
 * sealed says what it is, so that nothing can be taken for anything else.
 */
import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto'
import { hchacha } from '@noble/ciphers/chacha.js'
import { BackupError } from '../util/errors.ts'
import { release } from '../util/release.ts'

export const KEY_BYTES = 32
export const NONCE_BYTES = 24
export const TAG_BYTES = 16
export const SEAL_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES

const ALGORITHM = 'chacha20-poly1305'
const TAG_OPTION = { authTagLength: TAG_BYTES }
// "expand 32-byte k", as the ChaCha constants read in little-endian words.
const SIGMA = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574])

/** Nonces are drawn in bulk: a call to the system's generator for each frame would show. */
const nonces = new Uint8Array(NONCE_BYTES * 128)
let noncesUsed = nonces.length

function drawNonce(into: Uint8Array): void {
  if (noncesUsed === nonces.length) {
    randomFillSync(nonces)
    noncesUsed = 0
  }
  into.set(nonces.subarray(noncesUsed, noncesUsed + NONCE_BYTES))
  noncesUsed += NONCE_BYTES
}

/** A copy, since the bytes may lie at any offset; and not `slice`, which for a Buffer makes none. */
function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer)
}

function innerKeyAndNonce(key: Uint8Array, nonce: Uint8Array): { subkey: Buffer; iv: Buffer } {
  if (key.length !== KEY_BYTES) throw new RangeError('a cipher key has 32 bytes')
  const subkey = new Uint32Array(8)
  hchacha(SIGMA, words(key), words(nonce.subarray(0, 16)), subkey)
  const iv = Buffer.alloc(12)
  iv.set(nonce.subarray(16, NONCE_BYTES), 4)
  return { subkey: Buffer.from(subkey.buffer), iv }
}

/**
 * Seals the plaintext into a fresh buffer of its own (never pooled: it may be transferred).
 * The nonce is always drawn here, so no caller can use one twice.
 */
export function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array<ArrayBuffer> {
  // Not cleared beforehand: every byte is written below.
  const out = new Uint8Array(Buffer.allocUnsafeSlow(plaintext.length + SEAL_OVERHEAD_BYTES).buffer as ArrayBuffer)
  drawNonce(out)
  const { subkey, iv } = innerKeyAndNonce(key, out.subarray(0, NONCE_BYTES))
  const cipher = createCipheriv(ALGORITHM, subkey, iv, TAG_OPTION)
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  const ciphertext = cipher.update(plaintext)
  out.set(ciphertext, NONCE_BYTES)
  release(ciphertext)
  cipher.final()
  out.set(cipher.getAuthTag(), NONCE_BYTES + plaintext.length)
  return out
}

/**
 * Opens what `seal` made.
 * @throws {BackupError} CORRUPT - a bit differs, or key or associated data are not those of the seal
 */
export function open(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array {
  const end = sealed.length - TAG_BYTES
  if (end < NONCE_BYTES) throw new BackupError('CORRUPT', 'sealed bytes are too short')
  const { subkey, iv } = innerKeyAndNonce(key, sealed.subarray(0, NONCE_BYTES))
  const decipher = createDecipheriv(ALGORITHM, subkey, iv, TAG_OPTION)
  decipher.setAuthTag(sealed.subarray(end))
  decipher.setAAD(aad, { plaintextLength: end - NONCE_BYTES })
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, end))
  try {
    decipher.final()
  } catch (cause) {
    throw new BackupError('CORRUPT', 'authentication failed: the bytes are not those that were sealed', { cause })
  }
  return plaintext
}
