/**
 * What goes into a backup: patterns with gitignore's rules, those of files in the folders first and
 * those that were given with the command last, so that these win; tags of folders, sizes, ages, and
 * the borders of file systems. A filter tells for all that it takes which rule took it.
 *
 * A folder that is taken is never entered, as with git, so nothing below it can be brought back. The
 * folders above a path that is backed up are no matter of the patterns: they are what leads there.
 */
import { createRequire } from 'node:module'
import type { Ignore, Options } from 'ignore'
import { close, openAtIfPresent, OPEN_TO_READ } from '../util/posix/open.ts'
import { pread } from '../util/posix/read-write.ts'
import { type FileStat, fstat } from '../util/posix/stat.ts'
import { escapeBytes, PosixError } from '../util/posix/system-error.ts'
import { type FilterOptions, type FilterRule, type FolderTag, patternLines, patternText, requirePattern } from './filter-rules.ts'
import { caseless, escapedPath, patternProblem, rebased } from './pattern.ts'

/** The rule that took something, as it was written, and where. */
export interface Taken {
  readonly rule: string
  readonly origin: string
}

/** A folder that the walk has just opened. */
export interface FilteredFolder {
  readonly fd: number
  readonly path: Uint8Array
  readonly names: { has(name: string): boolean }
}

/** The filter within one folder. */
export interface FolderFilter {
  /** Whether it may take anything in this folder; otherwise nothing need be asked. */
  readonly isActive: boolean
  /** @param path - absolute, of an entry of the folder */
  takes(path: Uint8Array, isDirectory: boolean): Taken | undefined
  /** The filter within a folder of this one. */
  enter(folder: FilteredFolder): FolderFilter
}

export interface Filter {
  /** Whether borders of file systems are borders of the backup. */
  readonly oneFileSystem: boolean
  /** The filter within a folder that is wanted by its path. */
  begin(folder: FilteredFolder): FolderFilter
  takesFile(stat: FileStat): Taken | undefined
}

export const IGNORE_FILE = '.nacreignore'
/** A file of patterns that is larger is a mistake. */
const IGNORE_FILE_BYTES = 1024 * 1024
/** The library remembers each path that it was asked about; so often it is told to forget them. */
const PATHS_REMEMBERED = 20_000

/**
 * @param onProblem - told of files of patterns that cannot be read, and patterns that match nothing
 * @throws {BackupError} INVALID_ARGUMENT - a rule that is no pattern
 */
