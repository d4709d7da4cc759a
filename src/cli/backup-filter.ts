/** From the options of `backup` to what stays out of it. */
import { BackupError, CACHE_FOLDER_TAG, type FilterOptions, type FilterRule, type FolderTag, nowNs, parsePatternFile, parseTime } from '../index.ts'
import type { Arguments, OptionSpec } from './command.ts'
import { parseSize } from './format.ts'
import { readInput } from './input-file.ts'
import { argumentBytes } from './raw-arguments.ts'

export const FILTER_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  exclude: { kind: 'texts', value: 'PATTERN', describe: 'leave out what a gitignore pattern matches (may be repeated; of several that match the last counts)' },
  iexclude: { kind: 'texts', value: 'PATTERN', describe: 'the same, with letters of either case' },
  'exclude-file': { kind: 'texts', value: 'FILE', describe: 'leave out what the gitignore patterns of a file match' },
  include: { kind: 'texts', value: 'PATTERN', describe: 'bring back what a pattern before it has left out, as "!PATTERN" does' },
  'exclude-if-present': { kind: 'texts', value: 'NAME[:HEADER]', describe: 'leave out what is in folders with such a file (that begins so), but for the file itself' },
  'exclude-caches': { kind: 'flag', describe: 'leave out what is in folders that a CACHEDIR.TAG marks' },
  'exclude-larger-than': { kind: 'text', value: 'SIZE', describe: 'leave out larger files' },
  'exclude-older-than': { kind: 'text', value: 'TIME|30d', describe: 'leave out files last changed before a time, or so long ago' },
  'exclude-newer-than': { kind: 'text', value: 'TIME|30d', describe: 'leave out files last changed after it' },
  'one-file-system': { kind: 'flag', alias: 'x', describe: 'enter no other file systems' },
  'no-ignore-files': { kind: 'flag', describe: 'do not obey .nacreignore files' },
}

export async function filterOf(args: Arguments, signal: AbortSignal): Promise<FilterOptions> {
  const rules: FilterRule[] = []
  for (const { name, value } of args.inOrder(['exclude', 'iexclude', 'include', 'exclude-file'])) {
    if (name === 'exclude-file') rules.push(...parsePatternFile(await readInput(value, `--${name}`, signal), value))
    else rules.push({ kind: name === 'include' ? 'include' : 'exclude', ignoreCase: name === 'iexclude', pattern: argumentBytes(value), origin: `--${name}` })
  }
  return {
    rules,
    folderTags: [...args.texts('exclude-if-present').map(tagOf), ...(args.flag('exclude-caches') ? [CACHE_FOLDER_TAG] : [])],
    largerThanBytes: sizeOf(args.text('exclude-larger-than')),
    olderThanNs: timeOf(args.text('exclude-older-than')),
    newerThanNs: timeOf(args.text('exclude-newer-than')),
    oneFileSystem: args.flag('one-file-system'),
    ignoreFile: args.flag('no-ignore-files') ? null : undefined,
  }
}

function tagOf(text: string): FolderTag {
  const colon = text.indexOf(':')
  const name = colon === -1 ? text : text.slice(0, colon)
  if (name === '' || name.includes('/')) throw new BackupError('INVALID_ARGUMENT', `--exclude-if-present takes the name of a file, not "${text}"`)
  return { name, header: colon === -1 ? undefined : text.slice(colon + 1), origin: '--exclude-if-present' }
}

function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--exclude-larger-than takes a size such as 500M, not "${text}"`)
  return bytes
}

const SPAN = /^(?:(\d+)y)?(?:(\d+)mo?)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)min)?$/

/** A time, or how long ago: years and months by the calendar. */
function timeOf(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  const match = SPAN.exec(text)
  if (match === null || text === '') return parseTime(text).ns
  const [years, months, weeks, days, hours, minutes] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number, number, number]
  const now = nowNs()
  const date = new Date(Number(now / 1_000_000n))
  const then = new Date(date)
  then.setUTCMonth(date.getUTCMonth() - months - 12 * years)
  const milliseconds = date.getTime() - then.getTime() + ((weeks * 7 + days) * 24 * 60 + hours * 60 + minutes) * 60_000
  return now - BigInt(milliseconds) * 1_000_000n
}
