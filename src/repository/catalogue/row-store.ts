/** The catalogue's small tables, written in batches. Whoever puts a row there can make it again. */
import type { Database } from './database.ts'
import { rowKey, tableRange } from './keys.ts'

/** Small tables whose rows the caller seals and names. */
export interface RowStore {
  get(table: RowTable, name: Uint8Array): Uint8Array | undefined
  /** Kept in memory until `flush`, or until many have gathered. */
  put(table: RowTable, name: Uint8Array, value: Uint8Array): void
  /** As `put`. */
  remove(table: RowTable, name: Uint8Array): void
  clear(table: RowTable): Promise<void>
  flush(): Promise<void>
}

export type RowTable = 'tree' | 'snapshot' | 'whole' | 'marker' | 'journal' | 'folder'

export type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

export function rowStoreOver(db: Database): RowStore {
  let waiting: Operation[] = []
  let writing: Promise<void> = Promise.resolve()
  const flush = (): Promise<void> => {
    const operations = waiting
    waiting = []
    if (operations.length > 0) writing = writing.then(() => db.batch(operations))
    return writing
  }
  const wait = (operation: Operation): void => {
    waiting.push(operation)
    // A failed write shows at the next flush; the rows can be read again from the repository.
    if (waiting.length >= 512) flush().catch(() => undefined)
  }
  return {
    get: (table, name) => db.getSync(rowKey(table, name)),
    put: (table, name, value) => wait({ type: 'put', key: rowKey(table, name), value }),
    remove: (table, name) => wait({ type: 'del', key: rowKey(table, name) }),
    clear: (table) => db.clear(tableRange(table)),
    flush,
  }
}
