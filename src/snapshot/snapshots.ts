/**
 * The repository's snapshots: listed, read once, and remembered in the catalogue under their
 * immutable names. A fence or a ghost is none.
 */
import { open, seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { utf8 } from '../util/bytes.ts'
import { isBackupError } from '../util/errors.ts'
import type { Catalogue } from '../repository/catalogue/catalogue.ts'
import { type GcState, readGcState } from '../repository/gc-state.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { decodeRegister } from '../repository/register.ts'
import type { Repository } from '../repository/repository.ts'
import { decodeSnapshot, type Snapshot } from './snapshot.ts'

export interface SnapshotProblem {
  /** `<group>/<sid>` */
  readonly name: string
  readonly message: string
}

export interface SnapshotList {
  /** Oldest first, by start time. */
  readonly snapshots: readonly Snapshot[]
  /** Registers that could not be read. */
  readonly problems: readonly SnapshotProblem[]
}

const FENCE = Uint8Array.of(0)
const SNAPSHOT = 1

/** @throws {BackupError} when a list fails: a failed list is never taken for an empty one */
export async function loadSnapshots(repository: Repository, options: { readonly signal?: AbortSignal | undefined; readonly gc?: GcState | undefined } = {}): Promise<SnapshotList> {
  const { backend, keyring } = repository
  const { signal } = options
  const cache = snapshotCache(repository, await repository.catalogue())
  const listed = (await listObjects(backend, 'snapshots', signal)).filter((info) => keyring.role === 'owner' || splitName(info.name).group === keyring.group)
  const { swept } = options.gc ?? (await readGcState(repository, signal))
  const wanted = listed.filter((info) => !swept.has(info.name))
  const snapshots: Snapshot[] = []
  const problems: SnapshotProblem[] = []

  const read = async (name: string): Promise<Snapshot | SnapshotProblem | undefined> => {
    const { group, id } = splitName(name)
    try {
      const known = cache.get(name)
      if (known === 'fence') return undefined
      if (known !== undefined) return { ...decodeSnapshot(known), id, group }
      const register = decodeRegister(keyring, group, name, await loadObject(backend, { type: 'snapshots', name }, signal), trustedWriters(repository, group))
      cache.put(name, register.kind === 'fence' ? 'fence' : register.body)
      return register.kind === 'fence' ? undefined : { ...decodeSnapshot(register.body), id, group }
    } catch (error) {
      // Swept between list and read, or damaged.
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return undefined
      if (!isBackupError(error) || error.code.startsWith('BACKEND')) throw error
      return { name, message: error.message }
    }
  }

  for await (const result of mapOrdered(wanted, { concurrency: backend.connections, signal }, (info) => read(info.name))) {
    if (result === undefined) continue
    if ('message' in result) problems.push(result)
    else snapshots.push(result)
  }
  snapshots.sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : a.id < b.id ? -1 : 1))
  return { snapshots, problems }
}

export interface SnapshotCache {
  get(name: string): Uint8Array | 'fence' | undefined
  put(name: string, body: Uint8Array | 'fence'): void
}

/** Rows are sealed under a key of their own and begin with what stood in the register. */
export function snapshotCache(repository: Repository, catalogue: Catalogue): SnapshotCache {
  const { keyring } = repository
  const key = deriveKey(keyring.blobId(keyring.group, 'tree'), keyring.repositoryId, 'catalogue snapshots')
  return {
    get(name) {
      const row = catalogue.rows.get('snapshot', utf8(name))
      if (row === undefined) return undefined
      try {
        const plain = open(key, row, utf8(name))
        return plain[0] === SNAPSHOT ? plain.subarray(1) : 'fence'
      } catch (error) {
        if (!isBackupError(error, 'CORRUPT')) throw error
        return undefined
      }
    },
    put(name, body) {
      const plain = body === 'fence' ? FENCE : Uint8Array.of(SNAPSHOT, ...body)
      catalogue.rows.put('snapshot', utf8(name), seal(key, plain, utf8(name)))
    },
  }
}
