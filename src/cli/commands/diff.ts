import { BackupError, type Change, type Difference, diffLive, type DiffRecord, diffSnapshots, nodeJson, textFields } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count } from '../format.ts'
import type { Output } from '../output.ts'
import { argumentBytes } from '../raw-arguments.ts'
import { snapshotPathOf } from '../snapshot-path.ts'

export const command: Command = {
  usage: 'diff SNAPSHOT[:PATH] SNAPSHOT[:PATH]|PATH',
  summary: 'Tells what differs between two snapshots, or between a snapshot and files as they are now: a second argument with a "/" in it, or ".", is a path. Lines begin with + (added), - (removed), M (other content), T (other type) or U (other mode, owner, time or attributes).',
  example: ['-r /backup/repo diff latest~1 latest', 'what has the last backup found new or changed'],
  options: {
    content: { kind: 'flag', describe: 'read every live file, also where size and time are as in the snapshot: finds bytes that changed by themselves' },
    exclude: { kind: 'texts', value: 'PATTERN', describe: 'leave out live files that a gitignore pattern matches (may be repeated)' },
    'folder-times': { kind: 'flag', describe: 'report folders of which only the time differs, too' },
    ...FILTERS,
  },
  positionals: [2, 2],
  async run(context) {
    const { args, output, signal } = context
    const [first, second] = [args.positionals[0]!, args.positionals[1]!]
    const before = snapshotPathOf(first)
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(before.snapshot)
    const shared = { signal, folderTimes: args.flag('folder-times') }
    if (isLivePath(second)) {
      const options = { ...shared, content: args.flag('content'), exclude: args.texts('exclude') }
      return tell(output, diffLive(repository, snapshot, before.path, argumentBytes(second), options))
    }
    requireNoLiveOptions(args)
    const after = snapshotPathOf(second)
    return tell(output, diffSnapshots(repository, { snapshot, path: before.path }, { snapshot: choose(after.snapshot), path: after.path ?? before.path }, shared))
  },
}

/** `latest:/home` is a snapshot's; `./latest:/home` is a file's. */
function isLivePath(argument: string): boolean {
  const colon = argument.indexOf(':')
  const slash = argument.indexOf('/')
  if (argument === '.' || argument === '..') return true
  return slash !== -1 && (colon === -1 || slash < colon)
}

function requireNoLiveOptions(args: Arguments): void {
  for (const name of ['content', 'exclude']) {
    if (args.flag(name) || args.texts(name).length > 0) throw new BackupError('INVALID_ARGUMENT', `--${name} is for comparing with files: the second argument is no path (a "/" in it makes it one)`)
  }
}

const LETTER: Readonly<Record<Change, string>> = { added: '+', removed: '-', content: 'M', type: 'T', metadata: 'U' }

async function tell(output: Output, records: AsyncIterable<DiffRecord>): Promise<number> {
  const counts: Record<Change, number> = { added: 0, removed: 0, content: 0, type: 0, metadata: 0 }
  let silent = 0
  let problems = 0
  for await (const record of records) {
    if (record.kind === 'problem') {
      problems++
      if (output.isJson) output.json({ type: 'problem', ...textFields('path', record.path), message: record.message })
      else output.warn(`nacre: ${displayPath(record.path)} cannot be compared: ${display(record.message)}`)
      continue
    }
    counts[record.change]++
    if (record.isSilent) silent++
    if (output.isJson) output.json(differenceJson(record))
    else output.result(`${LETTER[record.change]} ${displayPath(record.path)}${record.isSilent ? '  (its bytes changed while size and time did not)' : ''}`)
  }
  if (output.isJson) output.json({ type: 'summary', added: counts.added, removed: counts.removed, content_changed: counts.content, type_changed: counts.type, metadata_changed: counts.metadata, silent, problems })
  else output.info(`${count(counts.added, 'path')} added, ${counts.removed} removed; ${counts.content} with other content, ${counts.type} of another type, ${counts.metadata} with other metadata`)
  if (silent > 0) output.warn(`nacre: ${count(silent, 'file')} changed without a trace: compare with the snapshot, and doubt the disk`)
  return problems > 0 ? EXIT.incomplete : EXIT.done
}

function differenceJson({ change, path, before, after, fields, isSilent }: Difference): unknown {
  return {
    type: 'difference',
    change,
    ...textFields('path', path),
    fields,
    ...(isSilent ? { silent: true } : {}),
    before: before === undefined ? null : nodeJson(before),
    after: after === undefined ? null : nodeJson(after),
  }
}
