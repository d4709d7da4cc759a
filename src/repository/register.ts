/**
 * The commit register `snapshots/<group>/<sid>`: created at most once, with a snapshot (the session
 * has committed) or with a fence (it never will).
 *
 * A snapshot is clear header ‖ length of envelopes u16 ‖ envelopes in CBOR ‖ sealed record, sealed
 * under the session's own data key, so that a writer can make one that it cannot read later. A
 * fence is sealed under the gc key. Both are signed.
 */
import { open, seal } from '../crypto/aead.ts'
import { decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { concatBytes, dataView } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { type DataKey, type Envelope, envelopesFromCbor, envelopesToCbor, openEnvelopes } from './envelope.ts'
import { RECORD } from './format.ts'
import { decodeHeader, encodeHeader, requireHeader } from './header.ts'
import type { Keyring } from './keyring.ts'
import { naming } from './sealed-object.ts'
import { decodeSigned, encodeSigned } from './signed.ts'
import { openRecord, sealRecord } from './signed-record.ts'

/** A snapshot's record, opaque here: what it says is the business of the floor above. */
export type RegisterContent = { readonly kind: 'snapshot'; readonly body: Uint8Array } | { readonly kind: 'fence' }

/** @param name - `<group>/<sid>` */
export function encodeSnapshotRegister(keyring: Keyring, name: string, dataKey: DataKey, envelopes: readonly Envelope[], body: Uint8Array): Uint8Array {
  const as = { type: RECORD.snapshot, group: keyring.group, name }
  const header = encodeHeader({ ...as, repositoryId: keyring.repositoryId, keyId: dataKey.id, epoch: 0 })
  const wrapped = encodeCbor(envelopesToCbor(envelopes))
  const length = new Uint8Array(2)
  dataView(length).setUint16(0, wrapped.length, true)
  const clear = concatBytes(header, length, wrapped)
  return concatBytes(clear, seal(dataKey.key, encodeSigned(keyring.signingSeed, keyring.repositoryId, as, body), clear))
}

export function encodeFence(keyring: Keyring, name: string, group: number): Uint8Array {
  const as = { type: RECORD.fence, group, name }
  return sealRecord(keyring, keyring.gc, as, encodeCbor(new Map<number, unknown>()))
}

/**
 * @param trusted - public keys whose snapshots count in this group
 * @throws {BackupError} CORRUPT - neither a snapshot nor a fence that stands under its own name
 */
export function decodeRegister(keyring: Keyring, group: number, name: string, bytes: Uint8Array, trusted: readonly Uint8Array[]): RegisterContent {
  const what = `snapshot ${name}`
  const { header, headerBytes, body } = decodeHeader(bytes, what)
  requireHeader(header, { types: [RECORD.snapshot, RECORD.fence], repositoryId: keyring.repositoryId, group, name }, what)
  if (header.type === RECORD.fence) {
    // Anyone may fence its own session; the owner fences any.
    openRecord(keyring, keyring.gc, bytes, { as: { type: RECORD.fence, group, name }, trusted: [keyring.ownerPublic, ...trusted], what })
    return { kind: 'fence' }
  }
  const clearBytes = body.length < 2 ? Number.POSITIVE_INFINITY : 2 + dataView(body).getUint16(0, true)
  if (body.length < clearBytes) throw new BackupError('CORRUPT', `${what} is cut short`)
  const dataKey = naming(what, () => openEnvelopes(keyring, group, envelopesFromCbor(decodeCbor(body.subarray(2, clearBytes))), header.keyId))
  const clear = concatBytes(headerBytes, body.subarray(0, clearBytes))
  const payload = naming(what, () => open(dataKey.key, body.subarray(clearBytes), clear))
  const record = decodeSigned(payload, keyring.repositoryId, { type: RECORD.snapshot, group, name }, trusted, what)
  return { kind: 'snapshot', body: record.body }
}

/** Whether the bytes are a fence by their clear header; it needs no key, and proves nothing. */
export function looksLikeFence(bytes: Uint8Array): boolean {
  return decodeHeader(bytes, 'register').header.type === RECORD.fence
}
