/**
 * The catalogue: what this machine has learnt of a repository, in LevelDB. Everything in it is
 * keyed by immutable names and can be read from the repository again, so it may be deleted at any
 * time and costs only time.
 *
 * Crash rule: the rows of an index object's packs are written first, then its blobs, and last, or in
 * one write with these, the row that says "absorbed". Numbers of packs are never given twice, so what
 * a crash leaves behind refers to packs that nobody believes in.
 */
import { blobEntries, type PackEntry } from '../pack-entry.ts'
import { compareBytes, dataView, fromHex, toHex } from '../../util/bytes.ts'
import { type Database, openDatabase } from './database.ts'
import { numberName, rowKey, rowName, tableRange } from './keys.ts'
import { decodeLocation, encodeLocation, type LocationRecord, packNumbersOf, withLocation } from './location-record.ts'
import { type Operation, type RowStore, rowStoreOver } from './row-store.ts'
import { openTreeTables, type TreeTables } from './tree-tables.ts'
import { decodePackRow, encodePackRow, type PackRow, packRowOf } from './pack-row.ts'

export interface BlobLocation extends LocationRecord {
  readonly pack: PackRow
}

export interface Catalogue extends AsyncDisposable {
  readonly path: string
  /** Why an older catalogue was wiped, if one was. */
  readonly wiped: string | undefined
  /** Names `<group>/<id>` of the index objects whose packs it knows, and the size that each had. */
  readonly absorbed: ReadonlyMap<string, number>
  /**
   * Takes in an index object.
   * @param sizeBytes - its own
   * @param isFresh - whether none of its blobs is known yet, as with one just written: saves a
   * look-up for each
   */
  absorb(indexName: string, sizeBytes: number, packs: readonly PackEntry[], isFresh?: boolean): Promise<void>
  /** Index objects that are listed still and count no more, by name: another restates what they said. */
  readonly replaced: ReadonlySet<string>
  /** Forgets index objects that are gone from the repository, and with them that they replaced others. */
  drop(indexNames: readonly string[]): Promise<void>
  /** Lets index objects count no more for as long as the one that replaces them is there. */
  retire(indexNames: readonly string[], by: string): Promise<void>
  /** Decides which packs may be referred to; those absorbed later may. Returns how many may not. */
  setLive(isLive: (pack: PackRow) => boolean): number
  /** Whether the blob has a live location. */
  has(blobId: Uint8Array): boolean
  /** Live locations of the blob. */
  locate(blobId: Uint8Array): BlobLocation[]
  /** The n-th of them, or the last if there are fewer. */
  place(blobId: Uint8Array, n: number): BlobLocation | undefined
  packs(): IterableIterator<PackRow>
  /** Every blob of the catalogue by its id in ascending order, with all its locations, live or not. */
  blobs(): AsyncGenerator<{ readonly id: Uint8Array; readonly locations: readonly BlobLocation[] }>
  readonly rows: RowStore
}

const BATCH = 8192
const VERSION = Uint8Array.of(1)
/** Value of an index object's row: number u32 ‖ size of the object as a double; or the id of another that replaces it. */
const ABSORBED_BYTES = 12
const REPLACED_BYTES = 32
const VERSION_KEY = rowKey('version', new Uint8Array(0))

interface Tables {
  readonly indexNumbers: Map<string, number>
  readonly sizes: Map<string, number>
  /** Names of index objects that count no more, and the id of what replaces each. */
  readonly replaced: Map<string, string>
  /** By number; holes are packs of index objects that are gone. */
  readonly packs: (PackRow | undefined)[]
  nextIndex: number
}

/** @param treeBytes - what tree blobs that were seen may take */
export async function openCatalogue(folder: string, treeBytes = Number.POSITIVE_INFINITY): Promise<Catalogue> {
  const { db, path, wiped, prepared } = await openDatabase(folder, async (db) => ({ ...(await readTables(db)), trees: await openTreeTables(db, treeBytes) }))
  return catalogueOver(db, path, wiped, prepared)
}

