/**
 * Rows that are put in any order and come out in that of their keys, with bounded memory: a LevelDB
 * of its own that is gone when it is closed. For work whose input is not sorted.
 */
import { rm } from 'node:fs/promises'
import type { Level } from 'level'

export interface SortedSpool extends AsyncDisposable {
  get(key: Uint8Array): Uint8Array | undefined
  /** Replaces what stood under the key. */
  put(key: Uint8Array, value: Uint8Array): Promise<void>
  /** All rows whose key begins so, in byte order. */
  rows(prefix: number): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined>
}

const MIB = 1024 * 1024

/** @param folder - made, and removed with all that is in it at the end */
export async function openSortedSpool(folder: string): Promise<SortedSpool> {
  // Here, so that whoever needs none does not wait for it to load.
  const { Level } = await import('level')
  const db: Level<Uint8Array, Uint8Array> = new Level<Uint8Array, Uint8Array>(folder, { keyEncoding: 'view', valueEncoding: 'view', cacheSize: 4 * MIB, writeBufferSize: 8 * MIB })
  await db.open()
  return {
    get: (key) => db.getSync(key),
    put: (key, value) => db.put(key, value),
    async *rows(prefix) {
      yield* db.iterator({ gte: Uint8Array.of(prefix), lt: Uint8Array.of(prefix + 1) })
    },
    async [Symbol.asyncDispose]() {
      await db.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
