import { availableParallelism, setPriority } from 'node:os'
import { BackupError, backup, type BackupEvent, type BackupResult, loadSnapshots, nowNs, parseTime, resolveSnapshot, shortId, textFields } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { count, duration, grouped, size } from '../format.ts'
import type { Output } from '../output.ts'
import { person } from '../person.ts'
import { type Progress, startProgress } from '../progress.ts'
import { argumentBytes } from '../raw-arguments.ts'

const SHOWN = 20
const LOW_PRIORITY = 10

export const command: Command = {
  usage: 'backup PATH…',
  summary: 'Makes a snapshot of files and folders. Only what the repository does not have yet is stored.',
  example: ['-r /backup/repo backup /home/me --exclude node_modules --tag daily', 'back up a home folder'],
  options: {
    tag: { kind: 'texts', value: 'TAG', describe: 'tag the snapshot (may be repeated; commas part several)' },
    label: { kind: 'text', value: 'LABEL', describe: 'label the snapshot' },
    description: { kind: 'text', value: 'TEXT', describe: 'say what the snapshot is for' },
    host: { kind: 'text', value: 'HOST', describe: 'name of the host, if not this one\'s' },
    time: { kind: 'text', value: 'TIME', describe: 'time of the snapshot, if not now' },
    parent: { kind: 'text', value: 'SNAPSHOT', describe: 'compare with this snapshot, not the last of the same host and paths' },
    force: { kind: 'flag', describe: 'read every file, changed or not' },
    exclude: { kind: 'texts', value: 'PATTERN', describe: 'leave out what a gitignore pattern matches (may be repeated)' },
    compression: { kind: 'text', value: 'LEVEL', describe: 'zstd level from -7 to 19, or off (3)' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
    'verify-upload': { kind: 'text', value: 'all|10%|off', describe: 'how much is opened again before it is stored (all)' },
    'low-priority': { kind: 'flag', describe: 'yield to other programs' },
    'dry-run': { kind: 'flag', describe: 'do everything but store' },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const options = {
      paths: args.positionals.map(argumentBytes),
      tags: args.texts('tag').flatMap((text) => text.split(',')).filter((tag) => tag !== ''),
      label: args.text('label'),
      description: args.text('description'),
      timeNs: args.text('time') === undefined ? undefined : parseTime(args.text('time')!).ns,
      force: args.flag('force'),
      exclude: args.texts('exclude'),
      level: levelOf(args.text('compression')),
      threads: threadsOf(args),
      verifyFraction: fractionOf(args.text('verify-upload')),
      dryRun: args.flag('dry-run'),
    }
    if (args.flag('low-priority')) setPriority(LOW_PRIORITY)
    const repository = await openRepository()
    const parentText = args.text('parent')
    const parent = parentText === undefined ? undefined : resolveSnapshot((await loadSnapshots(repository, { signal })).snapshots, parentText, nowNs())
    const progress = startProgress(output, 'file')
    let result: BackupResult
    try {
      result = await backup(repository, { ...options, parent, person: person(args.text('host')), signal, onEvent: onEvent(output, progress) })
    } finally {
      progress.stop()
    }
    if (output.isJson) output.json(summaryJson(result))
    else tell(output, result, options.dryRun)
    return result.skipped.length > 0 ? EXIT.incomplete : EXIT.done
  },
}

export function threadsOf(args: Arguments): number {
  const text = args.text('threads')
  if (text === undefined) return availableParallelism()
  if (!/^\d{1,3}$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--threads takes a number from 0 to 999, not "${text}"`)
  return Number(text)
}

export function levelOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined
  if (text === 'off') return null
  if (!/^-?\d{1,2}$/.test(text) || Number(text) < -7 || Number(text) > 19) throw new BackupError('INVALID_ARGUMENT', `--compression takes a level from -7 to 19, or off, not "${text}"`)
  return Number(text)
}

function fractionOf(text: string | undefined): number | undefined {
  if (text === undefined || text === 'all') return undefined
  if (text === 'off') return 0
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent === undefined || Number(percent) > 100) throw new BackupError('INVALID_ARGUMENT', `--verify-upload takes all, off or a share such as 10%, not "${text}"`)
  return Number(percent) / 100
}

function onEvent(output: Output, progress: Progress): (event: BackupEvent) => void {
  let shown = 0
  return (event) => {
    switch (event.type) {
      case 'expectation':
        return progress.expect(event.files, event.bytes)
      case 'file':
        return progress.file(event.path)
      case 'bytes':
        progress.done()
        return progress.bytes(event.bytes)
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

function summaryJson(result: BackupResult): unknown {
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
    skipped: result.skipped.length,
    duration_s: result.durationMs / 1000,
  }
}

function tell(output: Output, result: BackupResult, isDry: boolean): void {
  const { summary } = result
  const hidden = result.skipped.length - SHOWN
  if (hidden > 0 && !output.isVerbose) output.warn(`nacre: and ${grouped(hidden)} more (-v shows all)`)
  output.info(`${count(summary.totalFiles, 'file')}, ${size(summary.totalBytes)}: ${grouped(summary.filesNew)} new, ${grouped(summary.filesChanged)} changed, ${grouped(summary.filesUnmodified)} unmodified`)
  output.info(`${isDry ? 'would add' : 'added'} ${size(summary.dataAdded)}, ${size(summary.dataAddedStored)} stored, in ${duration(result.durationMs)}`)
  if (result.skipped.length > 0) output.warn(`nacre: ${count(result.skipped.length, 'file')} could not be saved as ${result.skipped.length === 1 ? 'it was' : 'they were'}`)
  output.result(result.snapshotId === undefined ? 'dry run: nothing was stored' : `snapshot ${shortId(result.snapshotId)} saved${result.parent === undefined ? '' : ` (parent ${shortId(result.parent)})`}`)
}
