import { BackupError, repairFiles, repairIndex, repairPacks, repairSnapshots, type RepairOptions } from '../../index.ts'
import type { Command, Context } from '../command.ts'
import { openChooser } from '../filters.ts'
import { person } from '../person.ts'
import { repairProgress, tellFiles, tellIndex, tellPacks, tellSnapshots } from '../repair-output.ts'
import { suggestion } from '../suggest.ts'
import { threadsOf } from './backup.ts'

const KINDS = ['index', 'packs', 'snapshots', 'files']

export const command: Command = {
  usage: 'repair index|packs|snapshots|files [ID…]',
  summary:
    'Mends what "nacre check" finds. index: states again what packs say they hold, in place of index objects that are damaged or gone. packs: writes what still opens in damaged packs to new ones. files: reads the files given by --from and stores again what of them was lost. snapshots: makes new snapshots without the files that are lost, which say so; the old ones stay unless --forget. It shows what it would do, and does it with --apply. It deletes nothing: what is spare goes with the next prune.',
  example: ['-r /backup/repo repair files --from /home/me --apply', 'store again what was lost of files that are still there'],
  options: {
    apply: { kind: 'flag', describe: 'do it' },
    from: { kind: 'texts', value: 'PATH', describe: 'with files: read this file or folder, where it was or a copy elsewhere (may be repeated)' },
    forget: { kind: 'flag', describe: 'with snapshots: forget the old ones' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
  outlivesReader: true,
  async run(context) {
    const { args } = context
    const [kind = '', ...ids] = args.positionals
    if (!KINDS.includes(kind)) throw usage(`there is no repair of "${kind}"${suggestion(kind, KINDS)}`)
    if (args.flag('forget') && kind !== 'snapshots') throw usage('--forget belongs to "repair snapshots"')
    if ((args.paths('from').length > 0) !== (kind === 'files')) throw usage(kind === 'files' ? 'which files are to be read? give --from PATH' : '--from belongs to "repair files"')
    if (ids.length > 0 && (kind === 'index' || kind === 'files')) throw usage(`"repair ${kind}" takes no ids, and "${ids[0]}" is one argument too many`)
    return repair(context, kind, ids)
  },
}

function usage(message: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `${message}\nusage: nacre ${command.usage}`)
}

async function repair(context: Context, kind: string, ids: readonly string[]): Promise<number> {
  const { args, output, signal } = context
  const apply = args.flag('apply')
  const base: RepairOptions = { person: person(), threads: threadsOf(args), apply, signal }
  const { repository, choose } = await openChooser(context, {}, false)
  const snapshots = kind === 'snapshots' && ids.length > 0 ? ids.map(choose) : undefined
  const progress = repairProgress(output, kind === 'files' ? 'file' : 'object')
  const options = { ...base, onEvent: progress.onEvent }
  try {
    if (kind === 'index') return tellIndex(output, await repairIndex(repository, options), apply, progress.stop)
    if (kind === 'packs') return tellPacks(output, await repairPacks(repository, { ...options, packs: ids }), apply, progress.stop)
    if (kind === 'files') return tellFiles(output, await repairFiles(repository, { ...options, from: args.paths('from') }), apply, progress.stop)
    return tellSnapshots(output, await repairSnapshots(repository, { ...options, snapshots, forget: args.flag('forget') }), apply, progress.stop)
  } finally {
    progress.stop()
  }
}
