import { BackupError, restore, type RestoreEvent, type RestoreResult, shortId, textFields } from '../../index.ts'
import type { Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count, duration, size } from '../format.ts'
import type { Output } from '../output.ts'
import { type Progress, startProgress } from '../progress.ts'
import { snapshotPathOf } from '../snapshot-path.ts'
import { threadsOf } from './backup.ts'

export const command: Command = {
  usage: 'restore SNAPSHOT[:PATH] --target DIR',
  summary: 'Writes a snapshot below a folder, under its absolute paths; of SNAPSHOT:FOLDER what is in the folder, of SNAPSHOT:FILE the file. What stands there already is never overwritten.',
  example: ['-r /backup/repo restore latest:/home/me/letters --target /tmp/letters', 'bring a folder back'],
  options: {
    target: { kind: 'text', value: 'DIR', describe: 'folder to write to; made where it is missing' },
    include: { kind: 'texts', value: 'PATTERN', describe: 'only what a gitignore pattern matches (may be repeated)' },
    exclude: { kind: 'texts', value: 'PATTERN', describe: 'all but what a gitignore pattern matches (may be repeated)' },
    'dry-run': { kind: 'flag', describe: 'say what would be done' },
    verify: { kind: 'flag', describe: 'read every file again afterwards and compare' },
    'numeric-ids': { kind: 'flag', describe: 'give owners by number, whatever names the snapshot has for them' },
    sparse: { kind: 'flag', describe: 'make holes of all blocks of zeros, not only where the source had them' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
    ...FILTERS,
  },
  positionals: [1, 1],
  outlivesReader: true,
  async run(context) {
    const { args, output, signal } = context
    const target = args.path('target')
    if (target === undefined || target.length === 0) {
      throw new BackupError('INVALID_ARGUMENT', `where to? name a folder with --target\nusage: nacre ${this.usage}`)
    }
    const { snapshot: text, path } = snapshotPathOf(args.positionals[0]!)
    const threads = threadsOf(args)
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(text)
    const progress = startProgress(output, 'file')
    const isDry = args.flag('dry-run')
    let result: RestoreResult
    try {
      result = await restore(repository, {
        snapshot, path, target, include: args.texts('include'), exclude: args.texts('exclude'),
        dryRun: isDry, verify: args.flag('verify'), sparse: args.flag('sparse'), numericIds: args.flag('numeric-ids'), threads, signal, onEvent: onEvent(output, progress, target),
      })
    } finally {
      progress.stop()
    }
    if (args.texts('include').length > 0 && isNothing(result)) throw new BackupError('NOTHING_SELECTED', `nothing in snapshot ${shortId(snapshot.id)} is matched by --include and left by --exclude, so nothing was restored; "nacre ls --recursive" shows what is in it`)
    if (output.isJson) output.json(summaryJson(snapshot.id, result))
    else tell(output, shortId(snapshot.id), typeof target === 'string' ? display(target) : displayPath(target), result, isDry)
    return result.problems.length > 0 ? EXIT.incomplete : EXIT.done
  },
}

function isNothing({ files, folders, others, unchanged, problems }: RestoreResult): boolean {
  return files + folders + others + unchanged + problems.length === 0
}

function onEvent(output: Output, progress: Progress, target: string | Uint8Array): (event: RestoreEvent) => void {
  const shown = typeof target === 'string' ? display(target) : displayPath(target)
  return (event) => {
    switch (event.type) {
      case 'expectation':
        return progress.expect(event.files, event.bytes)
      case 'file':
        return progress.file(event.path)
      case 'done':
        return progress.done()
      case 'bytes':
        return progress.bytes(event.bytes)
      case 'planned':
        if (output.isJson) return output.json({ type: 'planned', action: event.action, ...textFields('path', event.path), bytes: event.bytes })
        return output.result(`${event.action.padEnd(6)} ${shown.replace(/\/+$/, '')}/${displayPath(event.path)}`)
      case 'warning':
        if (output.isJson) return output.json({ type: 'warning', ...textFields('path', event.path), message: event.message })
        return output.isVerbose ? output.warn(`nacre: ${displayPath(event.path)}: ${display(event.message)}`) : undefined
      case 'notice':
        return output.warn(`nacre: ${display(event.message)}`)
      case 'problem': {
        const { path, reason, message } = event.problem
        if (output.isJson) return output.json({ type: 'problem', reason, ...textFields('path', path), message })
        return output.warn(`nacre: ${reason}: ${displayPath(path)}: ${display(message)}`)
      }
    }
  }
}

function summaryJson(snapshotId: string, result: RestoreResult): unknown {
  return {
    type: 'summary',
    snapshot_id: snapshotId,
    files_restored: result.files,
    folders: result.folders,
    others: result.others,
    files_unchanged: result.unchanged,
    files_verified: result.verified,
    bytes_restored: result.bytes,
    warnings: result.warnings,
    problems: result.problems.length,
    duration_s: result.durationMs / 1000,
  }
}

function tell(output: Output, id: string, target: string, result: RestoreResult, isDry: boolean): void {
  const verb = isDry ? 'would restore' : 'restored'
  const same = result.unchanged > 0 ? `, ${count(result.unchanged, 'file')} there already` : ''
  const verified = result.verified > 0 ? `, ${count(result.verified, 'file')} read again and right` : ''
  output.info(`${verb} ${count(result.files, 'file')} (${size(result.bytes)}), ${count(result.folders, 'folder')} and ${count(result.others, 'other')} of snapshot ${id} to ${target} in ${duration(result.durationMs)}${same}${verified}`)
  if (result.warnings > 0) output.warn(`nacre: the system refused an owner, mode, attribute or time of ${count(result.warnings, 'file')} (-v names them); their bytes are whole`)
  if (result.problems.length > 0) output.warn(`nacre: ${count(result.problems.length, 'file')} not restored`)
}
