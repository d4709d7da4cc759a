/**
 * Forgetting: first it is decided which snapshots, over all groups, and only then is anything done.
 * What is done is to make markers; nothing is deleted before a prune, and until then it can be undone.
 */
import { mapOrdered } from '../util/map-ordered.ts'
import { nowNs } from '../util/clock.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { programVersion } from '../util/version-file.ts'
import { decodeForgotten, encodeForgotten } from '../repository/forgotten.ts'
import { loadObject, requireStored, splitName } from '../repository/objects.ts'
import type { Person, Repository } from '../repository/repository.ts'
import { filterSnapshots, resolveSnapshot, shortId, type SnapshotFilter } from '../snapshot/select.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { SnapshotList } from '../snapshot/snapshots.ts'
import { requireOwner } from './owner.ts'
import { type DecideOptions, decideRetention, isPinned, requireSome, type RetentionGroup } from './retention/decide.ts'
import { GROUP_BY_DEFAULT, groupSnapshots } from './retention/group.ts'
import type { RetentionPolicy } from './retention/policy.ts'

export interface ForgetOptions extends DecideOptions {
  readonly filter?: SnapshotFilter | undefined
  /** Beginnings of ids of snapshots that the storage has lost and that are given up, as for a prune. */
  readonly lost?: readonly string[] | undefined
}

export interface ForgetPlan {
  readonly groups: readonly RetentionGroup<Snapshot>[]
  /** Names `<group>/<sid>` to be forgotten; those of snapshots that cannot be read are in no group. */
  readonly names: readonly string[]
  /** Named, and forgotten already. */
  readonly already: readonly Snapshot[]
}

/**
 * What a policy forgets of the snapshots that the filter leaves.
 * @throws {BackupError} SNAPSHOTS_UNREADABLE, GROUP_EMPTIED; INVALID_ARGUMENT - the policy says
 * nothing; SNAPSHOT_NOT_FOUND - it names an id that is none
 */
export function planByPolicy(list: SnapshotList, policy: RetentionPolicy, options: ForgetOptions): ForgetPlan {
  requireReadable(list, new Set(), options)
  for (const id of policy.ids) {
    if (!list.snapshots.some((snapshot) => snapshot.id.startsWith(id))) throw new BackupError('SNAPSHOT_NOT_FOUND', `there is no snapshot "${id}" to keep; nothing was forgotten`)
  }
  const groups = decideRetention(newestFirst(filterSnapshots(list.snapshots, options.filter ?? {})), policy, options)
  return { groups, names: groups.flatMap(({ remove }) => remove.map(nameOf)), already: [] }
}

/**
 * Forgets what is named, whatever rules would say. A snapshot that cannot be read can be named by
 * its whole id: that is how one gets rid of it.
 * @throws {BackupError} SNAPSHOT_NOT_FOUND, AMBIGUOUS_ID, SNAPSHOT_PINNED, SNAPSHOTS_UNREADABLE,
 * GROUP_EMPTIED
 */
export function planByIds(list: SnapshotList, ids: readonly string[], options: ForgetOptions): ForgetPlan {
  const candidates = filterSnapshots(list.snapshots, options.filter ?? {})
  const chosen = new Set<Snapshot>()
  const already = new Set<Snapshot>()
  const unreadable = new Set<string>()
  for (const id of ids) {
    const broken = list.problems.find(({ name }) => name.endsWith(`/${id.toLowerCase()}`))
    const gone = list.snapshots.some((snapshot) => snapshot.id.startsWith(id)) ? undefined : list.forgotten.filter((snapshot) => id !== '' && snapshot.id.startsWith(id.toLowerCase()))
    if (broken !== undefined) unreadable.add(broken.name)
    else if (gone?.length === 1) already.add(gone[0]!)
    else chosen.add(resolveSnapshot(candidates, id, options.nowNs, list.forgotten))
  }
  requireReadable(list, unreadable, options)
  for (const snapshot of chosen) {
    if (isPinned(snapshot, options.nowNs)) throw new BackupError('SNAPSHOT_PINNED', `snapshot ${shortId(snapshot.id)} is pinned; nothing was forgotten. "nacre unpin ${shortId(snapshot.id)}" comes first`, { details: { snapshot: snapshot.id } })
  }
  const groups = groupSnapshots(newestFirst(list.snapshots), options.groupBy ?? GROUP_BY_DEFAULT)
    .map(({ key, snapshots }) => {
      const keep = snapshots.filter((snapshot) => !chosen.has(snapshot)).map((snapshot) => ({ snapshot, reasons: ['not named'] }))
      const future = keep.filter(({ snapshot }) => snapshot.startNs > options.nowNs).map(({ snapshot }) => snapshot)
      return { key, keep, remove: snapshots.filter((snapshot) => chosen.has(snapshot)), future }
    })
    .filter(({ remove }) => remove.length > 0)
  if (options.allowEmptyGroup !== true) for (const group of groups) requireSome(group.key, group)
  const forgotten = new Set(list.problems.filter(({ isForgotten }) => isForgotten).map(({ name }) => name))
  return { groups, names: [...[...chosen].map(nameOf), ...[...unreadable].filter((name) => !forgotten.has(name))], already: [...already] }
}

