/**
 * Hashes. Blob ids are keyed BLAKE3-256, so that ids tell nothing to those without the key; object
 * names are plain SHA-256, so that anyone can audit them. The native BLAKE3 is a hundred times as
 * fast as the pure one, which stands in where no prebuilt binary exists and is its oracle in tests.
 */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { blake3 } from '@noble/hashes/blake3.js'

export const HASH_BYTES = 32

/** 32 bytes of keyed BLAKE3 over the input. Holds state: not to be shared between threads. */
export type KeyedHash = (bytes: Uint8Array) => Uint8Array

interface NativeHasher {
  reset(): void
  update(input: Uint8Array): unknown
  digestBuffer(): Buffer
}

interface NativeBlake {
  Blake3Hasher: { newKeyed(key: Buffer): NativeHasher }
}

let native: NativeBlake | null | undefined

function loadNative(): NativeBlake | null {
  if (native === undefined) {
    try {
      native = createRequire(import.meta.url)('@napi-rs/blake-hash') as NativeBlake
    } catch {
      native = null
    }
  }
  return native
}

/**
 * @param key - 32 bytes
 * @throws {RangeError} on a key of another length
 */
export function keyedHash(key: Uint8Array): KeyedHash {
  if (key.length !== HASH_BYTES) throw new RangeError('a hash key has 32 bytes')
  const blake = loadNative()
  if (blake === null) return pureKeyedHash(key)
  // Making a hasher costs 11 µs, resetting one nothing: small files would feel it.
  const hasher = blake.Blake3Hasher.newKeyed(Buffer.from(key))
  return (bytes) => {
    hasher.reset()
    hasher.update(bytes)
    return hasher.digestBuffer()
  }
}

/** The same function in JavaScript alone. */
export function pureKeyedHash(key: Uint8Array): KeyedHash {
  return (bytes) => blake3(bytes, { key })
}

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export interface RunningHash {
  update(bytes: Uint8Array): void
  digest(): Uint8Array
}

/** SHA-256 over bytes that arrive one after another. */
export function runningSha256(): RunningHash {
  const hash = createHash('sha256')
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest(),
  }
}