async function readTables(db: Database): Promise<Tables> {
  const version = await db.get(VERSION_KEY)
  if (version === undefined) await db.put(VERSION_KEY, VERSION)
  else if (compareBytes(version, VERSION) !== 0) throw new Error('it was made by another version of nacre')
  const tables: Tables = { indexNumbers: new Map(), sizes: new Map(), replaced: new Map(), packs: [], nextIndex: 0 }
  const known = new Set<number>()
  for await (const [key, value] of db.iterator(tableRange('index'))) {
    const name = rowName(key)
    const indexName = `${dataView(name).getUint32(0, false)}/${toHex(name.subarray(4))}`
    if (value.length === REPLACED_BYTES) {
      tables.replaced.set(indexName, toHex(value))
      continue
    }
    // One without a size is from before they were kept: it is read once more.
    if (value.length !== ABSORBED_BYTES) continue
    const number = dataView(value).getUint32(0, true)
    tables.indexNumbers.set(indexName, number)
    tables.sizes.set(indexName, dataView(value).getFloat64(4, true))
    known.add(number)
    tables.nextIndex = Math.max(tables.nextIndex, number + 1)
  }
  for await (const [key, value] of db.iterator(tableRange('pack'))) {
    const number = dataView(rowName(key)).getUint32(0, false)
    const row = decodePackRow(value)
    // The row stays as a placeholder even if its index object is unknown: its number is taken.
    tables.packs[number] = known.has(row.indexNumber) ? row : undefined
    tables.packs.length = Math.max(tables.packs.length, number + 1)
    tables.nextIndex = Math.max(tables.nextIndex, row.indexNumber + 1)
  }
  return tables
}

function indexRowName(indexName: string): Uint8Array {
  const [group = '', id = ''] = indexName.split('/')
  const name = new Uint8Array(4 + id.length / 2)
  name.set(numberName(Number(group)))
  name.set(fromHex(id), 4)
  return name
}

