/** What a backup tells while it runs and when it is done. */
import { type BackupEvent, type BackupResult, shortId, textFields } from '../index.ts'
import { display, displayPath } from './display.ts'
import type { ExcludedCounts } from './excluded.ts'
import { count, duration, grouped, size } from './format.ts'
import type { Output } from './output.ts'
import type { Progress } from './progress.ts'

const SHOWN = 20

export function onEvent(output: Output, progress: Progress, excluded: ExcludedCounts): (event: BackupEvent) => void {
  let shown = 0
  return (event) => {
    switch (event.type) {
      case 'expectation':
        return progress.expect(event.files, event.bytes)
      case 'file':
        return progress.file(event.path)
      case 'bytes':
        return progress.bytes(event.bytes)
      case 'done':
        return progress.done(event.files)
      case 'excluded':
        return excluded.take(event.path, event.taken)
      case 'kept':
        return tellKept(output, event.bytes, 'backup')
      case 'notice':
        return output.warn(`nacre: ${display(event.message)}`)
      case 'skipped': {
        const { path, reason, message } = event.skipped
        if (output.isJson) return output.json({ type: 'skipped', ...textFields('path', path), reason, message })
        if (++shown <= SHOWN || output.isVerbose) output.warn(`nacre: ${reason}: ${displayPath(path)}: ${display(message)}`)
      }
    }
  }
}

/** Said once it is so: what was stored is indexed, and whoever stores the same refers to it. */
export function tellKept(output: Output, bytes: number, work: string): void {
  if (output.isJson) output.json({ type: 'kept', bytes })
  else output.warn(`nacre: ${size(bytes)} that were stored so far are kept, and the next ${work} uses them`)
}

export function summaryJson(result: BackupResult): unknown {
  const { summary } = result
  return {
    type: 'summary',
    snapshot_id: result.snapshotId ?? null,
    parent: result.parent ?? null,
    files_new: summary.filesNew,
    files_changed: summary.filesChanged,
    files_unmodified: summary.filesUnmodified,
    data_added: summary.dataAdded,
    data_added_stored: summary.dataAddedStored,
    total_files: summary.totalFiles,
    total_bytes: summary.totalBytes,
    skipped: result.skippedCount,
    excluded: result.excluded,
    files_resumed: result.filesResumed,
    unchanged: result.isUnchanged,
    duration_s: result.durationMs / 1000,
  }
}

export function tell(output: Output, result: BackupResult, isDry: boolean, excluded: ExcludedCounts): void {
  excluded.tell()
  const { summary } = result
  const hidden = result.skippedCount - SHOWN
  if (hidden > 0 && !output.isVerbose) output.warn(`nacre: and ${grouped(hidden)} more (-v shows all)`)
  output.info(`${count(summary.totalFiles, 'file')}, ${size(summary.totalBytes)}: ${grouped(summary.filesNew)} new, ${grouped(summary.filesChanged)} changed, ${grouped(summary.filesUnmodified)} unmodified`)
  output.info(`${isDry ? 'would add' : 'added'} ${size(summary.dataAdded)}, ${size(summary.dataAddedStored)} stored, in ${duration(result.durationMs)}`)
  if (result.skippedCount > 0) output.warn(`nacre: ${count(result.skippedCount, 'file')} could not be saved as ${result.skippedCount === 1 ? 'it was' : 'they were'}`)
  if (result.filesResumed > 0) output.info(`${count(result.filesResumed, 'file')} of an interrupted backup ${result.filesResumed === 1 ? 'was' : 'were'} not read again`)
  output.result(result.isUnchanged ? `nothing has changed since snapshot ${shortId(result.parent ?? '')}: no snapshot was made` : result.snapshotId === undefined ? 'dry run: nothing was stored' : `snapshot ${shortId(result.snapshotId)} saved${result.parent === undefined ? '' : ` (parent ${shortId(result.parent)})`}`)
}
