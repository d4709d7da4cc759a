/** A restore as a command runs it: what it tells meanwhile, and what came of it. */
import { BackupError, type Repository, restore, type RestoreOptions, type RestoreResult, shortId } from '../index.ts'
import { display, displayPath } from './display.ts'
import type { Output } from './output.ts'
import { startProgress } from './progress.ts'
import { onRestoreEvent, restoreSummaryJson, tellRestored } from './restore-output.ts'

/** @throws {BackupError} what `restore` does; NOTHING_SELECTED - the patterns leave nothing */
export async function runRestore(repository: Repository, output: Output, options: RestoreOptions): Promise<RestoreResult> {
  const { snapshot, target } = options
  const progress = startProgress(output, 'file')
  let result: RestoreResult
  try {
    result = await restore(repository, { ...options, onEvent: onRestoreEvent(output, progress, target) })
  } finally {
    progress.stop()
  }
  if ((options.include?.length ?? 0) > 0 && isNothing(result)) throw new BackupError('NOTHING_SELECTED', `nothing in snapshot ${shortId(snapshot.id)} is matched by --include and left by --exclude, so nothing was restored; "nacre ls --recursive" shows what is in it`)
  if (output.isJson) output.json(restoreSummaryJson(snapshot.id, result))
  else tellRestored(output, shortId(snapshot.id), shownTarget(target), result, options.dryRun === true)
  return result
}

export function shownTarget(target: string | Uint8Array): string {
  return typeof target === 'string' ? display(target) : displayPath(target)
}

function isNothing({ files, folders, others, unchanged, problems, deleted, newer }: RestoreResult): boolean {
  return files + folders + others + unchanged + problems.length + deleted + newer === 0
}
