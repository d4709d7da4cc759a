/**
 * Reading commit registers: each is read once, and what stood in it is remembered in the catalogue
 * under its immutable name. Rows are sealed under a key of their own.
 */
import { open, seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { isBackupError } from '../util/errors.ts'
import type { Catalogue } from '../repository/catalogue/catalogue.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { loadObject, splitName } from '../repository/objects.ts'
import { decodeRegister } from '../repository/register.ts'
import type { Repository } from '../repository/repository.ts'

export interface RegisterReaderOptions {
  readonly signal?: AbortSignal | undefined
  /** Read from the repository whatever is remembered: it may have been damaged since. */
  readonly afresh?: boolean | undefined
}

export interface RegisterReader {
  /**
   * A snapshot's record, encoded.
   * @param name - `<group>/<sid>`
   * @throws {BackupError} BACKEND_NOT_FOUND; CORRUPT - neither a snapshot nor a fence
   */
  read(name: string): Promise<Uint8Array | 'fence'>
}

const FENCE = Uint8Array.of(0)
const SNAPSHOT = Uint8Array.of(1)

export async function openRegisterReader(repository: Repository, { signal, afresh = false }: RegisterReaderOptions = {}): Promise<RegisterReader> {
  const { backend, keyring } = repository
  const cache = snapshotCache(repository, await repository.catalogue())
  return {
    async read(name) {
      const known = afresh ? undefined : cache.get(name)
      if (known !== undefined) return known
      const { group } = splitName(name)
      const register = decodeRegister(keyring, group, name, await loadObject(backend, { type: 'snapshots', name }, signal), trustedWriters(repository, group))
      const found = register.kind === 'fence' ? 'fence' : register.body
      cache.put(name, found)
      return found
    },
  }
}

/** Who has just made a snapshot need not read it. */
export async function rememberSnapshotRecord(repository: Repository, name: string, body: Uint8Array): Promise<void> {
  snapshotCache(repository, await repository.catalogue()).put(name, body)
}

interface SnapshotCache {
  get(name: string): Uint8Array | 'fence' | undefined
  put(name: string, body: Uint8Array | 'fence'): void
}

function snapshotCache({ keyring }: Repository, { rows }: Catalogue): SnapshotCache {
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue snapshots')
  return {
    get(name) {
      const row = rows.get('snapshot', utf8(name))
      if (row === undefined) return undefined
      try {
        const plain = open(key, row, utf8(name))
        return plain[0] === SNAPSHOT[0] ? plain.subarray(1) : 'fence'
      } catch (error) {
        if (!isBackupError(error, 'CORRUPT')) throw error
        return undefined
      }
    },
    put(name, body) {
      const plain = body === 'fence' ? FENCE : concatBytes(SNAPSHOT, body)
      rows.put('snapshot', utf8(name), seal(key, plain, utf8(name)))
    },
  }
}
