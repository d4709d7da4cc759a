import { BackupError } from '../../index.ts'
import type { Command } from '../command.ts'
import { markSnapshots } from '../marking.ts'

export const command: Command = {
  usage: 'describe SNAPSHOT [TEXT]',
  summary: 'Changes the description of a snapshot, or its label. An empty text takes it away.',
  example: ['-r /backup/repo describe latest "before the move to the new disk"', 'say what a snapshot is for'],
  options: { label: { kind: 'text', value: 'LABEL', describe: 'change the label' } },
  positionals: [1, 2],
  async run(context) {
    const { args } = context
    const [word = '', description] = args.positionals
    const label = args.text('label')
    if (description === undefined && label === undefined) throw new BackupError('INVALID_ARGUMENT', `what is to be said? give a text or --label\nusage: nacre ${this.usage}`)
    return markSnapshots(context, [word], { description, label }, {})
  },
}
