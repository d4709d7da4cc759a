/**
 * The repository's snapshots: listed, read once, and remembered in the catalogue under their
 * immutable names. A fence or a ghost is none; one that is forgotten stands apart, and each is as
 * its marks say.
 *
 * Snapshots are listed first and gc is read last: what a prune takes away in between is then known
 * to be swept, and cannot seem to be there without its marker.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { isBackupError } from '../util/errors.ts'
import { type GcState, readGcState } from '../repository/gc-state.ts'
import { loadForgotten, loadMarks, type MarkList, type MarkerProblem } from '../repository/marker-loader.ts'
import { listObjects, splitName } from '../repository/objects.ts'
import type { Repository } from '../repository/repository.ts'
import { openRegisterReader } from './register-reader.ts'
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
  /** Names `<group>/<sid>` of all registers that are there, whatever they hold. */
  readonly listed: ReadonlySet<string>
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
  /** Read all anew that is remembered from before: for who looks for damage. */
  readonly afresh?: boolean | undefined
  /** Whether marks are applied; true by default. Whoever looks at hosts and paths only needs none. */
  readonly marks?: boolean | undefined
}

const NO_MARKS: MarkList = { marks: new Map(), problems: [] }

/** @throws {BackupError} when a list fails: a failed list is never taken for an empty one */
export async function loadSnapshots(repository: Repository, options: LoadSnapshotsOptions = {}): Promise<SnapshotList> {
  const { backend, keyring } = repository
  const { signal, afresh } = options
  const registers = await openRegisterReader(repository, { signal, afresh })
  const listed = (await listObjects(backend, 'snapshots', signal)).filter((info) => keyring.role === 'owner' || splitName(info.name).group === keyring.group)
  const [markers, marked] = await Promise.all([loadForgotten(repository, { signal, afresh }), options.marks === false ? NO_MARKS : loadMarks(repository, { signal, afresh })])
  const { swept } = options.gc ?? (await readGcState(repository, signal))
  const wanted = listed.filter((info) => !swept.has(info.name))
  const problems: SnapshotProblem[] = []

  const read = async (name: string): Promise<Snapshot | SnapshotProblem | undefined> => {
    const { group, id } = splitName(name)
    const forgotten = markers.forgotten.get(name)
    try {
      const body = await registers.read(name)
      return body === 'fence' ? undefined : { ...markedSnapshot(decodeSnapshot(body), id, group, marked.marks.get(name)?.mark), forgotten }
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
  registers.gather()
  all.sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : a.id < b.id ? -1 : 1))
  return {
    snapshots: all.filter((snapshot) => snapshot.forgotten === undefined),
    forgotten: all.filter((snapshot) => snapshot.forgotten !== undefined),
    listed: new Set(listed.map((info) => info.name)),
    problems,
    markerProblems: [...markers.problems, ...marked.problems].filter(({ snapshot }) => !swept.has(snapshot)),
    missing: missingOf(all, [...swept, ...listed.map((info) => info.name)]),
  }
}

/** Snapshots without their marks, for who has other things to wait for: begun early, and had when they are wanted. */
export function snapshotsBeside(repository: Repository, signal?: AbortSignal): { begin(gc: GcState): void; list(gc: GcState): Promise<SnapshotList> } {
  let begun: Promise<SnapshotList> | undefined
  const load = (gc: GcState): Promise<SnapshotList> => loadSnapshots(repository, { gc, marks: false, signal })
  return {
    begin(gc) {
      begun = load(gc)
      // Who wants them meets the failure.
      begun.catch(() => undefined)
    },
    list: (gc) => begun ?? load(gc),
  }
}

/** The one before may be of another group. */
function missingOf(snapshots: readonly Snapshot[], names: Iterable<string>): MissingSnapshot[] {
  const known = new Set([...names].map((name) => splitName(name).id))
  return snapshots
    .map((namedBy) => ({ name: `${namedBy.group}/${namedBy.previous}`, namedBy }))
    .filter(({ namedBy: { previous } }) => previous !== undefined && !known.has(previous))
}
