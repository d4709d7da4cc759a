/** The catalogue's small tables, written in batches. Whoever puts a row there can make it again. */
import { release } from '../../util/release.ts'
import type { Database } from './database.ts'
import { rowKey, type Table, tableRange } from './keys.ts'
import type { TreeTables } from './tree-tables.ts'

/** Small tables whose rows the caller seals and names. */
export interface RowStore {
  get(table: RowTable, name: Uint8Array): Uint8Array | undefined
  /** Kept in memory until `flush`, or until many have gathered. The value is the store's from then on. */
  put(table: RowTable, name: Uint8Array, value: Uint8Array): void
  /** As `put`. */
  remove(table: Exclude<RowTable, 'tree'>, name: Uint8Array): void
  clear(table: Exclude<RowTable, 'tree'>): Promise<void>
  flush(): Promise<void>
}

export type RowTable = 'tree' | 'snapshot' | 'whole' | 'marker' | 'journal' | 'folder' | 'verified' | 'gc'

export type Operation = { type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array }

const ROWS_MOST = 512
/** They are in memory three times while they are written: here, in a batch, and in LevelDB's table. */
const BYTES_MOST = 2 * 1024 * 1024

export function rowStoreOver(db: Database, trees: TreeTables): RowStore {
  let waiting: Operation[] = []
  let waitingBytes = 0
  let writing: Promise<void> = Promise.resolve()
  const write = async (operations: Operation[]): Promise<void> => {
    await db.batch(operations)
    for (const operation of operations) if (operation.type === 'put') release(operation.value)
  }
  const flush = (): Promise<void> => {
    const operations = waiting
    waiting = []
    waitingBytes = 0
    if (operations.length > 0) writing = writing.then(() => write(operations))
    return writing
  }
  const wait = (operation: Operation): void => {
    waiting.push(operation)
    if (operation.type === 'put') waitingBytes += operation.value.length
    // A failed write shows at the next flush; the rows can be read again from the repository.
    if (waiting.length >= ROWS_MOST || waitingBytes >= BYTES_MOST) flush().catch(() => undefined)
  }
  const getTree = (name: Uint8Array): Uint8Array | undefined => {
    const young = db.getSync(rowKey(trees.young, name))
    if (young !== undefined) return young
    const old = db.getSync(rowKey(trees.old, name))
    // A copy: what waits is given back once it is written.
    if (old !== undefined) wait({ type: 'put', key: rowKey(trees.young, name), value: new Uint8Array(old) })
    return old
  }
  /** Where rows of the table are put. */
  const placeOf = (table: RowTable): Table => (table === 'tree' ? trees.young : table)
  return {
    get: (table, name) => (table === 'tree' ? getTree(name) : db.getSync(rowKey(table, name))),
    put: (table, name, value) => wait({ type: 'put', key: rowKey(placeOf(table), name), value }),
    remove: (table, name) => wait({ type: 'del', key: rowKey(table, name) }),
    clear: (table) => db.clear(tableRange(table)),
    flush,
  }
}
