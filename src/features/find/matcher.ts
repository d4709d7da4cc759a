/** What is looked for: by name, or by path where a pattern holds a slash, and by what a node says. */
import { globExpression } from '../../util/glob.ts'
import { textOfBytes } from '../../util/text-bytes.ts'
import type { Node, NodeType } from '../../snapshot/node.ts'

export interface FindFilter {
  /**
   * Globs. With a slash one is compared with the path: from the root where it begins with a slash,
   * else from any folder on. Text, in which bytes that are none stand as `textOfBytes` puts them.
   */
  readonly patterns: readonly string[]
  /** Those that are compared without regard to case. */
  readonly caselessPatterns?: readonly string[] | undefined
  readonly types?: readonly NodeType[] | undefined
  /** Modified after, and before, in nanoseconds. */
  readonly newerNs?: bigint | undefined
  readonly olderNs?: bigint | undefined
  /** Of files: more, or fewer, bytes than. */
  readonly largerThan?: number | undefined
  readonly smallerThan?: number | undefined
}

export interface Matcher {
  /** Whether an entry of that folder may match, by its name as latin1. */
  matchesName(folder: string, key: string): boolean
  matchesNode(node: Node): boolean
  /** Whether anything below that folder may match. */
  mayMatchBelow(folder: string): boolean
}

const ASCII = /^[\0-\x7f]*$/

interface Compiled {
  readonly expression: RegExp
  readonly isPath: boolean
  /** The folders that an anchored pattern names without any wildcard, with a slash behind each. */
  readonly prefix: string
}

/** @throws {BackupError} INVALID_ARGUMENT - a pattern cannot be read */
export function createMatcher(filter: FindFilter): Matcher {
  const all = [...filter.patterns.map((glob) => compiled(glob, false)), ...(filter.caselessPatterns ?? []).map((glob) => compiled(glob, true))]
  const names = all.filter((pattern) => !pattern.isPath)
  const paths = all.filter((pattern) => pattern.isPath)
  const prefixes = names.length > 0 ? [''] : paths.map((pattern) => pattern.prefix)
  return {
    matchesName(folder, key) {
      if (all.length === 0) return true
      const name = ASCII.test(key) ? key : textOfBytes(Buffer.from(key, 'latin1'))
      if (names.some(({ expression }) => expression.test(name))) return true
      if (paths.length === 0) return false
      const path = `${folder}${name}`
      return paths.some(({ expression }) => expression.test(path))
    },
    matchesNode: (node) => matchesNode(filter, node),
    mayMatchBelow: (folder) => all.length === 0 || prefixes.some((prefix) => prefix.startsWith(folder) || folder.startsWith(prefix)),
  }
}

function compiled(glob: string, ignoresCase: boolean): Compiled {
  const isPath = glob.includes('/')
  const whole = !isPath || glob.startsWith('/') || glob.startsWith('**/') ? glob : `**/${glob}`
  const anchored = glob.startsWith('/') && !ignoresCase ? /^[^*?[\\]*\//.exec(glob)?.[0] : undefined
  // A pattern for folders may end with a slash, as in gitignore.
  const trimmed = whole.length > 1 ? whole.replace(/\/$/, '') : whole
  return { expression: globExpression(isPath && !trimmed.startsWith('/') ? `/${trimmed}` : trimmed, ignoresCase), isPath, prefix: anchored ?? '' }
}

function matchesNode(filter: FindFilter, node: Node): boolean {
  if (filter.types !== undefined && !filter.types.includes(node.type)) return false
  if (filter.newerNs !== undefined || filter.olderNs !== undefined) {
    const mtime = BigInt(node.mtimeS) * 1_000_000_000n + BigInt(node.mtimeNs)
    if (filter.newerNs !== undefined && mtime <= filter.newerNs) return false
    if (filter.olderNs !== undefined && mtime >= filter.olderNs) return false
  }
  const { largerThan, smallerThan } = filter
  if (largerThan === undefined && smallerThan === undefined) return true
  return node.type === 'file' && node.size > (largerThan ?? -1) && node.size < (smallerThan ?? Number.POSITIVE_INFINITY)
}
