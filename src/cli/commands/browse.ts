import { BackupError, locationText, openBrowseReader, parseLocation } from '../../index.ts'
import type { Command, Context } from '../command.ts'
import { display } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { snapshotPathOf } from '../snapshot-path.ts'
import { threadsOf } from './backup.ts'

export const command: Command = {
  usage: 'browse [SNAPSHOT[:PATH]]',
  summary: 'Shows snapshots, folders and the versions of files in the terminal: look into files, compare versions, mark what is wanted and restore it to another folder. The command that does the same stands at the bottom. "?" lists the keys.',
  example: ['-r /backup/repo browse latest:/home/me', 'look around in what was backed up last'],
  options: {
    threads: { kind: 'text', value: 'N', describe: 'worker threads of a restore; 0 works without any (one per core)' },
    ...FILTERS,
  },
  positionals: [0, 1],
  async run(context) {
    const { args, output, signal } = context
    requireTerminal(context)
    const threads = threadsOf(args)
    const [argument] = args.positionals
    const wanted = argument === undefined ? undefined : snapshotPathOf(argument)
    const { repository, list: { problems }, snapshots, choose } = await openChooser(context)
    for (const problem of problems) output.warn(`nacre: ${display(problem.message)}; "nacre check" tells more`)
    const snapshot = wanted === undefined ? undefined : choose(wanted.snapshot)
    if (snapshots.length === 0) throw new BackupError('SNAPSHOT_NOT_FOUND', 'there is no snapshot to look at, or none that the filters leave; "nacre snapshots" lists them')
    const reader = await openBrowseReader(repository)
    const at = snapshot === undefined ? undefined : { snapshot, way: await reader.way(snapshot, wanted?.path ?? new Uint8Array(0), signal) }
    // Nobody else pays for what only this command needs.
    const { browse, beginning, programWords, filterWords } = await import('../browse/browse.ts')
    const program = programWords(args, shownLocation(context))
    const end = await browse({
      performer: { repository, reader, snapshots, threads },
      begin: (size) => beginning({ snapshots, program, filters: filterWords(args), at }, size),
      signal,
      divert: output.divert,
    })
    return end === 'quit' ? EXIT.done : EXIT.interrupted
  },
}

function requireTerminal({ args }: Context): void {
  if (args.flag('json')) throw new BackupError('INVALID_ARGUMENT', 'browse is for people and prints no JSON; "nacre ls --json", "nacre find --json" and "nacre history --json" do')
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new BackupError('INVALID_ARGUMENT', 'browse needs a terminal for its input and output; without one there are "nacre snapshots", "nacre ls" and "nacre restore"')
  if (process.env['TERM'] === 'dumb') throw new BackupError('INVALID_ARGUMENT', 'browse needs a terminal that can place text, and TERM is "dumb"; there are "nacre snapshots", "nacre ls" and "nacre restore"')
}

/** A folder as it was given; of others nothing secret. */
function shownLocation({ args, location }: Context): string {
  if (args.text('repo') === undefined) return ''
  const place = parseLocation(location())
  return place.kind === 'local' ? location() : locationText(place)
}
