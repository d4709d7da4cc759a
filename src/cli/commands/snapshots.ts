import { BackupError, filterSnapshots, formatTime, latestOfEach, loadSnapshots, shortId, type Snapshot, snapshotJson } from '../../index.ts'
import type { Arguments, Command, OptionSpec } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { count, grouped, size, table } from '../format.ts'

export const FILTERS: Readonly<Record<string, OptionSpec>> = {
  host: { kind: 'texts', value: 'HOST', describe: 'only of this host (may be repeated: any of them)' },
  tag: { kind: 'texts', value: 'TAG[,TAG]', describe: 'only with these tags (repeated: or; with commas: and)' },
  label: { kind: 'texts', value: 'LABEL', describe: 'only with this label' },
  path: { kind: 'texts', value: 'PATH', describe: 'only of this path (repeated: all of them)' },
}

export function filtered(snapshots: readonly Snapshot[], args: Arguments): Snapshot[] {
  return filterSnapshots(snapshots, { hosts: args.texts('host'), tags: args.texts('tag'), labels: args.texts('label'), paths: args.paths('path') })
}

export const command: Command = {
  usage: 'snapshots',
  summary: 'Lists the snapshots, oldest first.',
  example: ['-r /backup/repo snapshots --latest 1', 'list the newest of each host and set of paths'],
  options: { ...FILTERS, latest: { kind: 'text', value: 'N', describe: 'only the newest N of each host and set of paths' } },
  positionals: [0, 0],
  async run({ args, output, signal, openRepository }) {
    const latest = args.text('latest')
    if (latest !== undefined && !/^[1-9]\d{0,8}$/.test(latest)) throw new BackupError('INVALID_ARGUMENT', `--latest takes a number from 1 on, not "${latest}"`)
    const { snapshots, problems } = await loadSnapshots(await openRepository(), { signal })
    const matching = filtered(snapshots, args)
    const shown = latest === undefined ? matching : latestOfEach(matching, Number(latest))
    for (const problem of problems) output.warn(`nacre: ${display(problem.message)}; "nacre check" tells more`)
    if (output.isJson) output.json(shown.map(snapshotJson))
    else if (shown.length === 0) output.info(snapshots.length === 0 ? 'there is no snapshot yet' : 'no snapshot fits the filters')
    else {
      output.result(table(['id', 'time', 'host', 'tags', 'files', 'size', 'paths'], shown.map(row)))
      output.info(count(shown.length, 'snapshot'))
    }
    return problems.length > 0 ? EXIT.failed : EXIT.done
  },
}

function row(snapshot: Snapshot): string[] {
  const marks = [...snapshot.tags, ...(snapshot.label === '' ? [] : [`[${snapshot.label}]`]), ...(snapshot.skippedCount > 0 ? ['(incomplete)'] : [])]
  return [
    shortId(snapshot.id),
    formatTime(snapshot.startNs, snapshot.zoneMinutes).slice(0, 19).replace('T', ' '),
    display(snapshot.host),
    display(marks.join(',')),
    grouped(snapshot.summary.totalFiles),
    size(snapshot.summary.totalBytes),
    snapshot.paths.map(displayPath).join(' '),
  ]
}
