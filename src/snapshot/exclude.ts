/**
 * Exclusion with gitignore's exact rules, by the library that implements them. It agrees with git
 * when rules and paths are the raw bytes read as latin1 and case is kept.
 */
import { createRequire } from 'node:module'
import type { Ignore, Options } from 'ignore'

export interface Excluder {
  /** @param path - absolute; folders above it were not excluded */
  excludes(path: Uint8Array, isDirectory: boolean): boolean
}

export const NOTHING_EXCLUDED: Excluder = { excludes: () => false }

/**
 * @param patterns - gitignore patterns; a leading `/` means the file system's root, and of two that
 * match the later wins
 */
export function createExcluder(patterns: readonly string[]): Excluder {
  if (patterns.length === 0) return NOTHING_EXCLUDED
  const ignore = createRequire(import.meta.url)('ignore') as (options: Options) => Ignore
  const rules = ignore({ ignorecase: false }).add(patterns.map((pattern) => Buffer.from(pattern, 'utf8').toString('latin1')))
  return {
    excludes(path, isDirectory) {
      const relative = Buffer.from(path.buffer, path.byteOffset + 1, path.length - 1).toString('latin1')
      return relative.length > 0 && rules.ignores(isDirectory ? `${relative}/` : relative)
    },
  }
}
