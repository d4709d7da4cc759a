import { BackupError, dumpFile, type DumpFormat, dumpTree, findNode } from '../../index.ts'
import type { Command } from '../command.ts'
import { display, displayPath } from '../display.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count } from '../format.ts'
import { snapshotPathOf } from '../snapshot-path.ts'
import { writeToStdout } from '../write-stream.ts'

export const command: Command = {
  usage: 'dump SNAPSHOT[:PATH]',
  summary: 'Writes a file of a snapshot to stdout, or a folder with all that is below it as a tar or zip. Names in it are relative to the folder.',
  example: ['-r /backup/repo dump latest:/home/me/letters | tar -x -C /tmp/letters', 'unpack a folder by a program of your own'],
  options: { format: { kind: 'text', value: 'tar|zip', describe: 'of a folder: tar, which holds everything, or zip (tar); of a file: wrap it' }, ...FILTERS },
  positionals: [1, 1],
  async run(context) {
    const { args, output, signal } = context
    const format = args.text('format')
    if (format !== undefined && format !== 'tar' && format !== 'zip') throw new BackupError('INVALID_ARGUMENT', `--format takes tar or zip, not "${display(format)}"`)
    const { snapshot: text, path } = snapshotPathOf(args.positionals[0]!)
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(text)
    const isFile = path !== undefined && format === undefined && (await findNode(repository, snapshot, path)).type === 'file'
    if (!isFile && process.stdout.isTTY) throw new BackupError('INVALID_ARGUMENT', `a ${format ?? 'tar'} is nothing for a terminal: send it to a file or a program`)
    let leftOut = 0
    const onLeftOut = (name: Uint8Array, why: string): void => {
      leftOut++
      output.warn(`nacre: ${displayPath(name)} is left out: ${why}`)
    }
    const options = { signal, onLeftOut }
    await writeToStdout(isFile ? dumpFile(repository, snapshot, path, options) : dumpTree(repository, snapshot, path, (format ?? 'tar') as DumpFormat, options))
    if (leftOut > 0) output.warn(`nacre: ${count(leftOut, 'name')} left out`)
    return 0
  },
}
