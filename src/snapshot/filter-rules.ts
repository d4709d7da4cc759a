/** What a person says goes into a backup and what does not, checked before anything is read. */
import { BackupError } from '../util/errors.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import { patternOfLine, patternProblem } from './pattern.ts'

/** One gitignore pattern. Of those that match, the last counts. */
export interface FilterRule {
  /** `include` brings back what an earlier rule took. */
  readonly kind: 'exclude' | 'include'
  readonly pattern: string | Uint8Array
  /** Whether letters A to Z count in either case. */
  readonly ignoreCase?: boolean | undefined
  /** Where it was said, such as `--exclude` or a file and its line. */
  readonly origin: string
}

/** A file that, if it is in a folder, keeps all else of the folder out. */
export interface FolderTag {
  readonly name: string
  /** How the file must begin to count. */
  readonly header?: string | undefined
  readonly origin: string
}

/** https://bford.info/cachedir/ */
export const CACHE_FOLDER_TAG: FolderTag = { name: 'CACHEDIR.TAG', header: 'Signature: 8a477f597d28d172789f06886806bc55', origin: '--exclude-caches' }

export interface FilterOptions {
  readonly rules?: readonly FilterRule[] | undefined
  readonly folderTags?: readonly FolderTag[] | undefined
  /** Files above this size stay out. */
  readonly largerThanBytes?: number | undefined
  /** Files last changed before, or after, that time stay out. */
  readonly olderThanNs?: bigint | undefined
  readonly newerThanNs?: bigint | undefined
  /** Folders on other devices than the path they were reached from stay empty. */
  readonly oneFileSystem?: boolean | undefined
  /** Name of the files with patterns in folders; null obeys none. */
  readonly ignoreFile?: string | null | undefined
}

/**
 * The rules of a file of patterns, by gitignore's rules for lines.
 * @param name - what the file is called when a pattern of it is wrong
 */
export function parsePatternFile(bytes: Uint8Array, name: string): FilterRule[] {
  const rules: FilterRule[] = []
  for (const { pattern, line } of patternLines(bytes)) {
    const rule = { kind: 'exclude', pattern: Buffer.from(pattern, 'latin1'), origin: `${name}:${line}` } as const
    requirePattern(rule)
    rules.push(rule)
  }
  return rules
}

/** The patterns in a file as latin1, with the number of each one's line. */
export function patternLines(bytes: Uint8Array): { readonly pattern: string; readonly line: number }[] {
  const text = Buffer.from(bytes).toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '')
  return text.split('\n').flatMap((content, i) => {
    const pattern = patternOfLine(content)
    return pattern === undefined ? [] : [{ pattern, line: i + 1 }]
  })
}

export function patternText(rule: FilterRule): string {
  return (typeof rule.pattern === 'string' ? Buffer.from(rule.pattern, 'utf8') : Buffer.from(rule.pattern)).toString('latin1')
}

/** @throws {BackupError} INVALID_ARGUMENT - with the place of what is wrong */
export function requirePattern(rule: FilterRule): void {
  const text = patternText(rule)
  const problem = patternProblem(text)
  if (problem === undefined) return
  const shown = escapeBytes(Buffer.from(text, 'latin1'))
  throw new BackupError('INVALID_ARGUMENT', `${rule.origin}: the pattern "${shown}" can match nothing: ${problem.what} (character ${problem.at + 1})`, { details: { pattern: shown, at: problem.at } })
}
