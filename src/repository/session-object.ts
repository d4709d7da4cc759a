/** The object that says: a session is open. {1: start, 2: host, 3: user, 4: program, 5: kind} */
import { asI64, asMap, asText, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { RECORD } from './format.ts'
import type { Keyring } from './keyring.ts'
import { openObject, sealObject } from './sealed-object.ts'
import { decodeSigned, encodeSigned } from './signed.ts'

export interface SessionInfo {
  readonly startedNs: bigint
  readonly host: string
  readonly user: string
  readonly program: string
  /** `backup`, or the name of another command that writes packs. */
  readonly kind: string
}

export function encodeSession(keyring: Keyring, name: string, info: SessionInfo): Uint8Array {
  const as = { type: RECORD.session, group: keyring.group, name }
  const body = encodeCbor(new Map<number, unknown>([[1, info.startedNs], [2, info.host], [3, info.user], [4, info.program], [5, info.kind]]))
  return sealObject(keyring, keyring.index(keyring.group), as, encodeSigned(keyring.signingSeed, keyring.repositoryId, as, body))
}

export function decodeSession(keyring: Keyring, group: number, name: string, bytes: Uint8Array, trusted: readonly Uint8Array[]): SessionInfo {
  const what = `session ${name}`
  const as = { type: RECORD.session, group, name }
  const { payload } = openObject(keyring, keyring.index(group), bytes, { types: [as.type], group, name }, what)
  const map = asMap(decodeCbor(decodeSigned(payload, keyring.repositoryId, as, trusted, what).body), what)
  return {
    startedNs: asI64(map.get(1), 'start'),
    host: asText(map.get(2), 'host'),
    user: asText(map.get(3), 'user'),
    program: asText(map.get(4), 'program'),
    kind: asText(map.get(5), 'kind'),
  }
}
