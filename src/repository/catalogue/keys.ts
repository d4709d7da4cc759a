/**
 * Keys of the catalogue's database: one letter that names the table, then the immutable name of
 * what the row is about.
 */
import { dataView } from '../../util/bytes.ts'

const LETTER = { version: 0x76, index: 0x78, pack: 0x70, blob: 0x62, tree: 0x74, oldTree: 0x75, snapshot: 0x73, whole: 0x77, marker: 0x6d, journal: 0x6a, folder: 0x66, verified: 0x72, gc: 0x67 } as const
export type Table = keyof typeof LETTER

export function rowKey(table: Table, name: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + name.length)
  key[0] = LETTER[table]
  key.set(name, 1)
  return key
}

/** Big-endian, so that rows of a table stand in the order of their numbers. */
export function numberName(value: number): Uint8Array {
  const name = new Uint8Array(4)
  dataView(name).setUint32(0, value, false)
  return name
}

export function rowName(key: Uint8Array): Uint8Array {
  return key.subarray(1)
}

/** The range of all rows of a table. */
export function tableRange(table: Table): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(LETTER[table]), lt: Uint8Array.of(LETTER[table] + 1) }
}
