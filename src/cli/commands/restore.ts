import { BackupError, type Deletion, type Overwrite } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count } from '../format.ts'
import { askYes } from '../prompt.ts'
import { runRestore, shownTarget } from '../restore-run.ts'
import { snapshotPathOf } from '../snapshot-path.ts'
import { threadsOf } from './backup.ts'

export const command: Command = {
  usage: 'restore SNAPSHOT[:PATH] --target DIR',
  summary: 'Writes a snapshot below a folder, under its absolute paths; of SNAPSHOT:FOLDER what is in the folder, of SNAPSHOT:FILE the file. What stands there already is kept, unless --overwrite or --delete say otherwise.',
  example: ['-r /backup/repo restore latest:/home/me/letters --target /tmp/letters', 'bring a folder back'],
  options: {
    target: { kind: 'text', value: 'DIR', describe: 'folder to write to; made where it is missing' },
    include: { kind: 'texts', value: 'PATTERN', describe: 'only what a gitignore pattern matches (may be repeated)' },
    exclude: { kind: 'texts', value: 'PATTERN', describe: 'all but what a gitignore pattern matches (may be repeated)' },
    overwrite: { kind: 'text', value: 'always|if-changed|if-newer|never', describe: 'what becomes of a file that differs: all are compared, those whose size or time differ, those that are older than the snapshot\'s, or none is overwritten (never)' },
    'in-place': { kind: 'flag', describe: 'write what differs into the file itself, not into a copy: no room is needed, but an interruption leaves a mixture' },
    delete: { kind: 'flag', describe: 'delete what stands in the restored folders and not in the snapshot; what the patterns leave out stays' },
    yes: { kind: 'flag', alias: 'y', describe: 'delete without asking' },
    'delete-in-home-or-root': { kind: 'flag', describe: 'let --delete work in your home folder, or one above it' },
    'strip-components': { kind: 'text', value: 'N', describe: 'take N folders off the beginning of each path' },
    'no-devices': { kind: 'flag', describe: 'pass over devices' },
    'no-xattrs': { kind: 'flag', describe: 'set no extended attributes, nor ACLs' },
    'dry-run': { kind: 'flag', describe: 'say what would be done, and how much would be fetched' },
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
    const overwrite = overwriteOf(args)
    const stripComponents = countOf(args, 'strip-components')
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(text)
    const result = await runRestore(repository, output, {
      snapshot, path, target, include: args.texts('include'), exclude: args.texts('exclude'),
      overwrite, inPlace: args.flag('in-place'), delete: args.flag('delete'), deleteInHomeOrRoot: args.flag('delete-in-home-or-root'),
      confirmDelete: args.flag('yes') ? undefined : (deletion) => askDelete(deletion, shownTarget(target), signal),
      stripComponents, noDevices: args.flag('no-devices'), noXattrs: args.flag('no-xattrs'),
      dryRun: args.flag('dry-run'), verify: args.flag('verify'), sparse: args.flag('sparse'), numericIds: args.flag('numeric-ids'), threads, signal,
    })
    return result.problems.length > 0 ? EXIT.incomplete : EXIT.done
  },
}

const OVERWRITE = ['always', 'if-changed', 'if-newer', 'never'] as const

function overwriteOf(args: Arguments): Overwrite {
  const text = args.text('overwrite') ?? 'never'
  const found = OVERWRITE.find((mode) => mode === text)
  if (found === undefined) throw new BackupError('INVALID_ARGUMENT', `--overwrite is ${OVERWRITE.slice(0, -1).join(', ')} or never, not ${text}`)
  return found
}

function countOf(args: Arguments, name: string): number {
  const text = args.text(name) ?? '0'
  if (!/^\d{1,4}$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--${name} is a number of folders, not ${text}`)
  return Number(text)
}

async function askDelete({ files, folders }: Deletion, target: string, signal: AbortSignal): Promise<boolean> {
  const answer = await askYes(`Delete ${count(files, 'file')} and ${count(folders, 'folder')} below ${target} that the snapshot does not have?`, signal)
  if (answer === undefined) throw new BackupError('INVALID_ARGUMENT', `--delete would take away ${count(files, 'file')} and ${count(folders, 'folder')} below ${target}, and there is no terminal to ask at: --dry-run shows them, --yes deletes them`)
  return answer
}
