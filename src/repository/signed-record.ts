/**
 * Records that are somebody's word and nobody else's to read: signed, and then sealed under a key of
 * the repository. Config, index, session, marker, mark, gc record and fence are such.
 */
import type { Keyring } from './keyring.ts'
import { openObject, type SealedAs, sealObject } from './sealed-object.ts'
import { decodeSigned, encodeSigned } from './signed.ts'

/** Signed with the holder's own key. */
export function sealRecord(keyring: Keyring, key: Uint8Array, as: SealedAs, body: Uint8Array): Uint8Array {
  return sealObject(keyring, key, as, encodeSigned(keyring.signingSeed, keyring.repositoryId, as, body))
}

export interface RecordExpected {
  readonly as: SealedAs
  /** Public keys whose word counts for this record. */
  readonly trusted: readonly Uint8Array[]
  /** Names the object in errors. */
  readonly what: string
}

/**
 * The body of what `sealRecord` made.
 * @throws {BackupError} CORRUPT - changed, cut short, another object than the one asked for, or not signed by any of them
 */
export function openRecord(keyring: Keyring, key: Uint8Array, bytes: Uint8Array, { as, trusted, what }: RecordExpected): Uint8Array {
  const { payload } = openObject(keyring, key, bytes, { types: [as.type], group: as.group, name: as.name }, what)
  return decodeSigned(payload, keyring.repositoryId, as, trusted, what).body
}
