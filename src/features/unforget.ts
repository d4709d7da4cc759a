/**
 * Unforget takes a marker away. A prune may be at work meanwhile: it sweeps what its plan names and
 * what is still forgotten when it decides. So the marker is taken away only while no open plan names
 * the snapshot; if one has come by then, the marker is put back and the answer is no. And it counts
 * only if the snapshot is still there.
 */
import { nowNs } from '../util/clock.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { programVersion } from '../util/version-file.ts'
import { decodeForgotten, encodeForgotten } from '../repository/forgotten.ts'
import { decodeGcRecord, type GcKind, gcName, type GcRecord, parseGcName } from '../repository/gc-record.ts'
import { readGcState } from '../repository/gc-state.ts'
import { listObjects, loadObject } from '../repository/objects.ts'
import type { Person, Repository } from '../repository/repository.ts'
import type { SnapshotList } from '../snapshot/snapshots.ts'
import { shortId } from '../snapshot/select.ts'
import { requireOwner } from './owner.ts'

/**
 * The name `<group>/<sid>` of the one forgotten snapshot whose id begins so; also of one whose
 * marker or register cannot be read.
 * @throws {BackupError} SNAPSHOT_NOT_FOUND, AMBIGUOUS_ID
 */
export function resolveForgotten(list: SnapshotList, text: string): string {
  const beginning = text.toLowerCase()
  const names = new Set([
    ...list.forgotten.map((snapshot) => `${snapshot.group}/${snapshot.id}`),
    ...list.problems.filter(({ isForgotten }) => isForgotten).map(({ name }) => name),
    ...list.markerProblems.filter(({ object }) => object.startsWith('forgotten/')).map(({ snapshot }) => snapshot),
  ])
  const found = [...names].filter((name) => beginning !== '' && name.slice(name.indexOf('/') + 1).startsWith(beginning))
  if (found.length > 1) throw new BackupError('AMBIGUOUS_ID', `"${text}" is the beginning of several forgotten snapshots; give more digits`, { details: { candidates: found } })
  if (found[0] !== undefined) return found[0]
  const isKept = beginning !== '' && list.snapshots.some((snapshot) => snapshot.id.startsWith(beginning))
  throw new BackupError('SNAPSHOT_NOT_FOUND', isKept ? `snapshot "${text}" is not forgotten` : `there is no forgotten snapshot "${text}"; "nacre snapshots --forgotten" lists them`)
}

/**
 * @param name - `<group>/<sid>`
 * @throws {BackupError} ALREADY_PLANNED - a prune has planned its end: it stays forgotten;
 * SNAPSHOT_NOT_FOUND - it has been swept
 */
export async function unforgetSnapshot(repository: Repository, name: string, options: { readonly person: Person; readonly signal?: AbortSignal | undefined }): Promise<void> {
  requireOwner(repository, 'bring snapshots back')
  const { backend, keyring } = repository
  const { signal } = options
  const ref = { type: 'forgotten', name } as const
  await requireUnplanned(repository, name, signal)
  const marker = await markerBytes(repository, name, signal)
  await backend.remove(ref, { signal })
  try {
    await requireUnplanned(repository, name, signal)
  } catch (error) {
    // Also where the look itself fails: without it nobody knows, so it stays as it was. Not to be interrupted.
    const again = marker ?? encodeForgotten(keyring, name, { timeNs: nowNs(), ...options.person, program: programVersion() })
    await backend.create(ref, [again])
    throw error
  }
  const { swept } = await readGcState(repository, signal)
  if (swept.has(name) || (await backend.stat({ type: 'snapshots', name }, { signal })) === undefined) {
    throw new BackupError('SNAPSHOT_NOT_FOUND', `snapshot ${shortName(name)} has been swept by a prune and cannot be brought back`)
  }
}

/** What stands there, if it is a marker that counts. */
async function markerBytes({ backend, keyring }: Repository, name: string, signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
  try {
    const bytes = await loadObject(backend, { type: 'forgotten', name }, signal)
    decodeForgotten(keyring, name, bytes)
    return bytes
  } catch (error) {
    if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BACKEND_NOT_FOUND')) throw error
    return undefined
  }
}

/** @throws {BackupError} ALREADY_PLANNED - a plan that is not done names the snapshot */
async function requireUnplanned(repository: Repository, name: string, signal: AbortSignal | undefined): Promise<void> {
  const listed = (await listObjects(repository.backend, 'gc', signal)).map((info) => parseGcName(info.name)).filter((parsed) => parsed !== undefined)
  for (const { generation, kind } of listed) {
    if (kind !== 'plan' || !(await readRecord(repository, generation, 'plan', signal))?.sweep.includes(name)) continue
    const isDone = listed.some((other) => other.generation === generation && other.kind === 'done') && (await readRecord(repository, generation, 'done', signal)) !== undefined
    if (!isDone) throw new BackupError('ALREADY_PLANNED', `a prune has planned the end of snapshot ${shortName(name)}; it stays forgotten`, { details: { generation } })
  }
}

/** undefined for what is not the owner's word: it counts as absent, for a prune as well. */
async function readRecord({ backend, keyring }: Repository, generation: number, kind: GcKind, signal: AbortSignal | undefined): Promise<GcRecord | undefined> {
  try {
    return decodeGcRecord(keyring, generation, kind, await loadObject(backend, { type: 'gc', name: gcName(generation, kind) }, signal))
  } catch (error) {
    if (isBackupError(error, 'CORRUPT')) return undefined
    throw error
  }
}

function shortName(name: string): string {
  return shortId(name.slice(name.indexOf('/') + 1))
}
