/** What a restore tells: its plan, its problems and its summary, for people and as JSON. */
import { type RestoreEvent, type RestoreResult, textFields } from '../index.ts'
import { display, displayPath } from './display.ts'
import { count, duration, size } from './format.ts'
import type { Output } from './output.ts'
import type { Progress } from './progress.ts'

/** @param target - stands before every path that is told */
export function onRestoreEvent(output: Output, progress: Progress, target: string | Uint8Array): (event: RestoreEvent) => void {
  const folder: Buffer = typeof target === 'string' ? Buffer.from(target) : Buffer.from(target)
  const at = (path: Uint8Array): Uint8Array => (path.length === 0 ? folder : Buffer.concat([folder, Buffer.from(folder.at(-1) === 0x2f ? '' : '/'), path]))
  return (event) => {
    switch (event.type) {
      case 'expectation':
        return progress.expect(event.files, event.bytes)
      case 'file':
        return progress.file(at(event.path))
      case 'done':
        return progress.done()
      case 'bytes':
        return progress.bytes(event.bytes)
      case 'planned':
        if (output.isJson) return output.json({ type: 'planned', action: event.action, ...textFields('path', at(event.path)), bytes: event.bytes })
        return output.result(`${event.action.padEnd(9)} ${displayPath(at(event.path))}${event.bytes > 0 ? ` (${size(event.bytes)})` : ''}`)
      case 'deleted':
        if (output.isJson) return output.json({ type: 'deleted', ...textFields('path', at(event.path)) })
        return output.isVerbose ? output.info(`deleted ${displayPath(at(event.path))}`) : undefined
      case 'warning':
        if (output.isJson) return output.json({ type: 'warning', ...textFields('path', at(event.path)), message: event.message })
        return output.isVerbose ? output.warn(`nacre: ${displayPath(at(event.path))}: ${display(event.message)}`) : undefined
      case 'notice':
        return output.warn(`nacre: ${display(event.message)}`)
      case 'problem': {
        const { path, reason, message } = event.problem
        if (output.isJson) return output.json({ type: 'problem', reason, ...textFields('path', at(path)), message })
        return output.warn(`nacre: ${reason}: ${displayPath(at(path))}: ${display(message)}`)
      }
    }
  }
}

export function restoreSummaryJson(snapshotId: string, result: RestoreResult): unknown {
  return {
    type: 'summary',
    snapshot_id: snapshotId,
    files_restored: result.files,
    overwritten: result.overwritten,
    deleted: result.deleted,
    files_newer: result.newer,
    folders: result.folders,
    others: result.others,
    files_unchanged: result.unchanged,
    files_verified: result.verified,
    bytes_restored: result.bytes,
    bytes_reused: result.bytesReused,
    bytes_fetched: result.bytesFetched,
    warnings: result.warnings,
    problems: result.problems.length,
    duration_s: result.durationMs / 1000,
  }
}

/** The summary for people. */
export function tellRestored(output: Output, id: string, target: string, result: RestoreResult, isDry: boolean): void {
  const verb = isDry ? 'would restore' : 'restored'
  const more = [
    result.overwritten > 0 ? `${result.overwritten} overwritten` : undefined,
    result.deleted > 0 ? `${result.deleted} deleted` : undefined,
    result.unchanged > 0 ? `${count(result.unchanged, 'file')} there already` : undefined,
    result.newer > 0 ? `${result.newer} left, being newer` : undefined,
    result.bytesReused > 0 ? `${size(result.bytesReused)} taken from what stood there` : undefined,
    isDry || result.bytesReused > 0 ? `${size(result.bytesFetched)} ${isDry ? 'to fetch' : 'fetched'}` : undefined,
    result.verified > 0 ? `${count(result.verified, 'file')} read again and right` : undefined,
  ].filter((text) => text !== undefined)
  output.info(`${verb} ${count(result.files, 'file')} (${size(result.bytes)}), ${count(result.folders, 'folder')} and ${count(result.others, 'other')} of snapshot ${id} to ${target} in ${duration(result.durationMs)}${more.map((text) => `, ${text}`).join('')}`)
  if (result.warnings > 0) output.warn(`nacre: the system refused an owner, mode, attribute or time of ${count(result.warnings, 'file')} (-v names them); their bytes are whole`)
  const kept = result.problems.filter(({ reason }) => reason === 'kept').length
  if (kept > 0) output.warn(`nacre: ${count(kept, 'file')} not restored because something else stands there, which was kept (--overwrite and --delete say otherwise)`)
  if (result.problems.length > kept) output.warn(`nacre: ${count(result.problems.length - kept, 'file')} not restored`)
}
