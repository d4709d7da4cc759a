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
import { removeUnlessLocked, standingLocks } from './locks.ts'
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
  // What was used of these is elsewhere; a lock keeps them, and a later prune finds them.
  const locks = await standingLocks(repository, 'packs', present, signal)
  const removePack = async (packId: string): Promise<{ packId: string; isRemoved: boolean }> => ({ packId, isRemoved: !locks.has(packId) && (await removeUnlessLocked(repository, { type: 'packs', name: packId }, signal)) })
  for await (const { packId, isRemoved } of mapOrdered(present, { concurrency: backend.connections, signal }, removePack)) {
    const bytes = listed.get(packId)!
    if (isRemoved) {
      tally.deletedPacks++
      tally.deletedBytes += bytes
      onEvent?.({ type: 'deleted', object: `packs/${packId}`, bytes })
    } else {
      tally.lockedPacks++
      tally.lockedBytes += bytes
      onEvent?.({ type: 'locked', object: `packs/${packId}`, bytes, untilMs: locks.get(packId)?.untilMs })
    }
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
  // One that a lock keeps is a ghost from now on, and goes with a later generation.
  return removeUnlessLocked(repository, ref, signal)
}

async function removeAll(repository: Repository, refs: readonly ObjectRef[], signal: AbortSignal | undefined): Promise<void> {
  for await (const _ of mapOrdered(refs, { concurrency: repository.backend.connections, signal }, (ref) => removeUnlessLocked(repository, ref, signal))) void _
}
