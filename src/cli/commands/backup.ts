import { availableParallelism, setPriority } from 'node:os'
import { BackupError, backup, type BackupResult, loadSnapshots, nowNs, resolveSnapshot } from '../../index.ts'
import { onEvent, summaryJson, tell } from '../backup-output.ts'
import type { Arguments, Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { timeOf } from '../filters.ts'
import { excludedCounts } from '../excluded.ts'
import { person } from '../person.ts'
import { startProgress } from '../progress.ts'
import { FILTER_OPTIONS, filterOf } from '../backup-filter.ts'
import { SOURCE_OPTIONS, sourcesOf } from '../backup-sources.ts'

const LOW_PRIORITY = 10

export const command: Command = {
  usage: 'backup [PATH…]',
  summary: 'Makes a snapshot of files and folders. Only what the repository does not have yet is stored.',
  example: ['-r /backup/repo backup /home/me --exclude node_modules --tag daily', 'back up a home folder'],
  options: {
    tag: { kind: 'texts', value: 'TAG', describe: 'tag the snapshot (may be repeated; commas part several)' },
    label: { kind: 'text', value: 'LABEL', describe: 'label the snapshot' },
    description: { kind: 'text', value: 'TEXT', describe: 'say what the snapshot is for' },
    'keep-until': { kind: 'text', value: 'DATE', describe: 'pin the snapshot: forget keeps it until then' },
    host: { kind: 'text', value: 'HOST', describe: 'name of the host, if not this one\'s' },
    time: { kind: 'text', value: 'TIME', describe: 'time of the snapshot, if not now' },
    parent: { kind: 'text', value: 'SNAPSHOT', describe: 'compare with this snapshot, not the last of the same host and paths' },
    force: { kind: 'flag', describe: 'read every file, changed or not' },
    ...FILTER_OPTIONS,
    'allow-empty': { kind: 'flag', describe: 'make a snapshot also where all is left out' },
    ...SOURCE_OPTIONS,
    'skip-if-unchanged': { kind: 'flag', describe: 'make no snapshot where nothing has changed since the parent' },
    'ignore-inode': { kind: 'flag', describe: 'take no file for changed because it has another inode' },
    'ignore-ctime': { kind: 'flag', describe: 'take no file for changed because its ctime is another' },
    'with-atime': { kind: 'flag', describe: 'save the times of the last access' },
    compression: { kind: 'text', value: 'LEVEL', describe: 'zstd level from -7 to 19, or off (2)' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
    'verify-upload': { kind: 'text', value: 'all|10%|off', describe: 'how much is opened again before it is stored (all)' },
    'low-priority': { kind: 'flag', describe: 'yield to other programs' },
    'dry-run': { kind: 'flag', describe: 'do everything but store' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const options = {
      ...(await sourcesOf(args, signal)),
      filter: await filterOf(args, signal),
      allowEmpty: args.flag('allow-empty'),
      skipIfUnchanged: args.flag('skip-if-unchanged'),
      ignoreInode: args.flag('ignore-inode'),
      ignoreCtime: args.flag('ignore-ctime'),
      withAtime: args.flag('with-atime'),
      tags: args.texts('tag').flatMap((text) => text.split(',')).filter((tag) => tag !== ''),
      label: args.text('label'),
      description: args.text('description'),
      keepUntilNs: timeOf(args, 'keep-until'),
      timeNs: timeOf(args, 'time'),
      force: args.flag('force'),
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
    const excluded = excludedCounts(output)
    let result: BackupResult
    try {
      result = await backup(repository, { ...options, parent, person: person(args.text('host')), signal, onEvent: onEvent(output, progress, excluded) })
    } finally {
      progress.stop()
    }
    if (output.isJson) output.json(summaryJson(result))
    else tell(output, result, options.dryRun, excluded)
    return result.skippedCount > 0 ? EXIT.incomplete : EXIT.done
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