function catalogueOver(db: Database, path: string, wiped: string | undefined, tables: Tables & { readonly trees: TreeTables }): Catalogue {
  const { indexNumbers, sizes: absorbed, replaced, packs } = tables
  let dead = new Set<number>()
  const replacedNames = new Set(replaced.keys())
  const rows = rowStoreOver(db, tables.trees)

  const isLive = (number: number): boolean => packs[number] !== undefined && !dead.has(number)
  const liveNumbers = (records: Uint8Array | undefined): { at: number; pack: PackRow }[] => {
    const numbers = records === undefined ? undefined : packNumbersOf(records)
    const live: { at: number; pack: PackRow }[] = []
    numbers?.forEach((number, at) => {
      if (isLive(number)) live.push({ at, pack: packs[number]! })
    })
    return live
  }

  const forgetIndex = (indexName: string): void => {
    const indexNumber = indexNumbers.get(indexName)
    indexNumbers.delete(indexName)
    absorbed.delete(indexName)
    if (indexNumber === undefined) return
    packs.forEach((pack, number) => {
      if (pack?.indexNumber === indexNumber) packs[number] = undefined
    })
  }

  return {
    path,
    wiped,
    absorbed,
    replaced: replacedNames,
    rows,
    async absorb(indexName, sizeBytes, entries, isFresh = false) {
      if (absorbed.has(indexName)) return
      const indexNumber = tables.nextIndex++
      const first = packs.length
      const rowsOfPacks = entries.map((entry) => packRowOf(entry, indexNumber, Number(indexName.split('/')[0])))
      packs.push(...rowsOfPacks)
      const value = new Uint8Array(ABSORBED_BYTES)
      dataView(value).setUint32(0, indexNumber, true)
      dataView(value).setFloat64(4, sizeBytes, true)
      await writeBlobs(db, entries, {
        firstPack: first, isFresh, isKnown: (number) => packs[number] !== undefined,
        before: rowsOfPacks.map((row, i): Operation => ({ type: 'put', key: rowKey('pack', numberName(first + i)), value: encodePackRow(row) })),
        after: { type: 'put', key: rowKey('index', indexRowName(indexName)), value },
      })
      indexNumbers.set(indexName, indexNumber)
      absorbed.set(indexName, sizeBytes)
    },
    async drop(indexNames) {
      if (indexNames.length === 0) return
      // Snapshots known to be whole were so with packs that these objects stated.
      if (indexNames.some((name) => absorbed.has(name))) {
        await rows.flush()
        await rows.clear('whole')
      }
      for (const indexName of indexNames) {
        await db.del(rowKey('index', indexRowName(indexName)))
        forgetIndex(indexName)
        replacedNames.delete(indexName)
        replaced.delete(indexName)
        const id = indexName.split('/')[1]
        // What it replaced counts again, should it still be there.
        for (const [name, by] of replaced) {
          if (by !== id) continue
          await db.del(rowKey('index', indexRowName(name)))
          replacedNames.delete(name)
          replaced.delete(name)
        }
      }
    },
    async retire(indexNames, by) {
      if (indexNames.length === 0) return
      await rows.flush()
      await rows.clear('whole')
      const id = by.split('/')[1]!
      for (const indexName of indexNames) {
        await db.put(rowKey('index', indexRowName(indexName)), fromHex(id))
        forgetIndex(indexName)
        replacedNames.add(indexName)
        replaced.set(indexName, id)
      }
    },
    setLive(isLive) {
      dead = new Set()
      packs.forEach((pack, number) => {
        if (pack !== undefined && !isLive(pack)) dead.add(number)
      })
      return dead.size
    },
    has(blobId) {
      const records = db.getSync(rowKey('blob', blobId))
      return records !== undefined && (packNumbersOf(records)?.some(isLive) ?? false)
    },
    place(blobId, n) {
      const records = db.getSync(rowKey('blob', blobId))
      const live = liveNumbers(records)
      const chosen = live[Math.min(n, live.length - 1)]
      return chosen === undefined ? undefined : { ...decodeLocation(records!, chosen.at), pack: chosen.pack }
    },
    locate(blobId) {
      const records = db.getSync(rowKey('blob', blobId))
      return liveNumbers(records).map(({ at, pack }) => ({ ...decodeLocation(records!, at), pack }))
    },
    *packs() {
      for (const pack of packs) if (pack !== undefined) yield pack
    },
    async *blobs() {
      for await (const [key, records] of db.iterator(tableRange('blob'))) {
        const locations: BlobLocation[] = []
        packNumbersOf(records)?.forEach((number, at) => {
          const pack = packs[number]
          if (pack !== undefined) locations.push({ ...decodeLocation(records, at), pack })
        })
        if (locations.length > 0) yield { id: rowName(key), locations }
      }
    },
    async [Symbol.asyncDispose]() {
      // What was on its way when something else failed may still put rows after the end; they can be made again.
      if (db.status === 'closed') return
      await rows.flush()
      await db.close()
    },
  }
}

interface BlobWriting {
  readonly firstPack: number
  readonly isFresh: boolean
  readonly isKnown: (packNumber: number) => boolean
  /** Rows that are written with the first blobs, and with the last: most index objects are small, and are one write. */
  readonly before: readonly Operation[]
  readonly after: Operation
}

async function writeBlobs(db: Database, entries: readonly PackEntry[], { firstPack, isFresh, isKnown, before: first, after }: BlobWriting): Promise<void> {
  // One row holds all locations of a blob, so rows of this very batch must be seen as well.
  let gathered = new Map<string, { key: Uint8Array; value: Uint8Array }>()
  let begun: readonly Operation[] = first
  const write = async (last: readonly Operation[]): Promise<void> => {
    const operations = [...begun, ...[...gathered.values()].map((row): Operation => ({ type: 'put', ...row })), ...last]
    gathered = new Map()
    begun = []
    await db.batch(operations)
  }
  for (const [i, entry] of entries.entries()) {
    for (const blob of blobEntries(entry)) {
      const key = rowKey('blob', blob.id)
      const name = Buffer.from(key.buffer).toString('latin1')
      const before = gathered.get(name)?.value ?? (isFresh ? undefined : db.getSync(key))
      gathered.set(name, { key, value: withLocation(before, encodeLocation(firstPack + i, blob), isKnown) })
      if (gathered.size >= BATCH) await write([])
    }
  }
  await write([after])
}
