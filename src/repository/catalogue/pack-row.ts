/** What the catalogue remembers of a pack, once for each index object that states it. */
import { asBytes, asCount, asMap, decodeCbor, encodeCbor } from '../../codec/cbor.ts'
import { toHex } from '../../util/bytes.ts'
import { type Envelope, envelopesFromCbor, envelopesToCbor } from '../envelope.ts'
import type { PackEntry } from '../pack-entry.ts'

export interface PackRow {
  /** Number of the index object that states the pack. */
  readonly indexNumber: number
  readonly packId: string
  readonly sizeBytes: number
  readonly group: number
  readonly session: Uint8Array
  readonly envelopes: readonly Envelope[]
}

export function packRowOf(entry: PackEntry, indexNumber: number, group: number): PackRow {
  const { packId, sizeBytes, session, envelopes } = entry
  return { indexNumber, packId, sizeBytes, group, session, envelopes }
}

export function encodePackRow(row: PackRow): Uint8Array {
  return encodeCbor(
    new Map<number, unknown>([
      [1, row.indexNumber],
      [2, new Uint8Array(Buffer.from(row.packId, 'hex'))],
      [3, row.sizeBytes],
      [4, row.group],
      [5, row.session],
      [6, envelopesToCbor(row.envelopes)],
    ]),
  )
}

export function decodePackRow(bytes: Uint8Array): PackRow {
  const map = asMap(decodeCbor(bytes), 'pack row')
  return {
    indexNumber: asCount(map.get(1), 'index number'),
    packId: toHex(asBytes(map.get(2), 'pack id')),
    sizeBytes: asCount(map.get(3), 'size'),
    group: asCount(map.get(4), 'group'),
    session: asBytes(map.get(5), 'session'),
    envelopes: envelopesFromCbor(map.get(6)),
  }
}
