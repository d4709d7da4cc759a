import { BackupError, tagsOf } from '../../index.ts'
import type { Command } from '../command.ts'
import { FILTERS } from '../filters.ts'
import { markSnapshots } from '../marking.ts'

export const command: Command = {
  usage: 'tag SNAPSHOT…',
  summary: 'Changes the tags of snapshots. The snapshots themselves stay as they are: what is changed stands beside them.',
  example: ['-r /backup/repo tag latest --add release --remove daily', 'change two tags of the newest snapshot'],
  options: {
    add: { kind: 'texts', value: 'TAG[,TAG]', describe: 'add tags (may be repeated)' },
    remove: { kind: 'texts', value: 'TAG[,TAG]', describe: 'take tags away (may be repeated)' },
    set: { kind: 'texts', value: 'TAG[,TAG]', describe: 'have these tags and no others (\'\' for none)' },
    ...FILTERS,
  },
  positionals: [1, Number.POSITIVE_INFINITY],
  async run(context) {
    const { args } = context
    const [add, remove, set] = [args.texts('add'), args.texts('remove'), args.texts('set')]
    if (add.length + remove.length + set.length === 0) throw new BackupError('INVALID_ARGUMENT', `what is to be changed? give --add, --remove or --set\nusage: nacre ${this.usage}`)
    if (set.length > 0 && add.length + remove.length > 0) throw new BackupError('INVALID_ARGUMENT', `give --set, or --add and --remove\nusage: nacre ${this.usage}`)
    const gone = remove.flatMap(tagsOf)
    const more = add.flatMap(tagsOf)
    return markSnapshots(context, args.positionals, { tags: (before) => (set.length > 0 ? set.flatMap(tagsOf) : [...before.filter((tag) => !gone.includes(tag)), ...more]) })
  },
}
