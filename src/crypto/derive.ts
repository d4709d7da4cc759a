/** HKDF-SHA256 (RFC 5869): every key of a repository is one labelled output of a key above it. */
import { hkdfSync, randomBytes as nodeRandomBytes } from 'node:crypto'
import { utf8 } from '../util/bytes.ts'

/**
 * @param salt - binds the output to its place, such as the repository's id
 * @param label - says what the output is for; two labels never give the same key
 */
export function deriveKey(key: Uint8Array, salt: Uint8Array, label: string, lengthBytes = 32): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, utf8(`nacre v1 ${label}`), lengthBytes))
}

/** A public name for a key: derived from it, it commits to it and tells nothing of it. 16 bytes. */
export function keyIdOf(key: Uint8Array, salt: Uint8Array): Uint8Array {
  return deriveKey(key, salt, 'key id', 16)
}

export function randomBytes(length: number): Uint8Array {
  return new Uint8Array(nodeRandomBytes(length))
}
