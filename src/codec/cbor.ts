/**
 * CBOR (RFC 8949) in its deterministic form (section 4.2): maps with integer keys, definite
 * lengths, no duplicates, no trailing bytes. What is read may be hostile, so every look at a
 * decoded map goes through a reader that checks type and range.
 */
import { decode, encode } from 'cborg'
import { BackupError } from '../util/errors.ts'

export type CborMap = Map<number, unknown>

const STRICT = {
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
}

export function encodeCbor(value: unknown): Uint8Array {
  return encode(value)
}

/** @throws {BackupError} CORRUPT - not one deterministic CBOR item, or nested beyond the stack */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, STRICT)
  } catch (cause) {
    throw new BackupError('CORRUPT', 'malformed CBOR', { cause })
  }
}

function wrong(what: string, expected: string): BackupError {
  return new BackupError('CORRUPT', `${what} is not ${expected}`)
}

export function asMap(value: unknown, what: string): CborMap {
  if (!(value instanceof Map)) throw wrong(what, 'a map')
  return value as CborMap
}

export function asArray(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, 'a list')
  return value
}

/** @param length - the exact length, where there is one */
export function asBytes(value: unknown, what: string, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(what, 'a byte string')
  if (length !== undefined && value.length !== length) throw wrong(what, `${length} bytes long`)
  return value
}

export function asText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw wrong(what, 'text')
  return value
}

/** A whole number from 0 to the limit. */
export function asCount(value: unknown, what: string, limit: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > limit) throw wrong(what, `a number from 0 to ${limit}`)
  return value
}

export function asInteger(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(what, 'a whole number')
  return value
}

/** An unsigned number of up to 64 bits; beyond 2^53 it is a bigint. */
export function asU64(value: unknown, what: string): number | bigint {
  if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) return value
  return asCount(value, what)
}

/** A signed number of up to 64 bits, always as a bigint. */
export function asI64(value: unknown, what: string): bigint {
  if (typeof value === 'bigint' && value >= -(1n << 63n) && value < 1n << 63n) return value
  return BigInt(asInteger(value, what))
}

export function asTexts(value: unknown, what: string): string[] {
  return asArray(value, what).map((item) => asText(item, what))
}

/** The decoded field, or undefined where the map has none. */
export function optional<T>(map: CborMap, key: number, decodeField: (value: unknown, what: string) => T, what: string): T | undefined {
  const value = map.get(key)
  return value === undefined ? undefined : decodeField(value, what)
}
