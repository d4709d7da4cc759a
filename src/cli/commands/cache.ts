import { BackupError, cacheInfo, clearCache } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { count, size, table } from '../format.ts'
import { suggestion } from '../suggest.ts'

export const command: Command = {
  usage: 'cache info|clear',
  summary: 'Shows or clears what is kept of repositories on this machine. It only saves time: what is cleared is made again when it is needed.',
  example: ['cache info', 'show where the cache is and what it takes'],
  options: {},
  positionals: [1, 1],
  async run({ args, output, cacheFolder }) {
    const action = args.positionals[0]!
    if (action === 'info') {
      const { repositories } = await cacheInfo(cacheFolder)
      if (output.isJson) output.json({ folder: cacheFolder, repositories: repositories.map((entry) => ({ repository_id: entry.repositoryId, bytes: entry.bytes, catalogues: entry.catalogues, frames: entry.frames, frame_bytes: entry.frameBytes })) })
      else {
        output.result(`cache in ${display(cacheFolder)}`)
        if (repositories.length > 0) output.result(table(['repository', 'size', 'catalogues', 'frames', 'of size'], repositories.map((entry) => [entry.repositoryId, size(entry.bytes), String(entry.catalogues), String(entry.frames), size(entry.frameBytes)])))
      }
      return 0
    }
    if (action !== 'clear') throw new BackupError('INVALID_ARGUMENT', `cache has no "${action}"${suggestion(action, ['info', 'clear'], 'cache ')}\nusage: nacre ${this.usage}`)
    const { removed, inUse, frames } = await clearCache(cacheFolder)
    if (output.isJson) output.json({ type: 'summary', removed, in_use: inUse, frames })
    else output.result(`removed ${count(removed, 'catalogue')} and ${count(frames, 'frame')}${inUse === 0 ? '' : `; ${count(inUse, 'catalogue')} in use left`}`)
    return 0
  },
}
