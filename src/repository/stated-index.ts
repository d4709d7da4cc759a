/**
 * The index as the repository states it now: every listed index object, read and verified in this
 * run and not taken from the catalogue. Who decides what is deleted reads this. Objects are read
 * again for each pass over them, but for those that fit a small cache, so memory does not grow with
 * the repository.
 *
 * An object that another listed one replaces is passed over: the other restates what it said, or
 * what could be found of it where it was damaged.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { Lru } from '../util/lru.ts'
import { toHex } from '../util/bytes.ts'
import { MIB } from './format.ts'
import { decodeIndex, type IndexObject } from './index-object.ts'
import { trustedWriters } from './index-loader.ts'
import { listObjects, loadObject, splitName } from './objects.ts'
import { blobCount, type PackEntry } from './pack-entry.ts'
import type { Repository } from './repository.ts'

export interface StatedPack {
  readonly packId: string
  readonly sizeBytes: number
  /** 32 hex digits. */
  readonly sid: string
}

export interface StatedObject {
  /** `<group>/<id>` */
  readonly name: string
  readonly group: number
  readonly blobs: number
  readonly packs: readonly StatedPack[]
  readonly isReplaced: boolean
  /** Whether it does not open: then it states nothing. */
  readonly isDamaged: boolean
}

export interface StatedIndexOptions {
  /** Leave out what is damaged and not replaced, and tell it in `problems`. Nobody may delete by such an index. */
  readonly tolerant?: boolean | undefined
}

export interface StatedIndex {
  /** Objects that do not open and that no other replaces; none unless they were to be left out. */
  readonly problems: readonly { readonly name: string; readonly message: string }[]
  readonly objects: readonly StatedObject[]
  readonly groups: readonly number[]
  /** Packs that the objects of a group state, each once; the entry is gone from memory after its turn. */
  entries(group: number): AsyncGenerator<PackEntry>
  /** An object's own entries. */
  read(name: string): Promise<IndexObject>
}

const CACHE_BYTES = 64 * MIB
const ATTEMPTS = 3

/**
 * @throws {BackupError} CORRUPT - an object does not open: nobody can tell what it states;
 * BACKEND_FAILED - listed objects cannot be found, again and again
 */
export async function readStatedIndex(repository: Repository, signal?: AbortSignal, options: StatedIndexOptions = {}): Promise<StatedIndex> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      return await readOnce(repository, signal, options)
    } catch (error) {
      // Replaced between list and read: list again.
      if (!isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
    }
  }
  throw changed()
}

function changed(): BackupError {
  return new BackupError('BACKEND_FAILED', 'index objects that are listed cannot be found: another prune is at work, or the storage does not keep its word; nothing was deleted', { retryable: true })
}

async function readOnce(repository: Repository, signal: AbortSignal | undefined, options: StatedIndexOptions): Promise<StatedIndex> {
  const { backend, keyring } = repository
  const sizes = new Map<string, number>()
  const cache = new Lru<string, { readonly index: IndexObject; readonly bytes: number }>(CACHE_BYTES, (item) => item.bytes)
  const read = async (name: string): Promise<IndexObject> => {
    const known = cache.get(name)
    if (known !== undefined) return known.index
    const bytes = await loadObject(backend, { type: 'index', name }, signal)
    const index = decodeIndex(keyring, name, bytes, trustedWriters(repository, splitName(name).group))
    cache.set(name, { index, bytes: bytes.length })
    return index
  }

  for (const info of await listObjects(backend, 'index', signal)) sizes.set(info.name, info.sizeBytes)
  const tryRead = async (name: string): Promise<{ name: string; index: IndexObject | BackupError }> => {
    try {
      return { name, index: await read(name) }
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT')) throw error
      return { name, index: error }
    }
  }
  const found: (Omit<StatedObject, 'isReplaced' | 'isDamaged'> & { readonly replaces: readonly string[] })[] = []
  const damaged = new Map<string, BackupError>()
  const names = [...sizes.keys()].sort()
  for await (const { name, index } of mapOrdered(names, { concurrency: backend.connections, signal }, tryRead)) {
    if (index instanceof BackupError) {
      damaged.set(name, index)
      continue
    }
    const packs = index.packs.map((entry): StatedPack => ({ packId: entry.packId, sizeBytes: entry.sizeBytes, sid: toHex(entry.session) }))
    const blobs = index.packs.reduce((sum, entry) => sum + blobCount(entry), 0)
    found.push({ name, group: splitName(name).group, blobs, packs, replaces: index.replaces })
  }
  const replaced = new Set(found.flatMap(({ group, replaces }) => replaces.map((id) => `${group}/${id}`)))
  const left = [...damaged].filter(([name]) => !replaced.has(name))
  if (left[0] !== undefined && options.tolerant !== true) throw left[0][1]
  const objects: StatedObject[] = found.map(({ replaces: _, ...object }) => ({ ...object, isReplaced: replaced.has(object.name), isDamaged: false }))
  for (const name of damaged.keys()) if (replaced.has(name)) objects.push({ name, group: splitName(name).group, blobs: 0, packs: [], isReplaced: true, isDamaged: true })

  return {
    problems: left.map(([name, { message }]) => ({ name, message })),
    objects,
    groups: [...new Set(objects.map(({ group }) => group))].sort((a, b) => a - b),
    read: (name) => read(name),
    async *entries(group) {
      const seen = new Set<string>()
      for (const object of objects) {
        if (object.group !== group || object.isReplaced) continue
        for (const entry of (await readAgain(read, object.name)).packs) {
          // Two objects may state one pack; were they to differ, both would count.
          const key = `${entry.packId} ${entry.sizeBytes} ${entry.blobs.length}`
          if (!seen.has(key)) yield entry
          seen.add(key)
        }
      }
    },
  }
}

async function readAgain(read: (name: string) => Promise<IndexObject>, name: string): Promise<IndexObject> {
  try {
    return await read(name)
  } catch (error) {
    throw isBackupError(error, 'BACKEND_NOT_FOUND') ? changed() : error
  }
}
