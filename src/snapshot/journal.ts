/**
 * What a running backup has read, noted in the catalogue, so that one that was interrupted goes on
 * where it was: a file that is as it was then, and whose blobs index objects state, is not read again.
 *
 * A walk meets paths in one order, whenever it is made. So a journal is rows in that order, of many
 * files each, and looking it up is reading it alongside. A row is sealed, as all in the catalogue is
 * that tells names. A backup that ends well removes its journal and those that it went on from.
 */
import { asArray, asBytes, asCount, asInteger, asU64, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { open, seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { keyedHash } from '../crypto/hash.ts'
import { concatBytes, dataView, utf8 } from '../util/bytes.ts'
import { isBackupError } from '../util/errors.ts'
import type { RowStore } from '../repository/catalogue/row-store.ts'
import type { Repository } from '../repository/repository.ts'
import { contentFromCbor, contentToCbor } from './content.ts'
import type { Node } from './node.ts'
import type { KnownContent } from './scan-types.ts'

export interface Journal {
  /** What is known of the file. Paths must be asked for in the order of a walk. */
  find(path: Uint8Array): KnownContent | undefined
  /** Notes a file that was read. */
  note(path: Uint8Array, node: Node): void
  /** What was noted is kept from here on. */
  endBatch(): void
  /** The snapshot is there: nothing of this needs to be known any more. */
  remove(): Promise<void>
}

/** Backups interrupted one after another add up; older ones tell next to nothing. */
const GENERATIONS_MOST = 4
const SCOPE_BYTES = 16

interface Entry {
  readonly path: Uint8Array
  readonly known: KnownContent
}

/** The journal of a backup of these paths; `generation` tells it from earlier ones of the same. */
export async function openJournal(repository: Repository, host: string, paths: readonly Uint8Array[], generation: bigint): Promise<Journal> {
  const { keyring } = repository
  const { rows } = await repository.catalogue()
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'journal')
  const scope = keyedHash(key)(encodeCbor([utf8(host), ...paths])).slice(0, SCOPE_BYTES)
  const store = sealedRows(rows, key)
  const earlier = readGenerations(store, scope)
  while (earlier.length >= GENERATIONS_MOST) removeGeneration(store, scope, earlier.shift()!)
  const cursors = earlier.map((number) => createCursor(store, scope, number)).reverse()
  let noted: unknown[] = []
  let next = 0

  return {
    find(path) {
      let found: KnownContent | undefined
      // Each must keep up, whichever knows the file; the latest is the first.
      for (const cursor of cursors) found = cursor.find(path) ?? found
      return found
    },
    note: (path, node) => void noted.push(entryToCbor(path, node)),
    endBatch() {
      if (noted.length === 0) return
      if (next === 0) store.put(scope, [...earlier, generation])
      store.put(rowName(scope, generation, next++), noted)
      noted = []
      // What a killed process had not yet written is read again, and nothing worse.
      rows.flush().catch(() => undefined)
    },
    async remove() {
      for (const number of earlier) removeGeneration(store, scope, number)
      for (let row = 0; row < next; row++) rows.remove('journal', rowName(scope, generation, row))
      rows.remove('journal', scope)
      await rows.flush()
    },
  }
}

interface SealedRows {
  get(name: Uint8Array): unknown
  put(name: Uint8Array, value: unknown): void
  remove(name: Uint8Array): void
}

/** Rows that do not open, or say nothing that can be understood, are not there. */
function sealedRows(rows: RowStore, key: Uint8Array): SealedRows {
  return {
    get(name) {
      const sealed = rows.get('journal', name)
      if (sealed === undefined) return undefined
      try {
        return decodeCbor(open(key, sealed, name))
      } catch (error) {
        if (!isBackupError(error)) throw error
        return undefined
      }
    },
    put: (name, value) => rows.put('journal', name, seal(key, encodeCbor(value), name)),
    remove: (name) => rows.remove('journal', name),
  }
}

function rowName(scope: Uint8Array, generation: bigint, row: number): Uint8Array {
  const number = new Uint8Array(12)
  dataView(number).setBigInt64(0, generation, false)
  dataView(number).setUint32(8, row, false)
  return concatBytes(scope, number)
}

function readGenerations(store: SealedRows, scope: Uint8Array): bigint[] {
  const list = store.get(scope)
  return Array.isArray(list) ? list.map((number: unknown) => BigInt(number as number | bigint)) : []
}

function removeGeneration(store: SealedRows, scope: Uint8Array, generation: bigint): void {
  for (let row = 0; store.get(rowName(scope, generation, row)) !== undefined; row++) store.remove(rowName(scope, generation, row))
}

function createCursor(store: SealedRows, scope: Uint8Array, generation: bigint): { find(path: Uint8Array): KnownContent | undefined } {
  let entries: readonly Entry[] = []
  let at = 0
  let row = 0
  let isDone = false
  const advance = (): void => {
    at = 0
    const value = store.get(rowName(scope, generation, row++))
    try {
      entries = value === undefined ? [] : asArray(value, 'journal').map(entryFromCbor)
    } catch (error) {
      if (!isBackupError(error)) throw error
      entries = []
    }
    isDone = entries.length === 0
  }
  return {
    find(path) {
      for (; !isDone; at++) {
        if (at === entries.length) advance()
        const entry = entries[at]
        if (entry === undefined) return undefined
        const order = compareInWalk(entry.path, path)
        if (order === 0) return entry.known
        if (order > 0) return undefined
      }
      return undefined
    },
  }
}

/** As a walk meets them: all in a folder before its next sibling, whatever the names begin with. */
export function compareInWalk(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a[i] === b[i]) continue
    return (a[i] === SLASH ? 0 : a[i]!) - (b[i] === SLASH ? 0 : b[i]!)
  }
  return a.length - b.length
}

const SLASH = 0x2f

function entryToCbor(path: Uint8Array, node: Node): unknown[] {
  const extents = node.extents?.flatMap(({ offset, length }) => [offset, length])
  return [path, node.size, node.mtimeS, node.mtimeNs, node.ctimeS, node.ctimeNs, node.inode, contentToCbor(node.content!), ...(extents === undefined ? [] : [extents])]
}

function entryFromCbor(value: unknown): Entry {
  const what = 'journal'
  const fields = asArray(value, what)
  const numbers = fields[8] === undefined ? undefined : asArray(fields[8], what).map((number) => asCount(number, what))
  return {
    path: asBytes(fields[0], what),
    known: {
      type: 'file',
      size: asCount(fields[1], what),
      mtimeS: asInteger(fields[2], what),
      mtimeNs: asCount(fields[3], what),
      ctimeS: asInteger(fields[4], what),
      ctimeNs: asCount(fields[5], what),
      inode: asU64(fields[6], what),
      content: contentFromCbor(fields[7], what),
      extents: numbers?.flatMap((offset, i) => (i % 2 === 0 ? [{ offset, length: numbers[i + 1]! }] : [])),
    },
  }
}
