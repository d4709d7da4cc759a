/**
 * Marks `marks/<group>/<sid>.<n>`: what the owner has changed about a snapshot after its backup. A
 * mark holds all that differs from the snapshot's own record, not a step from the mark before, so
 * only the highest n needs to be read.
 *
 * {1: when, 2: host, 3: user, 4: program, 5: tags, 6: label, 7: description, 8: pin, 9: pinned until}
 *
 * A field from 5 on that is absent is as it stands in the snapshot. Sealed and signed like a
 * forgotten marker, and for the same reason.
 */
import { asCount, asI64, asMap, asText, asTexts, type CborMap, decodeCbor, encodeCbor, optional } from '../codec/cbor.ts'
import { BackupError } from '../util/errors.ts'
import { RECORD } from './format.ts'
import type { Keyring } from './keyring.ts'
import { splitName } from './objects.ts'
import { openRecord, sealRecord } from './signed-record.ts'

/** For ever, or until a time in nanoseconds. */
export type Pin = 'forever' | bigint

export interface Mark {
  readonly timeNs: bigint
  readonly host: string
  readonly user: string
  readonly program: string
  readonly tags?: readonly string[] | undefined
  readonly label?: string | undefined
  readonly description?: string | undefined
  /** `none` takes away a pin that the snapshot's own record has. */
  readonly pin?: Pin | 'none' | undefined
}

const PIN_NONE = 0
const PIN_FOREVER = 1
const PIN_UNTIL = 2

/** @param name - `<group>/<sid>.<n>` */
export function encodeMark(keyring: Keyring, name: string, mark: Mark): Uint8Array {
  const as = { type: RECORD.mark, group: splitName(name).group, name }
  const map: CborMap = new Map<number, unknown>([[1, mark.timeNs], [2, mark.host], [3, mark.user], [4, mark.program]])
  if (mark.tags !== undefined) map.set(5, [...mark.tags])
  if (mark.label !== undefined) map.set(6, mark.label)
  if (mark.description !== undefined) map.set(7, mark.description)
  if (mark.pin !== undefined) map.set(8, mark.pin === 'none' ? PIN_NONE : mark.pin === 'forever' ? PIN_FOREVER : PIN_UNTIL)
  if (typeof mark.pin === 'bigint') map.set(9, mark.pin)
  return sealRecord(keyring, keyring.index(as.group), as, encodeCbor(map))
}

/** @throws {BackupError} CORRUPT - not the owner's word: it is never obeyed */
export function decodeMark(keyring: Keyring, name: string, bytes: Uint8Array): Mark {
  return markOf(markBody(keyring, name, bytes))
}

/**
 * The body, once the mark has proved to be the owner's word.
 * @throws {BackupError} CORRUPT
 */
export function markBody(keyring: Keyring, name: string, bytes: Uint8Array): Uint8Array {
  const as = { type: RECORD.mark, group: splitName(name).group, name }
  return openRecord(keyring, keyring.index(as.group), bytes, { as, trusted: [keyring.ownerPublic], what: `the mark marks/${name}` })
}

/** @throws {BackupError} CORRUPT - also for a kind of pin that is not known: to pass it over could lose what it keeps */
export function markOf(body: Uint8Array): Mark {
  const map = asMap(decodeCbor(body), 'mark')
  return {
    timeNs: asI64(map.get(1), 'time'),
    host: asText(map.get(2), 'host'),
    user: asText(map.get(3), 'user'),
    program: asText(map.get(4), 'program'),
    tags: optional(map, 5, asTexts, 'tags'),
    label: optional(map, 6, asText, 'label'),
    description: optional(map, 7, asText, 'description'),
    pin: pinOf(map),
  }
}

function pinOf(map: CborMap): Pin | 'none' | undefined {
  const kind = optional(map, 8, asCount, 'pin')
  if (kind === undefined) return undefined
  if (kind === PIN_NONE) return 'none'
  if (kind === PIN_FOREVER) return 'forever'
  if (kind === PIN_UNTIL) return asI64(map.get(9), 'pinned until')
  throw new BackupError('CORRUPT', `a mark has a pin of a kind that this nacre does not know (${kind}): use a newer one`)
}

/** Snapshot and number of a mark's name. */
export function splitMarkName(name: string): { readonly snapshot: string; readonly n: number } {
  const dot = name.lastIndexOf('.')
  return { snapshot: name.slice(0, dot), n: Number(name.slice(dot + 1)) }
}
