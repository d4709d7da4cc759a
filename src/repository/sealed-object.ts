/**
 * Objects that are sealed whole under one key of the repository: config, index, session and gc
 * records. Clear header ‖ nonce ‖ ciphertext ‖ tag, the header being the associated data.
 */
import { open, seal } from '../crypto/aead.ts'
import { concatBytes } from '../util/bytes.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import type { RecordType } from './format.ts'
import { decodeHeader, encodeHeader, type Expected, type Header, requireHeader } from './header.ts'
import { type Keyring, keyName } from './keyring.ts'

export interface SealedAs {
  readonly type: RecordType
  readonly group: number
  /** Empty when the object is named by the hash of its bytes. */
  readonly name: string
}

export function sealObject(keyring: Keyring, key: Uint8Array, as: SealedAs, payload: Uint8Array): Uint8Array {
  const header: Header = { ...as, repositoryId: keyring.repositoryId, keyId: keyName(keyring, key), epoch: 0 }
  const headerBytes = encodeHeader(header)
  return concatBytes(headerBytes, seal(key, payload, headerBytes))
}

/**
 * The payload of what `sealObject` made.
 * @throws {BackupError} CORRUPT - changed, cut short, or another object than the one asked for
 */
export function openObject(keyring: Keyring, key: Uint8Array, bytes: Uint8Array, expected: Omit<Expected, 'repositoryId'>, what: string): { header: Header; payload: Uint8Array } {
  const { header, headerBytes, body } = decodeHeader(bytes, what)
  requireHeader(header, { ...expected, repositoryId: keyring.repositoryId }, what)
  return { header, payload: naming(what, () => open(key, body, headerBytes)) }
}

/** Ciphers know no objects: what they refuse is told with the name of what was read. */
export function naming<T>(what: string, openIt: () => T): T {
  try {
    return openIt()
  } catch (cause) {
    if (!isBackupError(cause, 'CORRUPT')) throw cause
    throw new BackupError('CORRUPT', `${what} cannot be opened: ${cause.message}`, { cause })
  }
}
