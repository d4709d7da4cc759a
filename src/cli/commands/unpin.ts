import type { Command } from '../command.ts'
import { FILTERS } from '../filters.ts'
import { markSnapshots } from '../marking.ts'

export const command: Command = {
  usage: 'unpin SNAPSHOT…',
  summary: 'Takes pins away, also those of "backup --keep-until".',
  example: ['-r /backup/repo unpin 1a2b3c4d', 'leave a snapshot to the policy again'],
  options: { ...FILTERS },
  positionals: [1, Number.POSITIVE_INFINITY],
  run: (context) => markSnapshots(context, context.args.positionals, { pin: 'none' }),
}
