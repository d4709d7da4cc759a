/**
 * Password slots. A slot is clear header ‖ derivation ‖ commitment[32] ‖ sealed label ‖ sealed
 * bundle, named by the SHA-256 of its bytes. The commitment comes of the derived key alone, so a
 * wrong password is told from a slot that was tampered with; and bundles are padded to one size,
 * so that an owner's slot looks like a writer's.
 *
 * Derivation: algorithm u8 ‖ three u32 ‖ salt[32]. The label (who, when) is sealed under the
 * config key: any holder of any slot can list all of them, and nobody else.
 */
import { open, seal, SEAL_OVERHEAD_BYTES } from '../crypto/aead.ts'
import { deriveKey, randomBytes } from '../crypto/derive.ts'
import { sha256 } from '../crypto/hash.ts'
import { DEFAULT_KDF, deriveFromPassword, KDF_ARGON2ID, KDF_SALT_BYTES, KDF_SCRYPT, type KdfParameters } from '../crypto/kdf.ts'
import { asArray, asBytes, asCount, asI64, asMap, asText, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { concatBytes, dataView, equalSecret, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { KEY_ID_BYTES, RECORD } from './format.ts'
import { decodeHeader, encodeHeader, requireHeader } from './header.ts'
import type { Bundle, Keyring, NamedKey, Role } from './keyring.ts'

const DERIVATION_BYTES = 1 + 12 + KDF_SALT_BYTES
const COMMITMENT_BYTES = 32
const LABEL_BYTES = 256
const BUNDLE_BYTES = 4096
const BODY_BYTES = DERIVATION_BYTES + COMMITMENT_BYTES + LABEL_BYTES + BUNDLE_BYTES + 2 * SEAL_OVERHEAD_BYTES

export interface SlotLabel {
  readonly role: Role
  readonly group: number
  readonly user: string
  readonly host: string
  readonly createdNs: bigint
}

export interface EncodedSlot {
  readonly id: string
  readonly bytes: Uint8Array
}

/** A slot whose name fits its bytes, not yet opened. */
export interface Slot {
  readonly id: string
  readonly repositoryId: Uint8Array
  readonly kdf: KdfParameters
  readonly salt: Uint8Array
  readonly commitment: Uint8Array
  readonly sealedLabel: Uint8Array
  readonly sealedBundle: Uint8Array
  /** What both sealed parts are bound to: header and derivation. */
  readonly aad: Uint8Array
}

export async function encodeSlot(keyring: Keyring, bundle: Bundle, label: SlotLabel, password: Uint8Array, kdf: KdfParameters = DEFAULT_KDF): Promise<EncodedSlot> {
  if (password.length === 0) throw new BackupError('PASSWORD_REFUSED', 'an empty password is refused: it would protect nothing')
  const header = encodeHeader({ type: RECORD.key, group: 0, repositoryId: keyring.repositoryId, keyId: new Uint8Array(KEY_ID_BYTES), epoch: 0, name: '' })
  const salt = randomBytes(KDF_SALT_BYTES)
  const aad = concatBytes(header, encodeDerivation(kdf, salt))
  const derived = await deriveFromPassword(password, salt, kdf)
  const bytes = concatBytes(
    aad,
    commitmentOf(derived, keyring.repositoryId),
    seal(keyring.config, padded(encodeLabel(label), LABEL_BYTES), aad),
    seal(sealingKey(derived, keyring.repositoryId), padded(encodeBundle(bundle), BUNDLE_BYTES), aad),
  )
  return { id: toHex(sha256(bytes)), bytes }
}

/** @throws {BackupError} KEY_TAMPERED - the bytes are not those that gave the slot its name */
export function decodeSlot(id: string, bytes: Uint8Array): Slot {
  const what = `key slot ${id.slice(0, 8)}`
  if (toHex(sha256(bytes)) !== id) throw tampered(what, 'its bytes are not those that it was made with')
  const { header, headerBytes, body } = decodeHeader(bytes, what)
  requireHeader(header, { types: [RECORD.key], repositoryId: header.repositoryId, group: 0, name: '' }, what)
  if (body.length !== BODY_BYTES) throw tampered(what, 'it has a wrong length')
  let at = 0
  const take = (length: number): Uint8Array => body.subarray(at, (at += length))
  const derivation = take(DERIVATION_BYTES)
  return {
    id,
    repositoryId: header.repositoryId,
    ...decodeDerivation(derivation, what),
    commitment: take(COMMITMENT_BYTES),
    sealedLabel: take(LABEL_BYTES + SEAL_OVERHEAD_BYTES),
    sealedBundle: take(BUNDLE_BYTES + SEAL_OVERHEAD_BYTES),
    aad: concatBytes(headerBytes, derivation),
  }
}

/**
 * The bundle, or undefined when the password is another one's.
 * @throws {BackupError} KEY_TAMPERED - the password is right and the bundle was changed
 */
export async function openSlot(slot: Slot, password: Uint8Array, whileDeriving?: () => void): Promise<Bundle | undefined> {
  const derived = await deriveFromPassword(password, slot.salt, slot.kdf, whileDeriving)
  if (!equalSecret(commitmentOf(derived, slot.repositoryId), slot.commitment)) return undefined
  const what = `key slot ${slot.id.slice(0, 8)}`
  try {
    return decodeBundle(open(sealingKey(derived, slot.repositoryId), slot.sealedBundle, slot.aad))
  } catch (cause) {
    throw tampered(what, 'the password is right, but its keys were changed', cause)
  }
}

/** @throws {BackupError} CORRUPT - the label was changed */
export function openSlotLabel(slot: Slot, configKey: Uint8Array): SlotLabel {
  return decodeLabel(open(configKey, slot.sealedLabel, slot.aad))
}

function tampered(what: string, why: string, cause?: unknown): BackupError {
  return new BackupError('KEY_TAMPERED', `${what} was tampered with or damaged: ${why}`, { cause })
}

function commitmentOf(derived: Uint8Array, repositoryId: Uint8Array): Uint8Array {
  return deriveKey(derived, repositoryId, 'slot commitment', COMMITMENT_BYTES)
}

function sealingKey(derived: Uint8Array, repositoryId: Uint8Array): Uint8Array {
  return deriveKey(derived, repositoryId, 'slot bundle')
}

function encodeDerivation(kdf: KdfParameters, salt: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(DERIVATION_BYTES)
  const view = dataView(bytes)
  const numbers = kdf.algorithm === KDF_ARGON2ID ? [kdf.memoryKib, kdf.passes, kdf.lanes] : [kdf.cost, kdf.blockSize, kdf.lanes]
  bytes[0] = kdf.algorithm
  numbers.forEach((value, i) => view.setUint32(1 + 4 * i, value, true))
  bytes.set(salt, 13)
  return bytes
}

function decodeDerivation(bytes: Uint8Array, what: string): { kdf: KdfParameters; salt: Uint8Array } {
  const view = dataView(bytes)
  const [first, second, lanes] = [view.getUint32(1, true), view.getUint32(5, true), view.getUint32(9, true)] as const
  const salt = bytes.subarray(13)
  if (bytes[0] === KDF_ARGON2ID) return { kdf: { algorithm: KDF_ARGON2ID, memoryKib: first, passes: second, lanes }, salt }
  if (bytes[0] === KDF_SCRYPT) return { kdf: { algorithm: KDF_SCRYPT, cost: first, blockSize: second, lanes }, salt }
  throw new BackupError('REPOSITORY_VERSION', `${what} uses a key derivation (${bytes[0]}) that this nacre does not know: use a newer one`)
}

/** CBOR carries its own length; zeros fill the rest. */
function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length + 2 > length) throw new RangeError(`a slot has no room for ${bytes.length} bytes`)
  const out = new Uint8Array(length)
  dataView(out).setUint16(0, bytes.length, true)
  out.set(bytes, 2)
  return out
}

