import { BackupError, createBackend, createRepository, parseLocation } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { parseSize, size } from '../format.ts'
import { readPassword } from '../password.ts'
import { person } from '../person.ts'

export const command: Command = {
  usage: 'init',
  summary: 'Makes a repository. Whoever loses its password loses what is in it: nobody can bring it back.',
  example: ['-r /backup/repo init', 'make a repository in a folder'],
  options: {
    'chunk-size': { kind: 'text', value: 'SIZE', describe: 'average size of a chunk, 16K to 1M, a power of two (128K)' },
  },
  positionals: [0, 0],
  async run({ args, output, location }) {
    const text = args.text('chunk-size')
    const chunkBytes = text === undefined ? undefined : parseSize(text)
    if (text !== undefined && chunkBytes === undefined) throw new BackupError('INVALID_ARGUMENT', `"${text}" is no size; write it as 128K`)
    const place = parseLocation(location())
    const password = await readPassword({ file: args.text('password-file'), command: args.text('password-command'), fd: args.text('password-fd') }, true, 'password for the new repository')
    const backend = await createBackend(place)
    const { id, chunker } = await createRepository({ backend, password, chunkBytes, person: person() })
    if (output.isJson) output.json({ type: 'summary', repository_id: id, location: backend.location, chunk_average: chunker.averageBytes })
    else {
      output.result(`made repository ${id} at ${display(backend.location)} (chunks of ${size(chunker.averageBytes)} on average)`)
      output.info('Keep the password: without it everything in the repository is lost.')
    }
    return 0
  },
}
