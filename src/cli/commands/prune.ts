import { BackupError, type MaxUnused, type PruneOptions } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { durationOf } from '../duration-option.ts'
import { parseSize } from '../format.ts'
import { LOST, lostOf } from '../lost-option.ts'
import { person } from '../person.ts'
import { runPrune } from '../prune-output.ts'
import { threadsOf } from './backup.ts'

export const command: Command = {
  usage: 'prune',
  summary: 'Frees what no snapshot uses. Backups go on meanwhile, here and on other machines; a prune that was interrupted is finished by the next one.',
  example: ['-r /backup/repo prune --dry-run', 'tell what would be freed'],
  options: {
    'dry-run': { kind: 'flag', describe: 'tell what would be done, and do nothing' },
    'max-unused': { kind: 'text', value: '5%|SIZE|unlimited', describe: 'how much unused data may stay in packs that are in use (5%)' },
    'max-repack': { kind: 'text', value: 'SIZE', describe: 'write packs of so many bytes anew at most' },
    'repack-small': { kind: 'flag', describe: 'put small packs together' },
    'keep-recoverable': { kind: 'text', value: '7d', describe: 'keep snapshots that were forgotten less than this ago' },
    'fence-after': { kind: 'text', value: '24h', describe: 'take a session that has been open this long for dead (24h)' },
    fence: { kind: 'flag', describe: 'fence every open session at once; a backup that is alive begins again by itself' },
    exclusive: { kind: 'flag', describe: 'nobody else uses the repository now: for storage that cannot be pruned otherwise' },
    ...LOST,
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [0, 0],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const options = optionsOf(args)
    return runPrune(await openRepository(), output, { ...options, signal })
  },
}

function optionsOf(args: Arguments): PruneOptions {
  const maxRepack = args.text('max-repack')
  const maxRepackBytes = maxRepack === undefined ? undefined : parseSize(maxRepack)
  if (maxRepack !== undefined && maxRepackBytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--max-repack takes a size such as 2G, not "${maxRepack}"`)
  return {
    person: person(),
    threads: threadsOf(args),
    dryRun: args.flag('dry-run'),
    exclusive: args.flag('exclusive'),
    maxUnused: maxUnusedOf(args.text('max-unused')),
    maxRepackBytes,
    repackSmall: args.flag('repack-small'),
    keepRecoverableMs: durationOf(args, 'keep-recoverable', '7d'),
    fenceAfterMs: durationOf(args, 'fence-after', '24h'),
    fence: args.flag('fence'),
    lost: lostOf(args),
  }
}

function maxUnusedOf(text: string | undefined): MaxUnused | undefined {
  if (text === undefined) return undefined
  if (text === 'unlimited') return { kind: 'unlimited' }
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent !== undefined && Number(percent) <= 100) return { kind: 'percent', percent: Number(percent) }
  const bytes = parseSize(text)
  if (bytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--max-unused takes a share (5%), a size (500M) or unlimited, not "${text}"`)
  return { kind: 'bytes', bytes }
}
