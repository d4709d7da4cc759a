import { BackupError, cacheInfo, clearCache } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { count, size, table } from '../format.ts'
import { suggestion } from '../suggest.ts'

export const command: Command = {
  usage: 'cache info|clear',
  summary: 'Shows or clears the local catalogues. They only save time: what is cleared is made again when it is needed.',
  example: ['cache info', 'show where the cache is and what it takes'],
  options: {},
  positionals: [1, 1],
  async run({ args, output, cacheFolder }) {
    const action = args.positionals[0]!
    if (action === 'info') {
      const { repositories } = await cacheInfo(cacheFolder)
      if (output.isJson) output.json({ folder: cacheFolder, repositories: repositories.map((entry) => ({ repository_id: entry.repositoryId, bytes: entry.bytes, catalogues: entry.catalogues })) })
      else {
        output.result(`cache in ${display(cacheFolder)}`)
        if (repositories.length > 0) output.result(table(['repository', 'size', 'catalogues'], repositories.map((entry) => [entry.repositoryId, size(entry.bytes), String(entry.catalogues)])))
      }
      return 0
    }
    if (action !== 'clear') throw new BackupError('INVALID_ARGUMENT', `cache has no "${action}"${suggestion(action, ['info', 'clear'], 'cache ')}\nusage: nacre ${this.usage}`)
    const { removed, inUse } = await clearCache(cacheFolder)
    if (output.isJson) output.json({ type: 'summary', removed, in_use: inUse })
    else output.result(`removed ${count(removed, 'catalogue')}${inUse === 0 ? '' : `; ${count(inUse, 'catalogue')} in use left`}`)
    return 0
  },
}
