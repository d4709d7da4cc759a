import { BackupError, type FindFilter, findNames, type Found, nodeJson, type NodeType, shortId, type Snapshot, textFields } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display, displayJson, displayPath } from '../display.ts'
import { FILTERS, openChooser, timeOf } from '../filters.ts'
import { count, parseSize, size } from '../format.ts'
import { localTime } from '../local-time.ts'
import { suggestion } from '../suggest.ts'

export const command: Command = {
  usage: 'find PATTERN…',
  summary: 'Looks for names in all snapshots, or those that filters leave. A PATTERN is a glob: of names, or of paths when it holds a "/" (from the root when it begins with one). Each version of a match is one line, with the oldest and newest snapshot that hold it.',
  example: ['-r /backup/repo find "*.tex" --newer 2024-01-01', 'which files of that name there were, changed since then'],
  options: {
    iname: { kind: 'texts', value: 'PATTERN', describe: 'a pattern without regard to upper and lower case (may be repeated)' },
    type: { kind: 'texts', value: 'TYPE', describe: 'only files (f), folders (d), links (l), FIFOs (p), sockets (s), block (b) or character devices (c)' },
    newer: { kind: 'text', value: 'TIME', describe: 'only what was modified after this time' },
    older: { kind: 'text', value: 'TIME', describe: 'only what was modified before this time' },
    size: { kind: 'texts', value: '+N|-N', describe: 'only files of more (+1M), fewer (-10K) or exactly so many bytes (may be repeated)' },
    ...FILTERS,
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  async run(context) {
    const { args, output, signal } = context
    const filter = wantedOf(args, this.usage)
    const { repository, list: { problems }, snapshots: among } = await openChooser(context)
    for (const problem of problems) output.warn(`nacre: ${display(problem.message)}; "nacre check" tells more`)
    let found = 0
    for await (const match of findNames(repository, among, filter, signal)) {
      if (output.isJson) output.result(`${found === 0 ? '[' : ','}${displayJson(matchJson(match))}`)
      else output.result(matchLine(match, output.isVerbose))
      found++
    }
    if (output.isJson) output.result(found === 0 ? '[]' : ']')
    else output.info(`${found === 0 ? 'nothing found' : count(found, 'match', 'matches')} in ${count(among.length, 'snapshot')}`)
    return problems.length > 0 ? 1 : 0
  },
}

function matchLine({ path, node, snapshots }: Found<Snapshot>, isLong: boolean): string {
  const [first, last] = [snapshots[0]!, snapshots.at(-1)!]
  const span = first === last ? shortId(first.id) : `${shortId(first.id)}…${shortId(last.id)}`
  const holders = isLong ? snapshots.map(({ id }) => shortId(id)).join(',') : `${span.padEnd(17)} ${String(snapshots.length).padStart(4)}×`
  const bytes = node.type === 'file' ? size(node.size) : node.type
  return `${holders}  ${bytes.padStart(10)}  ${localTime(BigInt(node.mtimeS) * 1_000_000_000n)}  ${displayPath(path)}`
}

function matchJson({ path, node, snapshots }: Found<Snapshot>): unknown {
  return { ...textFields('path', path), ...nodeJson(node), snapshots: snapshots.map(({ id }) => id) }
}

const TYPES: Readonly<Record<string, NodeType>> = { f: 'file', d: 'directory', l: 'symlink', p: 'fifo', s: 'socket', b: 'block', c: 'character' }

function wantedOf(args: Arguments, usage: string): FindFilter {
  const { positionals: patterns } = args
  const caselessPatterns = args.texts('iname')
  if (patterns.length + caselessPatterns.length === 0) throw new BackupError('INVALID_ARGUMENT', `what is to be found? give a pattern, such as "*.txt", or --iname PATTERN\nusage: nacre ${usage}`)
  if ([...patterns, ...caselessPatterns].includes('')) throw new BackupError('INVALID_ARGUMENT', `a pattern is empty and would match nothing: is a variable of the shell unset?\nusage: nacre ${usage}`)
  const types = args.texts('type').map(typeOf)
  return { patterns, caselessPatterns, ...(types.length > 0 ? { types } : {}), newerNs: timeOf(args, 'newer'), olderNs: timeOf(args, 'older'), ...sizesOf(args.texts('size')) }
}

function typeOf(text: string): NodeType {
  const named = Object.values(TYPES).find((type) => type === text)
  const type = TYPES[text] ?? named ?? (text === 'folder' ? 'directory' : text === 'link' ? 'symlink' : undefined)
  if (type === undefined) throw new BackupError('INVALID_ARGUMENT', `there is no type "${display(text)}"${suggestion(text, Object.values(TYPES))}: f, d, l, p, s, b or c`)
  return type
}

/** All of them hold: bytes from the largest lower bound to the smallest upper one, both left out. */
function sizesOf(texts: readonly string[]): Pick<FindFilter, 'largerThan' | 'smallerThan'> {
  let largerThan: number | undefined
  let smallerThan: number | undefined
  for (const text of texts) {
    const sign = /^[+-]/.exec(text)?.[0]
    const bytes = parseSize(text.replace(/^[+-]/, ''))
    if (bytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--size takes +1M (more), -10K (less) or 512 (exactly), not "${display(text)}"`)
    if (sign !== '-') largerThan = Math.max(largerThan ?? -1, sign === '+' ? bytes : bytes - 1)
    if (sign !== '+') smallerThan = Math.min(smallerThan ?? Number.POSITIVE_INFINITY, sign === '-' ? bytes : bytes + 1)
  }
  return { ...(largerThan === undefined ? {} : { largerThan }), ...(smallerThan === undefined ? {} : { smallerThan }) }
}