function unpadded(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(2, 2 + dataView(bytes).getUint16(0, true))
}

function encodeBundle(bundle: Bundle): Uint8Array {
  const keys = bundle.keys.map((key) => [key.name, key.epoch, key.bytes])
  return encodeCbor(new Map<number, unknown>([[1, bundle.role], [2, bundle.group], [3, keys]]))
}

function asRole(value: unknown, what: string): Role {
  const role = asText(value, what)
  if (role !== 'owner' && role !== 'writer') throw new BackupError('REPOSITORY_VERSION', `a key slot has a role "${role}" that this nacre does not know`)
  return role
}

function decodeBundle(bytes: Uint8Array): Bundle {
  const map = asMap(decodeCbor(unpadded(bytes)), 'key bundle')
  const keys = asArray(map.get(3), 'keys').map((item): NamedKey => {
    const fields = asArray(item, 'key')
    return { name: asText(fields[0], 'key name'), epoch: asCount(fields[1], 'key epoch'), bytes: asBytes(fields[2], 'key', 32) }
  })
  return { role: asRole(map.get(1), 'role'), group: asCount(map.get(2), 'group', 0xffffffff), keys }
}

/** Characters of user and host: at three bytes each they fit the label's size. */
const LABEL_TEXT_LIMIT = 32

function encodeLabel(label: SlotLabel): Uint8Array {
  const short = (text: string): string => text.slice(0, LABEL_TEXT_LIMIT)
  return encodeCbor(new Map<number, unknown>([[1, label.role], [2, label.group], [3, short(label.user)], [4, short(label.host)], [5, label.createdNs]]))
}

function decodeLabel(bytes: Uint8Array): SlotLabel {
  const map = asMap(decodeCbor(unpadded(bytes)), 'key label')
  return {
    role: asRole(map.get(1), 'role'),
    group: asCount(map.get(2), 'group', 0xffffffff),
    user: asText(map.get(3), 'user'),
    host: asText(map.get(4), 'host'),
    createdNs: asI64(map.get(5), 'time'),
  }
}
