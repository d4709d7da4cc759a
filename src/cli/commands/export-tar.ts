import { BackupError, dumpTree, shortId } from '../../index.ts'
import type { Command } from '../command.ts'
import { displayPath } from '../display.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count, size } from '../format.ts'
import { argumentBytes } from '../raw-arguments.ts'
import { snapshotPathOf } from '../snapshot-path.ts'
import { writeToFile, writeToStdout } from '../write-stream.ts'

export const command: Command = {
  usage: 'export-tar SNAPSHOT[:PATH] FILE|-',
  summary: 'Writes a snapshot as a tar (POSIX pax) that GNU tar, bsdtar and import-tar read, to a file that is not there yet or to stdout. Names are relative to PATH, or to the file system\'s root.',
  example: ['-r /backup/repo export-tar latest all.tar', 'take the newest snapshot to where nacre is not'],
  options: { ...FILTERS },
  positionals: [2, 2],
  async run(context) {
    const { args, output, signal } = context
    const { snapshot: text, path } = snapshotPathOf(args.positionals[0]!)
    const file = args.positionals[1]!
    const toStdout = file === '-'
    if (toStdout && process.stdout.isTTY) throw new BackupError('INVALID_ARGUMENT', 'a tar is nothing for a terminal: send it to a file or a program')
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(text)
    let leftOut = 0
    const onLeftOut = (name: Uint8Array, why: string): void => {
      leftOut++
      output.warn(`nacre: ${displayPath(name)} is left out: ${why}`)
    }
    const stream = dumpTree(repository, snapshot, path, 'tar', { signal, onLeftOut })
    const bytes = toStdout ? await writeToStdout(stream) : await writeToFile(stream, argumentBytes(file))
    if (output.isJson && !toStdout) output.json({ type: 'summary', snapshot_id: snapshot.id, bytes, left_out: leftOut })
    else output.info(`${size(bytes)} of snapshot ${shortId(snapshot.id)} exported${leftOut > 0 ? `, ${count(leftOut, 'name')} left out` : ''}`)
    return 0
  },
}
