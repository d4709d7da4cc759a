/**
 * Tree blobs that were seen stand in two tables, so that they can be bounded without a note of every
 * use: what is new, or was asked for, goes into the young one, and when that has grown to half of what
 * is allowed, the old one is cleared and takes its place. So what a run has used outlives at least the
 * next one, and no run loses what it needs itself.
 */
import { utf8 } from '../../util/bytes.ts'
import type { Database } from './database.ts'
import { rowKey, type Table, tableRange } from './keys.ts'

export interface TreeTables {
  readonly young: Table
  readonly old: Table
}

/** LevelDB has them, and browsers have none, so the types of `level` leave them out. */
type Sized = Database & {
  approximateSize(start: Uint8Array, end: Uint8Array): Promise<number>
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>
}

const FIRST: TreeTables = { young: 'tree', old: 'oldTree' }
const SECOND: TreeTables = { young: 'oldTree', old: 'tree' }
const STATE_KEY = rowKey('version', utf8('trees'))

/** @param limitBytes - of both together, but for what one run uses */
export async function openTreeTables(db: Database, limitBytes: number): Promise<TreeTables> {
  const tables = (await db.get(STATE_KEY))?.[0] === 1 ? SECOND : FIRST
  const sized = db as Sized
  const { gte, lt } = tableRange(tables.young)
  if ((await sized.approximateSize(gte, lt)) <= limitBytes / 2) return tables
  const old = tableRange(tables.old)
  await db.clear(old)
  const turned = tables === FIRST ? SECOND : FIRST
  await db.put(STATE_KEY, Uint8Array.of(turned === SECOND ? 1 : 0))
  // Else what was cleared takes its place on the disk until much has been written.
  await sized.compactRange(old.gte, old.lt)
  return turned
}
