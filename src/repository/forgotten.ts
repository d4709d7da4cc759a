/**
 * The marker `forgotten/<group>/<sid>`: the owner's word that this snapshot may be swept by the next
 * prune. {1: when, 2: host, 3: user, 4: program}
 *
 * It is sealed under the group's index key, which all who list the group's snapshots hold, and
 * signed by the owner, for whoever can read a marker under that key could also write one.
 */
import { asI64, asMap, asText, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { RECORD } from './format.ts'
import type { Keyring } from './keyring.ts'
import { splitName } from './objects.ts'
import { openRecord, sealRecord } from './signed-record.ts'

/** Who forgot a snapshot, and when. It decides nothing: that the marker stands there does. */
export interface Forgetting {
  readonly timeNs: bigint
  readonly host: string
  readonly user: string
  readonly program: string
}

/** @param name - `<group>/<sid>` of the snapshot, and of the marker */
export function encodeForgotten(keyring: Keyring, name: string, forgetting: Forgetting): Uint8Array {
  const as = { type: RECORD.forgotten, group: splitName(name).group, name }
  const body = encodeCbor(new Map<number, unknown>([[1, forgetting.timeNs], [2, forgetting.host], [3, forgetting.user], [4, forgetting.program]]))
  return sealRecord(keyring, keyring.index(as.group), as, body)
}

/** @throws {BackupError} CORRUPT - not the owner's word: it is never obeyed */
export function decodeForgotten(keyring: Keyring, name: string, bytes: Uint8Array): Forgetting {
  return forgettingOf(forgottenBody(keyring, name, bytes))
}

/**
 * The body, once the marker has proved to be the owner's word.
 * @throws {BackupError} CORRUPT
 */
export function forgottenBody(keyring: Keyring, name: string, bytes: Uint8Array): Uint8Array {
  const as = { type: RECORD.forgotten, group: splitName(name).group, name }
  return openRecord(keyring, keyring.index(as.group), bytes, { as, trusted: [keyring.ownerPublic], what: `the marker forgotten/${name}` })
}

export function forgettingOf(body: Uint8Array): Forgetting {
  const map = asMap(decodeCbor(body), 'marker')
  return { timeNs: asI64(map.get(1), 'time'), host: asText(map.get(2), 'host'), user: asText(map.get(3), 'user'), program: asText(map.get(4), 'program') }
}
