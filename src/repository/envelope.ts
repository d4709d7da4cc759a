/**
 * Envelopes: a session's data key, wrapped for those who may read. Owners wrap symmetrically under
 * their group's key; a writer seals to the owners' public key and cannot open its own.
 */
import { open, seal } from '../crypto/aead.ts'
import { openBox, sealBox } from '../crypto/asymmetric.ts'
import { keyIdOf, randomBytes } from '../crypto/derive.ts'
import { asArray, asBytes, asCount } from '../codec/cbor.ts'
import { concatBytes, equalSecret, toHex, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { KEY_ID_BYTES } from './format.ts'
import { type Keyring, keyName } from './keyring.ts'

export const ENVELOPE_SYMMETRIC = 1
export const ENVELOPE_BOX = 2
const ENVELOPES_LIMIT = 64

export interface Envelope {
  readonly dataKeyId: Uint8Array
  readonly recipient: Uint8Array
  readonly kind: number
  readonly bytes: Uint8Array
}

/** A session's data key with the name that commits to it. */
export interface DataKey {
  readonly id: Uint8Array
  readonly key: Uint8Array
}

export function newDataKey(repositoryId: Uint8Array): DataKey {
  const key = randomBytes(32)
  return { id: keyIdOf(key, repositoryId), key }
}

function binding(repositoryId: Uint8Array, group: number, dataKeyId: Uint8Array): Uint8Array {
  return concatBytes(utf8(`nacre v1 envelope ${group} `), repositoryId, dataKeyId)
}

/** Wraps the data key for the owners of the group. */
export function wrapDataKey(keyring: Keyring, group: number, dataKey: DataKey): Envelope {
  const aad = binding(keyring.repositoryId, group, dataKey.id)
  const wrapKey = keyring.wrap(group)
  if (wrapKey !== undefined) {
    return { dataKeyId: dataKey.id, recipient: keyName(keyring, wrapKey), kind: ENVELOPE_SYMMETRIC, bytes: seal(wrapKey, dataKey.key, aad) }
  }
  const recipient = keyName(keyring, keyring.boxPublic)
  return { dataKeyId: dataKey.id, recipient, kind: ENVELOPE_BOX, bytes: sealBox(keyring.boxPublic, dataKey.key, aad) }
}

/**
 * The data key of the first envelope that this keyring opens.
 * @throws {BackupError} CORRUPT - none is for us, or the key is not the one that the id commits to
 */
export function openEnvelopes(keyring: Keyring, group: number, envelopes: readonly Envelope[], dataKeyId?: Uint8Array): DataKey {
  for (const envelope of envelopes) {
    if (dataKeyId !== undefined && !equalSecret(envelope.dataKeyId, dataKeyId)) continue
    const key = openEnvelope(keyring, group, envelope)
    if (key === undefined) continue
    if (!equalSecret(keyIdOf(key, keyring.repositoryId), envelope.dataKeyId)) {
      throw new BackupError('CORRUPT', `an envelope holds another key than ${toHex(envelope.dataKeyId)}`)
    }
    return { id: envelope.dataKeyId, key }
  }
  throw new BackupError('CORRUPT', keyring.role === 'owner' ? 'no envelope opens with this key' : 'this key may write but not read: use an owner\'s password')
}

function openEnvelope(keyring: Keyring, group: number, envelope: Envelope): Uint8Array | undefined {
  const aad = binding(keyring.repositoryId, group, envelope.dataKeyId)
  const wrapKey = keyring.wrap(group)
  if (envelope.kind === ENVELOPE_SYMMETRIC && wrapKey !== undefined && equalSecret(envelope.recipient, keyName(keyring, wrapKey))) {
    return open(wrapKey, envelope.bytes, aad)
  }
  const isOurBox = keyring.boxSeed !== undefined && equalSecret(envelope.recipient, keyName(keyring, keyring.boxPublic))
  if (envelope.kind === ENVELOPE_BOX && isOurBox) return openBox(keyring.boxSeed!, envelope.bytes, aad)
  return undefined
}

/** As it stands in packs, index objects and snapshots: a list of [data-key id, recipient, kind, bytes]. */
export function envelopesToCbor(envelopes: readonly Envelope[]): unknown {
  return envelopes.map((envelope) => [envelope.dataKeyId, envelope.recipient, envelope.kind, envelope.bytes])
}

export function envelopesFromCbor(value: unknown): Envelope[] {
  const list = asArray(value, 'envelopes')
  if (list.length > ENVELOPES_LIMIT) throw new BackupError('CORRUPT', `${list.length} envelopes are too many`)
  return list.map((item) => {
    const fields = asArray(item, 'envelope')
    return {
      dataKeyId: asBytes(fields[0], 'data-key id', KEY_ID_BYTES),
      recipient: asBytes(fields[1], 'recipient', KEY_ID_BYTES),
      kind: asCount(fields[2], 'envelope kind', 255),
      bytes: asBytes(fields[3], 'envelope'),
    }
  })
}
