/**
 * Prune generations as records: `gc/<n>.plan`, `.verdict`, `.done`. A backup reads them to learn
 * which packs are condemned; making them is the business of prune. All are sealed under the gc key
 * and signed by the owner; one whose signature fails is never obeyed.
 *
 * Body: {1: packs, 32 bytes each, 2: snapshots to sweep, group u32 ‖ sid[16] each, 3: snapshots swept
 * by earlier generations, likewise (verdict only), 4: snapshots that the plan saw and does not name,
 * likewise (plan only), 5: when it was made, 6: index objects to delete, group u32 ‖ id[32] each
 * (verdict only)}. In a done all lists are empty.
 */
import { asBytes, asI64, asMap, type CborMap, decodeCbor, encodeCbor, optional } from '../codec/cbor.ts'
import { dataView, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { ID_BYTES, RECORD, SID_BYTES } from './format.ts'
import type { Keyring } from './keyring.ts'
import { openRecord, sealRecord } from './signed-record.ts'

export type GcKind = 'plan' | 'verdict' | 'done'

export interface GcRecord {
  /** Condemned packs of a plan; packs to delete of a verdict. */
  readonly packs: readonly string[]
  /** Names `<group>/<sid>` of snapshots to sweep. */
  readonly sweep: readonly string[]
  readonly sweptBefore: readonly string[]
  /** Of a plan: snapshots that it saw and does not name, so that a list that lacks one shows. */
  readonly kept?: readonly string[] | undefined
  /** For patience only. */
  readonly madeNs?: bigint | undefined
  /** Of a verdict: index objects `<group>/<id>` that others had replaced before it was made. */
  readonly index?: readonly string[] | undefined
}

const TYPE_OF = { plan: RECORD.gcPlan, verdict: RECORD.gcVerdict, done: RECORD.gcDone } as const
const SWEEP_BYTES = 4 + SID_BYTES
const INDEX_BYTES = 4 + ID_BYTES

export function gcName(generation: number, kind: GcKind): string {
  return `${String(generation).padStart(10, '0')}.${kind}`
}

export function parseGcName(name: string): { generation: number; kind: GcKind } | undefined {
  const match = /^(\d{10})\.(plan|verdict|done)$/.exec(name)
  return match === null ? undefined : { generation: Number(match[1]), kind: match[2] as GcKind }
}

export function encodeGcRecord(keyring: Keyring, generation: number, kind: GcKind, record: GcRecord): Uint8Array {
  const as = { type: TYPE_OF[kind], group: 0, name: gcName(generation, kind) }
  const map: CborMap = new Map<number, unknown>([[1, packIds(record.packs)], [2, groupedIds(record.sweep, SID_BYTES)], [3, groupedIds(record.sweptBefore, SID_BYTES)]])
  if (record.kept !== undefined) map.set(4, groupedIds(record.kept, SID_BYTES))
  if (record.madeNs !== undefined) map.set(5, record.madeNs)
  if (record.index !== undefined) map.set(6, groupedIds(record.index, ID_BYTES))
  return sealRecord(keyring, keyring.gc, as, encodeCbor(map))
}

/** @throws {BackupError} CORRUPT - not the owner's word: it is never obeyed */
export function decodeGcRecord(keyring: Keyring, generation: number, kind: GcKind, bytes: Uint8Array): GcRecord {
  const name = gcName(generation, kind)
  const what = `gc record ${name}`
  const as = { type: TYPE_OF[kind], group: 0, name }
  const map = asMap(decodeCbor(openRecord(keyring, keyring.gc, bytes, { as, trusted: [keyring.ownerPublic], what })), what)
  return {
    packs: split(asBytes(map.get(1), 'packs'), ID_BYTES, what).map(toHex),
    sweep: split(asBytes(map.get(2), 'sweep'), SWEEP_BYTES, what).map(groupedName),
    sweptBefore: split(asBytes(map.get(3), 'swept'), SWEEP_BYTES, what).map(groupedName),
    kept: optional(map, 4, (value) => split(asBytes(value, 'kept'), SWEEP_BYTES, what).map(groupedName), 'kept'),
    madeNs: optional(map, 5, asI64, 'time'),
    index: optional(map, 6, (value) => split(asBytes(value, 'index objects'), INDEX_BYTES, what).map(groupedName), 'index objects'),
  }
}

function packIds(packs: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.from(packs.join(''), 'hex'))
}

/** group u32 ‖ id of each name `<group>/<id>`. */
function groupedIds(names: readonly string[], idBytes: number): Uint8Array {
  const size = 4 + idBytes
  const bytes = new Uint8Array(names.length * size)
  names.forEach((name, i) => {
    const [group = '', id = ''] = name.split('/')
    dataView(bytes).setUint32(i * size, Number(group), true)
    bytes.set(Buffer.from(id, 'hex'), i * size + 4)
  })
  return bytes
}

function groupedName(entry: Uint8Array): string {
  return `${dataView(entry).getUint32(0, true)}/${toHex(entry.subarray(4))}`
}

function split(bytes: Uint8Array, size: number, what: string): Uint8Array[] {
  if (bytes.length % size !== 0) throw new BackupError('CORRUPT', `${what} has a broken list`)
  return Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}
