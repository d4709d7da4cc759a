/**
 * The object that says: a session is open. {1: start, 2: host, 3: user, 4: program, 5: kind, 6: sids
 * whose packs it goes on with, 7: true when it is unguarded}
 */
import { asArray, asBytes, asI64, asMap, asText, type CborMap, decodeCbor, encodeCbor, optional } from '../codec/cbor.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import { RECORD, SID_BYTES } from './format.ts'
import type { Keyring } from './keyring.ts'
import { openRecord, sealRecord } from './signed-record.ts'

export interface SessionInfo {
  readonly startedNs: bigint
  readonly host: string
  readonly user: string
  readonly program: string
  /** `backup`, or the name of another command that writes packs. */
  readonly kind: string
  /** Sids of fenced sessions whose packs this one goes on to use: prune spares them meanwhile. */
  readonly adopts?: readonly string[] | undefined
  /**
   * It writes by a way that cannot create if absent: its commit may overwrite a fence, so a fence
   * decides nothing about it.
   */
  readonly isUnguarded?: boolean | undefined
}

export function encodeSession(keyring: Keyring, name: string, info: SessionInfo): Uint8Array {
  const as = { type: RECORD.session, group: keyring.group, name }
  const map: CborMap = new Map<number, unknown>([[1, info.startedNs], [2, info.host], [3, info.user], [4, info.program], [5, info.kind]])
  if (info.adopts !== undefined && info.adopts.length > 0) map.set(6, info.adopts.map(fromHex))
  if (info.isUnguarded === true) map.set(7, true)
  return sealRecord(keyring, keyring.index(keyring.group), as, encodeCbor(map))
}

export function decodeSession(keyring: Keyring, group: number, name: string, bytes: Uint8Array, trusted: readonly Uint8Array[]): SessionInfo {
  const what = `session ${name}`
  const as = { type: RECORD.session, group, name }
  const map = asMap(decodeCbor(openRecord(keyring, keyring.index(group), bytes, { as, trusted, what })), what)
  return {
    startedNs: asI64(map.get(1), 'start'),
    host: asText(map.get(2), 'host'),
    user: asText(map.get(3), 'user'),
    program: asText(map.get(4), 'program'),
    kind: asText(map.get(5), 'kind'),
    adopts: optional(map, 6, (value) => asArray(value, 'adopted sessions').map((sid) => toHex(asBytes(sid, 'sid', SID_BYTES))), 'adopted sessions'),
    // Whatever stands there is taken for a warning.
    isUnguarded: map.has(7) ? true : undefined,
  }
}
