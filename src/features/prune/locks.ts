/**
 * Object Lock in a prune. What snapshots that stay for good use is locked anew for the whole span,
 * before anything is planned; what is still locked and used by nobody stays until its lock has ended,
 * and a forgotten snapshot that is locked counts as kept until then. What only such a snapshot uses is
 * not locked for longer, or it would never end.
 *
 * No decision rests on it: a lock that ends too early, or that nobody has told of, changes how long
 * something stays, and never whether it may be lost.
 */
import type { ObjectLock, ObjectRef, ObjectType } from '../../backend/backend.ts'
import { lockEndMs } from '../../backend/with-object-lock.ts'
import { nowNs } from '../../util/clock.ts'
import { BackupError, isBackupError } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import { BLOB_RECORD_BYTES } from '../../repository/pack-entry.ts'
import { listObjects } from '../../repository/objects.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import type { UsedBlobs } from './used.ts'

export type Locks = ReadonlyMap<string, ObjectLock>

/** What is to be locked on, with the locks that are known already. */
export interface Lasting {
  readonly packs: Iterable<string>
  readonly packLocks: Locks
  /** Names. */
  readonly snapshots: Iterable<string>
  readonly index: Iterable<string>
}

/** A lock that has so little of its span behind it is left as it is: it would cost a request for each object at each prune. */
const SPENT_SHARE = 0.1

export function isLocking({ config, backend }: Repository): boolean {
  return config.objectLock !== undefined && backend.lockOf !== undefined
}

/** Locks that have not ended, by name; of a repository without locks none, for no request. */
export async function standingLocks(repository: Repository, type: ObjectType, names: Iterable<string>, signal: AbortSignal | undefined): Promise<Locks> {
  const found = new Map<string, ObjectLock>()
  if (!isLocking(repository)) return found
  const { backend } = repository
  const look = async (name: string): Promise<readonly [string, ObjectLock | undefined]> => [name, await backend.lockOf!({ type, name }, { signal })]
  for await (const [name, lock] of mapOrdered(names, { concurrency: backend.connections, signal }, look)) {
    if (lock !== undefined && isStanding(lock)) found.set(name, lock)
  }
  return found
}

export function isStanding({ untilMs }: ObjectLock): boolean {
  return untilMs > Number(nowNs() / 1_000_000n)
}

/** Packs that hold a blob which is used. */
export async function packsInUse(index: StatedIndex, listed: ReadonlyMap<string, number>, used: UsedBlobs): Promise<Set<string>> {
  const found = new Set<string>()
  for (const group of index.groups) {
    const use = used.get(group)!
    for await (const entry of index.entries(group)) {
      if (listed.get(entry.packId) !== entry.sizeBytes) continue
      for (let at = 0; at < entry.blobs.length; at += BLOB_RECORD_BYTES) {
        const slot = use.table.find(entry.blobs, at)
        if (slot === -1 || !use.used.has(slot)) continue
        found.add(entry.packId)
        break
      }
    }
  }
  return found
}

/**
 * @returns how many objects were locked for longer
 * @throws {BackupError} PRUNE_REFUSED - this user may not lock
 */
export async function extendLocks(repository: Repository, lasting: Lasting, signal: AbortSignal | undefined): Promise<number> {
  const { config, backend } = repository
  if (config.objectLock === undefined || backend.setLock === undefined) return 0
  const { mode, spanMs } = config.objectLock
  const untilMs = lockEndMs(spanMs)
  const extend = async (ref: ObjectRef): Promise<boolean> => {
    const standing = ref.type === 'packs' ? lasting.packLocks.get(ref.name) : await backend.lockOf!(ref, { signal })
    const isStrong = standing?.mode === 'compliance' || standing?.mode === mode
    if (standing !== undefined && isStrong && standing.untilMs >= untilMs - spanMs * SPENT_SHARE) return false
    // Whoever locked it more strictly, or for longer, is not overruled.
    const lock: ObjectLock = { mode: standing?.mode === 'compliance' ? 'compliance' : mode, untilMs: Math.max(untilMs, standing?.untilMs ?? 0) }
    try {
      await backend.setLock!(ref, lock, { signal })
      return true
    } catch (cause) {
      // Gone meanwhile, by a prune beside this.
      if (isBackupError(cause, 'BACKEND_NOT_FOUND')) return false
      if (!isBackupError(cause, 'BACKEND_DENIED')) throw cause
      throw new BackupError('PRUNE_REFUSED', `nothing was pruned: what is used could not be locked for longer (${cause.message})`, { cause, path: `${ref.type}/${ref.name}` })
    }
  }
  let extended = 0
  for await (const isExtended of mapOrdered(refsOf(repository, lasting, signal), { concurrency: backend.connections, signal }, extend)) if (isExtended) extended++
  return extended
}

async function* refsOf({ backend }: Repository, { packs, snapshots, index }: Lasting, signal: AbortSignal | undefined): AsyncGenerator<ObjectRef> {
  yield { type: 'config', name: 'config' }
  for (const { name } of await listObjects(backend, 'keys', signal)) yield { type: 'keys', name }
  for (const name of snapshots) yield { type: 'snapshots', name }
  for (const name of index) yield { type: 'index', name }
  for (const name of packs) yield { type: 'packs', name }
}

/** False when a lock refuses: then it goes with a later prune. */
export async function removeUnlessLocked({ backend }: Repository, ref: ObjectRef, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await backend.remove({ type: ref.type, name: ref.name }, { signal })
    return true
  } catch (error) {
    if (!isBackupError(error, 'BACKEND_DENIED') || error.details['isLocked'] !== true) throw error
    return false
  }
}
