import { formatTime, nodeJson, pathHistory, type PathVersion, shortId, type Snapshot, textFields } from '../../index.ts'
import type { Command } from '../command.ts'
import { display } from '../display.ts'
import { FILTERS, openChooser } from '../filters.ts'
import { count, size, table } from '../format.ts'
import { localTime } from '../local-time.ts'
import { argumentBytes } from '../raw-arguments.ts'
import { shellWord } from '../shell-quote.ts'

export const command: Command = {
  usage: 'history PATH',
  summary: 'Lists every version of a file or folder that snapshots hold, oldest first, with the newest snapshot that holds it: the one to restore it from.',
  example: ['-r /backup/repo history ~/letters/aunt.txt', 'which versions of the letter are there'],
  options: FILTERS,
  positionals: [1, 1],
  async run(context) {
    const { args, output, signal } = context
    const { repository, list: { problems }, snapshots } = await openChooser(context)
    for (const problem of problems) output.warn(`nacre: ${display(problem.message)}; "nacre check" tells more`)
    const { path, versions, without } = await pathHistory(repository, snapshots, argumentBytes(args.positionals[0]!), signal)
    if (output.isJson) output.json(versions.map((version) => versionJson(path, version)))
    else {
      output.result(table(['id', 'modified', 'size', 'first seen', 'last seen', 'snapshots'], versions.map(row)))
      output.info(`${count(versions.length, 'version')}${without.length > 0 ? `; ${count(without.length, 'snapshot')} without it` : ''}; to bring one back: nacre restore ID:${shellWord(path)} --target DIR`)
    }
    return problems.length > 0 ? 1 : 0
  },
}

function row({ node, snapshots }: PathVersion<Snapshot>): string[] {
  const seen = ({ startNs, zoneMinutes }: Snapshot): string => formatTime(startNs, zoneMinutes).slice(0, 19).replace('T', ' ')
  const [first, last] = [snapshots[0]!, snapshots.at(-1)!]
  return [shortId(last.id), localTime(BigInt(node.mtimeS) * 1_000_000_000n), node.type === 'file' ? size(node.size) : node.type, seen(first), seen(last), String(snapshots.length)]
}

function versionJson(path: Uint8Array, { node, snapshots }: PathVersion<Snapshot>): unknown {
  return { snapshot_id: snapshots.at(-1)!.id, ...textFields('path', path), ...nodeJson(node), snapshots: snapshots.map(({ id }) => id) }
}
