import { loadSnapshots, resolveForgotten, shortId, unforgetSnapshot } from '../../index.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { person } from '../person.ts'

export const command: Command = {
  usage: 'unforget SNAPSHOT…',
  summary: 'Brings forgotten snapshots back, as long as no prune has planned their end. "nacre snapshots --forgotten" lists them.',
  example: ['-r /backup/repo unforget 1a2b3c4d', 'bring a snapshot back'],
  options: {},
  positionals: [1, Number.POSITIVE_INFINITY],
  async run({ args, output, signal, openRepository }) {
    const repository = await openRepository()
    const list = await loadSnapshots(repository, { signal })
    const names = [...new Set(args.positionals.map((text) => resolveForgotten(list, text)))]
    const back: string[] = []
    for (const name of names) {
      signal.throwIfAborted()
      await unforgetSnapshot(repository, name, { person: person(), signal })
      back.push(name.slice(name.indexOf('/') + 1))
      if (!output.isJson) output.result(`snapshot ${shortId(back.at(-1)!)} is back`)
    }
    if (output.isJson) output.json({ type: 'summary', unforgotten: back })
    return EXIT.done
  },
}
