import { unmountAt } from '../../index.ts'
import type { Command } from '../command.ts'
import { argumentBytes } from '../raw-arguments.ts'

export const command: Command = {
  usage: 'unmount DIR',
  summary: 'Unmounts what "nacre mount" has mounted on a folder, and clears what is left of one whose program has ended. If somebody has something open in it, that is said.',
  example: ['unmount /mnt/backup', 'end a mount that is in the background'],
  options: { lazy: { kind: 'flag', describe: 'take it away although it is in use; whoever uses it may go on until he is done' } },
  positionals: [1, 1],
  async run({ args }) {
    await unmountAt(argumentBytes(args.positionals[0]!), { isLazy: args.flag('lazy') })
    return 0
  },
}
