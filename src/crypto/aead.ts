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
import type { Arena } from '../util/arena.ts'
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

/**
 * Memory of the derivation, used again and again: the ciphers copy what they are given, and a buffer
 * of its own for each step costs thousands of small messages more in collecting garbage than the
 * cipher itself. The words are filled through bytes, since a key may lie at any offset.
 */
const keyBytes = new Uint8Array(KEY_BYTES)
const nonceBytes = new Uint8Array(16)
const subkey = Buffer.from(new ArrayBuffer(KEY_BYTES))
const iv = Buffer.from(new ArrayBuffer(12))
const keyWords = new Uint32Array(keyBytes.buffer)
const nonceWords = new Uint32Array(nonceBytes.buffer)
const subkeyWords = new Uint32Array(subkey.buffer)

/** Leaves the inner key in `subkey` and the nonce under it in `iv`: to be used before anything else is derived. */
function deriveInner(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new RangeError('a cipher key has 32 bytes')
  keyBytes.set(key)
  nonceBytes.set(nonce.subarray(0, 16))
  hchacha(SIGMA, keyWords, nonceWords, subkeyWords)
  iv.set(nonce.subarray(16, NONCE_BYTES), 4)
}

/**
 * Seals the plaintext into a fresh buffer of its own (never pooled: it may be transferred).
 * The nonce is always drawn here, so no caller can use one twice.
 */
export function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array<ArrayBuffer> {
  // Not cleared beforehand: every byte is written below.
  const out = new Uint8Array(Buffer.allocUnsafeSlow(plaintext.length + SEAL_OVERHEAD_BYTES).buffer as ArrayBuffer)
  drawNonce(out)
  deriveInner(key, out.subarray(0, NONCE_BYTES))
  const cipher = createCipheriv(ALGORITHM, subkey, iv, TAG_OPTION)
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  run(cipher, plaintext, out.subarray(NONCE_BYTES))
  cipher.final()
  out.set(cipher.getAuthTag(), NONCE_BYTES + plaintext.length)
  return out
}

/**
 * Opens what `seal` made.
 * @param memory - where the plaintext is put; by default it gets a buffer of its own
 * @throws {BackupError} CORRUPT - a bit differs, or key or associated data are not those of the seal
 */
export function open(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array, memory?: Arena): Uint8Array {
  const end = sealed.length - TAG_BYTES
  if (end < NONCE_BYTES) throw new BackupError('CORRUPT', 'sealed bytes are too short')
  deriveInner(key, sealed.subarray(0, NONCE_BYTES))
  const decipher = createDecipheriv(ALGORITHM, subkey, iv, TAG_OPTION)
  decipher.setAuthTag(sealed.subarray(end))
  decipher.setAAD(aad, { plaintextLength: end - NONCE_BYTES })
  const ciphertext = sealed.subarray(NONCE_BYTES, end)
  const plaintext = memory === undefined && ciphertext.length <= PIECE_BYTES ? whole(decipher, ciphertext) : into(decipher, ciphertext, memory)
  try {
    decipher.final()
  } catch (cause) {
    throw new BackupError('CORRUPT', 'authentication failed: the bytes are not those that were sealed', { cause })
  }
  return plaintext
}

/** What is small comes in a buffer of its own already. */
function whole(cipher: { update(bytes: Uint8Array): Uint8Array }, bytes: Uint8Array): Uint8Array {
  const piece = cipher.update(bytes)
  return new Uint8Array(piece.buffer, piece.byteOffset, piece.length)
}

function into(cipher: { update(bytes: Uint8Array): Uint8Array }, bytes: Uint8Array, memory: Arena | undefined): Uint8Array {
  const out = memory?.take(bytes.length) ?? new Uint8Array(bytes.length)
  run(cipher, bytes, out)
  return out
}

/**
 * OpenSSL's results come in buffers of their own. Small ones are taken from memory that is warm,
 * where a large one would be mapped, cleared and unmapped for every frame: 1 MiB at once costs 0.45
 * to 0.7 ms, in pieces of 64 KiB 0.37.
 */
const PIECE_BYTES = 64 * 1024

function run(cipher: { update(bytes: Uint8Array): Uint8Array }, from: Uint8Array, into: Uint8Array): void {
  for (let at = 0; at < from.length; at += PIECE_BYTES) {
    const piece = cipher.update(from.subarray(at, at + PIECE_BYTES))
    into.set(piece, at)
    release(piece)
  }
}
