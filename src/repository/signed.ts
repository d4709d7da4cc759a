/**
 * Signed records. A writer never counts on a symmetric key for authenticity, since whoever may read
 * a record under it could also have written it: what must be somebody's word carries that one's
 * Ed25519 signature over what the record is and what it says.
 *
 * A record is the list [body, signer's public key, signature].
 */
import { sign, signingPublicKey, verify, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../crypto/asymmetric.ts'
import { sha256 } from '../crypto/hash.ts'
import { asArray, asBytes, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { concatBytes, equalBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import type { SealedAs } from './sealed-object.ts'

export interface SignedRecord {
  readonly body: Uint8Array
  readonly signer: Uint8Array
}

function message(repositoryId: Uint8Array, as: SealedAs, body: Uint8Array): Uint8Array {
  return concatBytes(utf8(`nacre v1 signature ${as.type} ${as.group} ${as.name} `), repositoryId, sha256(body))
}

export function encodeSigned(seed: Uint8Array, repositoryId: Uint8Array, as: SealedAs, body: Uint8Array): Uint8Array {
  return encodeCbor([body, signingPublicKey(seed), sign(seed, message(repositoryId, as, body))])
}

/**
 * @param trusted - public keys whose word counts for this record
 * @throws {BackupError} CORRUPT - not signed by any of them
 */
export function decodeSigned(bytes: Uint8Array, repositoryId: Uint8Array, as: SealedAs, trusted: readonly Uint8Array[], what: string): SignedRecord {
  const fields = asArray(decodeCbor(bytes), what)
  const body = asBytes(fields[0], what)
  const signer = asBytes(fields[1], `${what}'s signer`, PUBLIC_KEY_BYTES)
  const signature = asBytes(fields[2], `${what}'s signature`, SIGNATURE_BYTES)
  if (!trusted.some((key) => equalBytes(key, signer))) throw new BackupError('CORRUPT', `${what} is signed by a key that is not trusted with it`)
  if (!verify(signer, message(repositoryId, as, body), signature)) throw new BackupError('CORRUPT', `${what} has a signature that does not fit`)
  return { body, signer }
}
