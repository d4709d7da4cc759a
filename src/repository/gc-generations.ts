/**
 * Prune generations as prune sees them: which is the newest, what of it is there, and making its
 * records. Generations follow one another and each record is created at most once, so of two who
 * decide at the same time one learns what the other has decided, and obeys it.
 */
import { BackupError, isBackupError } from '../util/errors.ts'
import { decodeGcRecord, encodeGcRecord, type GcKind, gcName, type GcRecord, parseGcName } from './gc-record.ts'
import { listObjects, loadObject, requireStored } from './objects.ts'
import type { Repository } from './repository.ts'

/** `damaged`: something stands there that is not the owner's word. */
export type FoundRecord = GcRecord | 'damaged' | undefined

export interface Generation {
  readonly number: number
  readonly plan: FoundRecord
  readonly verdict: FoundRecord
  readonly done: FoundRecord
}

/** The generation with the highest number of which anything is listed; undefined before the first. */
export async function readNewestGeneration(repository: Repository, signal?: AbortSignal): Promise<Generation | undefined> {
  const listed = await listObjects(repository.backend, 'gc', signal)
  const newest = Math.max(0, ...listed.map((info) => parseGcName(info.name)?.generation ?? 0))
  return newest === 0 ? undefined : readGeneration(repository, newest, signal)
}

export async function readGeneration(repository: Repository, number: number, signal?: AbortSignal): Promise<Generation> {
  // The verdict and what follows from it last: they are made later.
  const plan = await readGcRecord(repository, number, 'plan', signal)
  const verdict = await readGcRecord(repository, number, 'verdict', signal)
  return { number, plan, verdict, done: await readGcRecord(repository, number, 'done', signal) }
}

export async function readGcRecord(repository: Repository, generation: number, kind: GcKind, signal?: AbortSignal): Promise<FoundRecord> {
  try {
    return decodeGcRecord(repository.keyring, generation, kind, await loadObject(repository.backend, { type: 'gc', name: gcName(generation, kind) }, signal))
  } catch (error) {
    if (isBackupError(error, 'BACKEND_NOT_FOUND')) return undefined
    if (!isBackupError(error, 'CORRUPT')) throw error
    repository.notice(`gc record ${gcName(generation, kind)} is damaged or forged and counts as absent: ${error.message}`)
    return 'damaged'
  }
}

/** Whether this call made the record. */
export async function createGcRecord(repository: Repository, generation: number, kind: GcKind, record: GcRecord, signal?: AbortSignal): Promise<boolean> {
  const { backend, keyring } = repository
  const ref = { type: 'gc', name: gcName(generation, kind) } as const
  const bytes = encodeGcRecord(keyring, generation, kind, record)
  if ((await backend.create(ref, [bytes], { signal })) !== 'created') return false
  // Backups go by it: a plan that they cannot read would not keep them from what it condemns.
  await requireStored(backend, ref, bytes.length, { what: 'prune stops here', signal })
  return true
}

/**
 * A record that somebody else may have made must last before anything is deleted because of it: a
 * list is what makes it durable, and shows that lists can be trusted.
 * @throws {BackupError} BACKEND_FAILED - the storage lists fewer objects than there are
 */
export async function requireListed(repository: Repository, generation: number, kind: GcKind, signal?: AbortSignal): Promise<void> {
  const name = gcName(generation, kind)
  for await (const info of repository.backend.list('gc', { signal })) if (info.name === name) return
  throw new BackupError('BACKEND_FAILED', `the storage does not list gc/${name}, which is there: its lists cannot be trusted, and prune deletes nothing`)
}