/** Of equal times the greater id counts as newer, as it does for `latest`. */
function newestFirst(snapshots: readonly Snapshot[]): Snapshot[] {
  return [...snapshots].sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : a.id > b.id ? -1 : 1))
}

function nameOf(snapshot: Snapshot): string {
  return `${snapshot.group}/${snapshot.id}`
}

/** Nobody decides over snapshots that are only partly known. */
function requireReadable(list: SnapshotList, named: ReadonlySet<string>, options: ForgetOptions): void {
  const refuse = (what: string, advice: string): never => {
    throw new BackupError('SNAPSHOTS_UNREADABLE', `${what}; nothing was forgotten. ${advice}`)
  }
  const [problem] = list.problems.filter(({ name, isForgotten }) => !isForgotten && !named.has(name))
  if (problem !== undefined) refuse(`${problem.message} (snapshots/${problem.name})`, 'Put a copy of it back, or forget it by its whole id; "nacre check" tells more')
  const mark = list.markerProblems.find(({ object }) => object.startsWith('marks/'))
  if (mark !== undefined) refuse(`${mark.message}, and a pin may stand there`, `Put a copy of it back, or mark snapshot ${mark.snapshot.slice(-32, -24)} anew with "nacre tag", "pin" or "unpin"`)
  const isGivenUp = (name: string): boolean => (options.lost ?? []).some((id) => id !== '' && splitName(name).id.startsWith(id))
  const missing = list.missing.find(({ name }) => !isGivenUp(name))
  if (missing !== undefined) {
    refuse(`snapshot ${missing.name} is not listed, was not swept, and is the one before ${shortId(missing.namedBy.id)}: the list may be short`, `If the storage has lost it for good, --lost ${splitName(missing.name).id} goes on without it; "nacre recover" may find its files`)
  }
}

export interface ForgetResult {
  /** Names `<group>/<sid>`. */
  readonly forgotten: readonly string[]
  readonly failed: readonly { readonly name: string; readonly message: string }[]
}

/** Makes the markers. One that cannot be made is told and keeps none of the others from being made. */
export async function forgetSnapshots(repository: Repository, names: readonly string[], options: { readonly person: Person; readonly signal?: AbortSignal | undefined }): Promise<ForgetResult> {
  requireOwner(repository, 'forget snapshots')
  const forgetting = { timeNs: nowNs(), ...options.person, program: programVersion() }
  const forgotten: string[] = []
  const failed: { name: string; message: string }[] = []
  const mark = async (name: string): Promise<{ name: string; message: string | undefined }> => {
    try {
      await createMarker(repository, name, encodeForgotten(repository.keyring, name, forgetting), options.signal)
      return { name, message: undefined }
    } catch (error) {
      if (!isBackupError(error) || error.code === 'INTERRUPTED') throw error
      return { name, message: error.message }
    }
  }
  for await (const { name, message } of mapOrdered(names, { concurrency: repository.backend.connections, signal: options.signal }, mark)) {
    if (message === undefined) forgotten.push(name)
    else failed.push({ name, message })
  }
  return { forgotten, failed }
}

/** A marker that somebody else has made meanwhile does as well, if it is the owner's word. */
async function createMarker(repository: Repository, name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
  const { backend, keyring } = repository
  const ref = { type: 'forgotten', name } as const
  if ((await backend.create(ref, [bytes], { signal })) === 'created') return requireStored(backend, ref, bytes.length, { what: `the snapshot is not forgotten; "nacre unforget ${name.slice(name.indexOf('/') + 1)}" takes the broken marker away`, signal })
  try {
    decodeForgotten(keyring, name, await loadObject(backend, ref, signal))
  } catch (cause) {
    if (!isBackupError(cause, 'CORRUPT')) throw cause
    throw new BackupError('CORRUPT', `${cause.message}; "nacre unforget ${name.slice(name.indexOf('/') + 1)}" takes it away`, { cause })
  }
}
