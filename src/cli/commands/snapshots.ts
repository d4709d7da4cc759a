import { BackupError, filterSnapshots, formatTime, latestOfEach, shortId, type Snapshot, snapshotJson } from '../../index.ts'
import type { Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { FILTERS, filterOf, openChooser } from '../filters.ts'
import { count, grouped, size, table } from '../format.ts'
import { localTime } from '../local-time.ts'
import { notesText, tagsText } from '../marks-text.ts'

export const command: Command = {
  usage: 'snapshots',
  summary: 'Lists the snapshots, oldest first.',
  example: ['-r /backup/repo snapshots --latest 1', 'list the newest of each host and set of paths'],
  options: {
    ...FILTERS,
    latest: { kind: 'text', value: 'N', describe: 'only the newest N of each host and set of paths' },
    forgotten: { kind: 'flag', describe: 'those that are forgotten and can be brought back by "nacre unforget"' },
  },
  positionals: [0, 0],
  async run(context) {
    const { args, output } = context
    const latest = args.text('latest')
    if (latest !== undefined && !/^[1-9]\d{0,8}$/.test(latest)) throw new BackupError('INVALID_ARGUMENT', `--latest takes a number from 1 on, not "${latest}"`)
    const isForgotten = args.flag('forgotten')
    const { list, snapshots } = await openChooser(context)
    const all = isForgotten ? list.forgotten : list.snapshots
    const matching = isForgotten ? filterSnapshots(list.forgotten, filterOf(args)) : snapshots
    const shown = latest === undefined ? matching : latestOfEach(matching, Number(latest))
    for (const { message } of [...list.problems, ...list.markerProblems]) output.warn(`nacre: ${display(message)}; "nacre check" tells more`)
    if (output.isJson) output.json(shown.map(snapshotJson))
    else if (shown.length === 0) output.info(all.length > 0 ? 'no snapshot fits the filters' : isForgotten ? 'no snapshot is forgotten' : 'there is no snapshot yet')
    else {
      output.result(tableOf(shown, isForgotten))
      output.info(count(shown.length, 'snapshot'))
    }
    return list.problems.length > 0 ? EXIT.failed : EXIT.done
  },
}

function tableOf(shown: readonly Snapshot[], isForgotten: boolean): string {
  const hasNotes = shown.some((snapshot) => notesText(snapshot) !== '')
  const hasDescription = shown.some(({ description }) => description !== '')
  const head = ['id', 'time', 'host', 'tags', ...(hasNotes ? ['notes'] : []), 'files', 'size', ...(isForgotten ? ['forgotten'] : []), 'paths', ...(hasDescription ? ['description'] : [])]
  return table(head, shown.map((snapshot) => [
    ...row(snapshot, hasNotes),
    ...(snapshot.forgotten === undefined ? [] : [`${localTime(snapshot.forgotten.timeNs)} by ${display(snapshot.forgotten.user)}@${display(snapshot.forgotten.host)}`]),
    snapshot.paths.map(displayPath).join(' '),
    ...(hasDescription ? [display(snapshot.description)] : []),
  ]))
}

function row(snapshot: Snapshot, hasNotes: boolean): string[] {
  return [
    shortId(snapshot.id),
    formatTime(snapshot.startNs, snapshot.zoneMinutes).slice(0, 19).replace('T', ' '),
    display(snapshot.host),
    display(tagsText(snapshot)),
    ...(hasNotes ? [notesText(snapshot)] : []),
    grouped(snapshot.summary.totalFiles),
    size(snapshot.summary.totalBytes),
  ]
}