export function createFilter(options: FilterOptions, onProblem: (path: Uint8Array, message: string) => void): Filter {
  const library = createRequire(import.meta.url)('ignore') as (options: Options) => Ignore
  const create = (): Ignore => library({ ignorecase: false })
  const taken: Taken[] = []
  const ruled = (pattern: string, rule: Taken): { pattern: string; mark: string } => ({ pattern, mark: String(taken.push(rule) - 1) })
  const rules = options.rules ?? []
  rules.forEach(requirePattern)
  const given = create().add(rules.map((rule) => ruled(patternOf(rule), { rule: shownRule(rule), origin: rule.origin })))
  const ignoreFile = options.ignoreFile === undefined ? IGNORE_FILE : options.ignoreFile
  const tags = options.folderTags ?? []

  const within = (files: Ignore | undefined, above: readonly string[], tag: FolderTag | undefined, hasRules: boolean): FolderFilter => {
    let tests = 0
    let matcher: Ignore | undefined
    const fresh = (): Ignore => {
      const all = create()
      if (files !== undefined) all.add(files)
      // What leads to the path is wanted whatever the rules say.
      return all.add(given).add(above.map((path) => `!/${escapedPath(path)}/`))
    }
    return {
      isActive: hasRules || tag !== undefined,
      takes(path, isDirectory) {
        const bytes = Buffer.from(path.buffer, path.byteOffset + 1, path.length - 1)
        if (tag !== undefined && bytes.subarray(bytes.lastIndexOf(0x2f) + 1).toString() !== tag.name) return { rule: tag.name, origin: tag.origin }
        if (!hasRules) return undefined
        if (matcher === undefined || tests++ % PATHS_REMEMBERED === 0) matcher = fresh()
        const text = bytes.toString('latin1')
        const found = matcher.test(isDirectory ? `${text}/` : text)
        return found.ignored ? taken[Number(found.rule?.mark)] ?? UNKNOWN : undefined
      },
      enter(folder) {
        const own = ownRules(folder)
        const tagged = tags.find((candidate) => isTagged(folder, candidate))
        if (own.length === 0 && tagged === undefined && tag === undefined) return this
        const base = files === undefined ? create() : create().add(files)
        return within(own.length === 0 ? files : base.add(own), above, tagged, hasRules || own.length > 0)
      },
    }
  }

  const ownRules = (folder: FilteredFolder): { pattern: string; mark: string }[] => {
    if (ignoreFile === null || !folder.names.has(ignoreFile)) return []
    const path = `${escapeBytes(folder.path)}/${ignoreFile}`.replace('//', '/')
    let bytes: Uint8Array | undefined
    try {
      bytes = readSmall(folder.fd, Buffer.from(ignoreFile), IGNORE_FILE_BYTES)
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      onProblem(folder.path, `${path} cannot be read and is not obeyed: ${error.message}`)
    }
    const base = Buffer.from(folder.path).toString('latin1').replace(/\/$/, '')
    return patternLines(bytes ?? new Uint8Array(0)).flatMap(({ pattern, line }) => {
      const problem = patternProblem(pattern)
      if (problem !== undefined) onProblem(folder.path, `${path}:${line}: the pattern can match nothing: ${problem.what} (character ${problem.at + 1})`)
      const whole = problem === undefined ? rebased(pattern, base) : undefined
      return whole === undefined ? [] : [ruled(whole, { rule: escapeBytes(Buffer.from(pattern, 'latin1')), origin: `${path}:${line}` })]
    })
  }

  return {
    oneFileSystem: options.oneFileSystem === true,
    begin(folder) {
      const names = Buffer.from(folder.path).toString('latin1').split('/').filter((name) => name !== '')
      const above = names.map((_, i) => names.slice(0, i + 1).join('/'))
      return within(undefined, above, undefined, rules.length > 0).enter(folder)
    },
    takesFile(stat) {
      if (options.largerThanBytes !== undefined && stat.size > options.largerThanBytes) return { rule: `more than ${options.largerThanBytes} bytes`, origin: '--exclude-larger-than' }
      if (options.olderThanNs === undefined && options.newerThanNs === undefined) return undefined
      const mtimeNs = BigInt(stat.mtimeS) * 1_000_000_000n + BigInt(stat.mtimeNs)
      if (options.olderThanNs !== undefined && mtimeNs < options.olderThanNs) return { rule: 'last changed before', origin: '--exclude-older-than' }
      if (options.newerThanNs !== undefined && mtimeNs > options.newerThanNs) return { rule: 'last changed after', origin: '--exclude-newer-than' }
      return undefined
    },
  }
}

const UNKNOWN: Taken = { rule: '', origin: 'a rule' }

function patternOf(rule: FilterRule): string {
  let pattern = patternText(rule)
  // In a file this is a comment; here it is meant.
  if (pattern.startsWith('#')) pattern = `\\${pattern}`
  if (rule.ignoreCase === true) pattern = caseless(pattern)
  return rule.kind === 'include' ? `!${pattern}` : pattern
}

function shownRule(rule: FilterRule): string {
  return escapeBytes(Buffer.from(patternText(rule), 'latin1'))
}

function isTagged(folder: FilteredFolder, tag: FolderTag): boolean {
  if (!folder.names.has(tag.name)) return false
  if (tag.header === undefined) return true
  const header = Buffer.from(tag.header)
  try {
    return readSmall(folder.fd, Buffer.from(tag.name), header.length, true)?.equals(header) === true
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    return false
  }
}

/** A file's bytes, or its first ones; undefined when it is no file, or too large to be read whole. */
function readSmall(dirFd: number, name: Uint8Array, most: number, isBeginning = false): Buffer | undefined {
  const fd = openAtIfPresent(dirFd, name, OPEN_TO_READ)
  if (fd === undefined) return undefined
  try {
    const stat = fstat(fd)
    if (stat.type !== 'file' || (!isBeginning && stat.size > most)) return undefined
    const into = Buffer.alloc(Math.min(most, stat.size))
    let length = 0
    for (let count = 1; length < into.length && count > 0; length += count) count = pread(fd, into, length, into.length - length, length)
    return into.subarray(0, length)
  } finally {
    close(fd)
  }
}
