/**
 * Ed25519 signatures (RFC 8032) and X25519 (RFC 7748) sealed boxes, with key pairs made from 32-byte
 * seeds so that they, too, are derived from the root key.
 */
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { concatBytes, fromHex, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { open, seal } from './aead.ts'
import { deriveKey } from './derive.ts'

export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

// DER wrappings (RFC 8410) of a bare 32-byte key.
const ED25519_PRIVATE = fromHex('302e020100300506032b657004220420')
const ED25519_PUBLIC = fromHex('302a300506032b6570032100')
const X25519_PRIVATE = fromHex('302e020100300506032b656e04220420')
const X25519_PUBLIC = fromHex('302a300506032b656e032100')

function privateKey(prefix: Uint8Array, seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.from(concatBytes(prefix, seed)), format: 'der', type: 'pkcs8' })
}

function publicKey(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(concatBytes(prefix, raw)), format: 'der', type: 'spki' })
}

function rawPublic(key: KeyObject): Uint8Array {
  const der = key.type === 'private' ? createPublicKey(key) : key
  return new Uint8Array(der.export({ format: 'der', type: 'spki' }).subarray(-PUBLIC_KEY_BYTES))
}

export function signingPublicKey(seed: Uint8Array): Uint8Array {
  return rawPublic(privateKey(ED25519_PRIVATE, seed))
}

export function sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(nodeSign(null, message, privateKey(ED25519_PRIVATE, seed)))
}

export function verify(publicKeyBytes: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKeyBytes.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  return nodeVerify(null, message, verifyingKey(publicKeyBytes), signature)
}

/** To make a key of its bytes takes twice as long as to verify with it, and few keys sign thousands of records. */
const VERIFYING_KEYS_MOST = 64
const verifyingKeys = new Map<string, KeyObject>()

function verifyingKey(raw: Uint8Array): KeyObject {
  const name = toHex(raw)
  const known = verifyingKeys.get(name)
  if (known !== undefined) return known
  const key = publicKey(ED25519_PUBLIC, raw)
  if (verifyingKeys.size >= VERIFYING_KEYS_MOST) verifyingKeys.clear()
  verifyingKeys.set(name, key)
  return key
}

export function boxPublicKey(seed: Uint8Array): Uint8Array {
  return rawPublic(privateKey(X25519_PRIVATE, seed))
}

function boxKey(shared: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array): Uint8Array {
  return deriveKey(shared, concatBytes(ephemeral, recipient), 'sealed box')
}

/** Seals for the holder of the recipient's seed: ephemeral public key[32] ‖ sealed bytes. */
export function sealBox(recipient: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array {
  const pair = generateKeyPairSync('x25519')
  const ephemeral = rawPublic(pair.publicKey)
  const shared = diffieHellman({ privateKey: pair.privateKey, publicKey: publicKey(X25519_PUBLIC, recipient) })
  return concatBytes(ephemeral, seal(boxKey(shared, ephemeral, recipient), plaintext, aad))
}

/** @throws {BackupError} CORRUPT - the box was not sealed for this seed, or was changed */
export function openBox(seed: Uint8Array, box: Uint8Array, aad: Uint8Array): Uint8Array {
  if (box.length < PUBLIC_KEY_BYTES) throw new BackupError('CORRUPT', 'a sealed box is too short')
  const ephemeral = box.subarray(0, PUBLIC_KEY_BYTES)
  const own = privateKey(X25519_PRIVATE, seed)
  let shared: Uint8Array
  try {
    shared = diffieHellman({ privateKey: own, publicKey: publicKey(X25519_PUBLIC, ephemeral) })
  } catch (cause) {
    // A point of small order gives no secret.
    throw new BackupError('CORRUPT', 'a sealed box begins with no usable key', { cause })
  }
  return open(boxKey(shared, ephemeral, rawPublic(own)), box.subarray(PUBLIC_KEY_BYTES), aad)
}
