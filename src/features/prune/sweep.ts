/**
 * Step 7: carrying a verdict out. Every step may be repeated, and by anyone: names are never used
 * twice, so what a verdict names is either still there or gone for good. References go first and
 * data last, so that a crash in between leaves too much and never too little.
 */
import type { ObjectRef } from '../../backend/backend.ts'
import { isBackupError } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import type { GcRecord } from '../../repository/gc-record.ts'
import { listPacks } from '../../repository/index-loader.ts'
import { splitMarkName } from '../../repository/mark.ts'
import { listObjects, loadObject } from '../../repository/objects.ts'
import { looksLikeFence } from '../../repository/register.ts'
import type { Repository } from '../../repository/repository.ts'
import { replaceIndexObjects } from './reindex.ts'
import { readIndex } from './survey.ts'
import type { PruneOptions, Tally } from './types.ts'

export async function sweep(repository: Repository, verdict: GcRecord, options: PruneOptions, tally: Tally): Promise<void> {
  const { backend } = repository
  const { signal, onEvent } = options
  for (const name of verdict.sweep) {
    if (!(await removeSnapshot(repository, name, signal))) continue
    tally.sweptSnapshots++
    onEvent?.({ type: 'deleted', object: `snapshots/${name}`, bytes: 0 })
  }

  // What others replaced before this verdict was made: whoever had it in a list is done with it.
  await removeAll(repository, (verdict.index ?? []).map((name) => ({ type: 'index', name })), signal)
  const deleted = new Set(verdict.packs)
  await replaceIndexObjects(repository, await readIndex(repository, signal), deleted, signal)

  const listed = await listPacks(backend, signal)
  const present = verdict.packs.filter((packId) => listed.has(packId))
  for await (const packId of mapOrdered(present, { concurrency: backend.connections, signal }, async (packId) => (await backend.remove({ type: 'packs', name: packId }, { signal }), packId))) {
    tally.deletedPacks++
    tally.deletedBytes += listed.get(packId)!
    onEvent?.({ type: 'deleted', object: `packs/${packId}`, bytes: listed.get(packId)! })
  }
  await tidy(repository, new Set([...verdict.sweep, ...verdict.sweptBefore]), signal)
}

/** Markers and marks of what was swept, sessions that are decided, and ghosts. */
async function tidy(repository: Repository, swept: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<void> {
  const { backend } = repository
  const forgotten = await listObjects(backend, 'forgotten', signal)
  await removeAll(repository, forgotten.filter(({ name }) => swept.has(name)), signal)
  const marks = await listObjects(backend, 'marks', signal)
  await removeAll(repository, marks.filter(({ name }) => swept.has(splitMarkName(name).snapshot)), signal)

  const sessions = await listObjects(backend, 'sessions', signal)
  const registers = new Set((await listObjects(backend, 'snapshots', signal)).map(({ name }) => name))
  await removeAll(repository, sessions.filter(({ name }) => registers.has(name)), signal)
  for (const name of registers) if (swept.has(name)) await removeSnapshot(repository, name, signal)
}

/** Whether there was one to remove. A fence is never removed, whatever sid it stands under. */
async function removeSnapshot(repository: Repository, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  const ref = { type: 'snapshots', name } as const
  try {
    if (looksLikeFence(await loadObject(repository.backend, ref, signal))) return false
  } catch (error) {
    if (isBackupError(error, 'BACKEND_NOT_FOUND')) return false
    // Damaged, and swept all the same.
    if (!isBackupError(error, 'CORRUPT')) throw error
  }
  await repository.backend.remove(ref, { signal })
  return true
}

async function removeAll({ backend }: Repository, refs: readonly ObjectRef[], signal: AbortSignal | undefined): Promise<void> {
  for await (const _ of mapOrdered(refs, { concurrency: backend.connections, signal }, (ref) => backend.remove({ type: ref.type, name: ref.name }, { signal }))) void _
}
