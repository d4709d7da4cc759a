import { BackupError, catBlob, catConfig, catIndex, catKey, catPack, catSnapshot, catTree, loadSkipped, skippedJson } from '../../index.ts'
import type { Command } from '../command.ts'
import { display, displayJson, displayPath } from '../display.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { suggestion } from '../suggest.ts'

const KINDS = ['config', 'snapshot', 'skipped', 'tree', 'blob', 'pack', 'index', 'key']

export const command: Command = {
  usage: 'cat config|snapshot|skipped|tree|blob|pack|index|key [ID]',
  summary: 'Shows an object of the repository as JSON; of a blob its bytes; of skipped, a line for each file that a snapshot has not as it was; of a key its parameters, never a secret.',
  example: ['-r /backup/repo cat snapshot latest', 'show all that a snapshot says'],
  options: { ...FILTERS },
  positionals: [1, 2],
  async run(context) {
    const { args, output, openRepository } = context
    const [kind = '', id] = args.positionals
    if (!KINDS.includes(kind)) throw new BackupError('INVALID_ARGUMENT', `there is no kind of object "${kind}"${suggestion(kind, KINDS)}\nusage: nacre ${this.usage}`)
    if (kind !== 'config' && id === undefined) throw new BackupError('INVALID_ARGUMENT', `which ${kind}? give its id\nusage: nacre ${this.usage}`)
    const name = id ?? ''
    if (kind === 'snapshot' || kind === 'skipped') {
      const { repository, choose } = await openChooser(context)
      const snapshot = choose(name)
      if (kind === 'snapshot') {
        output.result(displayJson(catSnapshot(snapshot), output.isJson ? undefined : 2))
        return 0
      }
      for await (const skipped of loadSkipped(repository, snapshot, { signal: context.signal })) {
        output.result(output.isJson ? displayJson(skippedJson(skipped)) : `${display(skipped.reason)}: ${displayPath(skipped.path)}: ${display(skipped.message)}`)
      }
      return 0
    }
    const repository = await openRepository()
    if (kind === 'blob') {
      output.bytes(await catBlob(repository, name))
      return 0
    }
    const shown: Record<string, () => unknown> = {
      config: () => catConfig(repository),
      tree: () => catTree(repository, name),
      pack: () => catPack(repository, name),
      index: () => catIndex(repository, name),
      key: () => catKey(repository, name),
    }
    output.result(displayJson(await shown[kind]!(), output.isJson ? undefined : 2))
    return 0
  },
}
