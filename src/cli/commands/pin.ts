import { parseTime } from '../../index.ts'
import type { Command } from '../command.ts'
import { FILTERS } from '../filters.ts'
import { markSnapshots } from '../marking.ts'

export const command: Command = {
  usage: 'pin SNAPSHOT…',
  summary: 'Pins snapshots: forget keeps them whatever its policy, and they use up nothing of it.',
  example: ['-r /backup/repo pin latest --until 2030-01-01', 'keep the newest snapshot until then'],
  options: { until: { kind: 'text', value: 'DATE', describe: 'only until then' }, ...FILTERS },
  positionals: [1, Number.POSITIVE_INFINITY],
  async run(context) {
    const until = context.args.text('until')
    const pin = until === undefined ? 'forever' : parseTime(until).ns
    return markSnapshots(context, context.args.positionals, { pin })
  },
}
