/**
 * Index objects: which packs there are and what they hold. Sealed under the group's index key and
 * named by the SHA-256 of their bytes. {1: pack entries, 2: ids of index objects that it replaces}
 */
import { sha256 } from '../crypto/hash.ts'
import { asArray, asBytes, asMap, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { ID_BYTES, RECORD } from './format.ts'
import type { Keyring } from './keyring.ts'
import { splitName } from './objects.ts'
import { type PackEntry, packEntriesFromCbor, packEntryToCbor } from './pack-entry.ts'
import { openRecord, sealRecord } from './signed-record.ts'

export interface IndexObject {
  readonly packs: readonly PackEntry[]
  readonly replaces: readonly string[]
}

/** An encoded index object with its name: `<group>/<id>`. */
export function encodeIndex(keyring: Keyring, group: number, index: IndexObject): { name: string; bytes: Uint8Array } {
  const as = { type: RECORD.index, group, name: '' }
  const replaces = index.replaces.map((id) => new Uint8Array(Buffer.from(id, 'hex')))
  const body = encodeCbor(new Map<number, unknown>([[1, index.packs.map(packEntryToCbor)], [2, replaces]]))
  const bytes = sealRecord(keyring, keyring.index(group), as, body)
  return { name: `${group}/${toHex(sha256(bytes))}`, bytes }
}

/**
 * @param name - `<group>/<id>`, under which it was found
 * @param trusted - public keys that may write index objects of this group
 * @throws {BackupError} CORRUPT
 */
export function decodeIndex(keyring: Keyring, name: string, bytes: Uint8Array, trusted: readonly Uint8Array[]): IndexObject {
  const what = `index object ${name}`
  const { group, id } = splitName(name)
  // The name is the hash: an older object put under a newer one's name is not that one.
  if (toHex(sha256(bytes)) !== id) throw new BackupError('CORRUPT', `${what} has other bytes than those that gave it its name`)
  const as = { type: RECORD.index, group, name: '' }
  const map = asMap(decodeCbor(openRecord(keyring, keyring.index(group), bytes, { as, trusted, what })), what)
  return {
    packs: packEntriesFromCbor(map.get(1)),
    replaces: asArray(map.get(2), 'replaced ids').map((id) => toHex(asBytes(id, 'index id', ID_BYTES))),
  }
}
