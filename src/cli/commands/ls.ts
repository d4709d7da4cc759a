import { listTree, type Node, nodeJson, textFields } from '../../index.ts'
import type { Command } from '../command.ts'
import { display, displayJson, displayPath } from '../display.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { localTime } from '../local-time.ts'
import { modeText } from '../mode-text.ts'
import { snapshotPathOf } from '../snapshot-path.ts'

export const command: Command = {
  usage: 'ls SNAPSHOT[:PATH]',
  summary: 'Lists a folder of a snapshot. SNAPSHOT is latest, latest~2, an id or the beginning of one.',
  example: ['-r /backup/repo ls latest:/home/me -l', 'list a folder of the newest snapshot'],
  options: {
    long: { kind: 'flag', alias: 'l', describe: 'show mode, owner, size and time' },
    recursive: { kind: 'flag', describe: 'list all that is below' },
    ...FILTERS,
  },
  positionals: [1, 1],
  async run(context) {
    const { args, output, signal } = context
    const { snapshot: text, path } = snapshotPathOf(args.positionals[0]!)
    const { repository, choose } = await openChooser(context)
    const snapshot = choose(text)
    const listed = listTree(repository, snapshot, path, { recursive: args.flag('recursive') })
    let isFirst = true
    for await (const { path: at, node } of listed) {
      signal.throwIfAborted()
      if (output.isJson) {
        // One document, written as it comes: a list of a million need not be in memory.
        output.result(`${isFirst ? '[' : ','}${displayJson({ ...textFields('path', at), ...nodeJson(node) })}`)
      } else output.result(args.flag('long') ? `${longLine(node)} ${displayPath(at)}${linkTarget(node)}` : displayPath(at))
      isFirst = false
    }
    if (output.isJson) output.result(isFirst ? '[]' : ']')
    return 0
  },
}

function longLine(node: Node): string {
  const time = localTime(BigInt(node.mtimeS) * 1_000_000_000n)
  const owner = `${display(node.user ?? String(node.uid)).padEnd(8)} ${display(node.group ?? String(node.gid)).padEnd(8)}`
  return `${modeText(node)} ${String(node.links).padStart(3)} ${owner} ${String(node.size).padStart(12)} ${time}`
}

function linkTarget(node: Node): string {
  return node.target === undefined ? '' : ` -> ${displayPath(node.target)}`
}
