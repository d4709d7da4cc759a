/**
 * The repository's snapshots: listed, read once, and remembered in the catalogue under their
 * immutable names. A fence or a ghost is none; one that is forgotten stands apart, and each is as
 * its marks say.
 *
 * Snapshots are listed first and gc is read last: what a prune takes away in between is then known
 * to be swept, and cannot seem to be there without its marker.
 */
import { open, seal } from '../crypto/aead.ts'
import { deriveKey } from '../crypto/derive.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { isBackupError } from '../util/errors.ts'
import type { Catalogue } from '../repository/catalogue/catalogue.ts'
import { type GcState, readGcState } from '../repository/gc-state.ts'
import { trustedWriters } from '../repository/index-loader.ts'
import { loadForgotten, loadMarks, type MarkList, type MarkerProblem } from '../repository/marker-loader.ts'
import { listObjects, loadObject, splitName } from '../repository/objects.ts'
import { decodeRegister } from '../repository/register.ts'
import type { Repository } from '../repository/repository.ts'
import { decodeSnapshot, markedSnapshot, type Snapshot } from './snapshot.ts'

export interface SnapshotProblem {
  /** `<group>/<sid>` */
  readonly name: string
  readonly message: string
  /** Whether the owner has given it up: then nobody needs to read it. */
  readonly isForgotten: boolean
}

export interface SnapshotList {
  /** Oldest first, by start time. */
  readonly snapshots: readonly Snapshot[]
  /** Those to be swept by the next prune, likewise. */
  readonly forgotten: readonly Snapshot[]
  /** Registers that could not be read. */
  readonly problems: readonly SnapshotProblem[]
  /** Forgotten markers and marks that could not be read, or are not the owner's word. */
  readonly markerProblems: readonly MarkerProblem[]
  /** Snapshots that others name as the one before, and that are neither there nor swept: the list may be short. */
  readonly missing: readonly MissingSnapshot[]
}

export interface MissingSnapshot {
  /** `<group>/<sid>` */
  readonly name: string
  /** Who names it. */
  readonly namedBy: Snapshot
}

export interface LoadSnapshotsOptions {
  readonly signal?: AbortSignal | undefined
  readonly gc?: GcState | undefined
  /** Whether marks are applied; true by default. Whoever looks at hosts and paths only needs none. */
  readonly marks?: boolean | undefined
}

const FENCE = Uint8Array.of(0)
const SNAPSHOT = Uint8Array.of(1)
const NO_MARKS: MarkList = { marks: new Map(), problems: [] }

/** @throws {BackupError} when a list fails: a failed list is never taken for an empty one */
export async function loadSnapshots(repository: Repository, options: LoadSnapshotsOptions = {}): Promise<SnapshotList> {
  const { backend, keyring } = repository
  const { signal } = options
  const cache = snapshotCache(repository, await repository.catalogue())
  const listed = (await listObjects(backend, 'snapshots', signal)).filter((info) => keyring.role === 'owner' || splitName(info.name).group === keyring.group)
  const [markers, marked] = await Promise.all([loadForgotten(repository, { signal }), options.marks === false ? NO_MARKS : loadMarks(repository, { signal })])
  const { swept } = options.gc ?? (await readGcState(repository, signal))
  const wanted = listed.filter((info) => !swept.has(info.name))
  const problems: SnapshotProblem[] = []

  const read = async (name: string): Promise<Snapshot | SnapshotProblem | undefined> => {
    const { group, id } = splitName(name)
    const forgotten = markers.forgotten.get(name)
    const snapshotOf = (body: Uint8Array): Snapshot => ({ ...markedSnapshot(decodeSnapshot(body), id, group, marked.marks.get(name)?.mark), forgotten })
    try {
      const known = cache.get(name)
      if (known === 'fence') return undefined
      if (known !== undefined) return snapshotOf(known)
      const register = decodeRegister(keyring, group, name, await loadObject(backend, { type: 'snapshots', name }, signal), trustedWriters(repository, group))
      cache.put(name, register.kind === 'fence' ? 'fence' : register.body)
      return register.kind === 'fence' ? undefined : snapshotOf(register.body)
    } catch (error) {
      // Swept between list and read, or damaged.
      if (isBackupError(error, 'BACKEND_NOT_FOUND')) return undefined
      if (!isBackupError(error) || error.code.startsWith('BACKEND')) throw error
      return { name, message: error.message, isForgotten: forgotten !== undefined }
    }
  }

  const all: Snapshot[] = []
  for await (const result of mapOrdered(wanted, { concurrency: backend.connections, signal }, (info) => read(info.name))) {
    if (result === undefined) continue
    if ('message' in result) problems.push(result)
    else all.push(result)
  }
  all.sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : a.id < b.id ? -1 : 1))
  return {
    snapshots: all.filter((snapshot) => snapshot.forgotten === undefined),
    forgotten: all.filter((snapshot) => snapshot.forgotten !== undefined),
    problems,
    markerProblems: [...markers.problems, ...marked.problems].filter(({ snapshot }) => !swept.has(snapshot)),
    missing: missingOf(all, [...swept, ...listed.map((info) => info.name)]),
  }
}

/** The one before may be of another group. */
function missingOf(snapshots: readonly Snapshot[], names: Iterable<string>): MissingSnapshot[] {
  const known = new Set([...names].map((name) => splitName(name).id))
  return snapshots
    .map((namedBy) => ({ name: `${namedBy.group}/${namedBy.previous}`, namedBy }))
    .filter(({ namedBy: { previous } }) => previous !== undefined && !known.has(previous))
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
        return plain[0] === SNAPSHOT[0] ? plain.subarray(1) : 'fence'
      } catch (error) {
        if (!isBackupError(error, 'CORRUPT')) throw error
        return undefined
      }
    },
    put(name, body) {
      const plain = body === 'fence' ? FENCE : concatBytes(SNAPSHOT, body)
      catalogue.rows.put('snapshot', utf8(name), seal(key, plain, utf8(name)))
    },
  }
}
