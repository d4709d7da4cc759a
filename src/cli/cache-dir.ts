/** Where the cache is: as told, as the system's customs say, or, without a home, in a folder of one's own. */
import { existsSync, lstatSync, mkdirSync, mkdtempSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { BackupError } from '../index.ts'
import { parseSize } from './format.ts'
import type { Output } from './output.ts'

export interface CacheDir {
  readonly path: string
  /** Made for this run, to be removed at its end. */
  readonly isTemporary: boolean
}

export function cacheDir(given: string | undefined, isOff: boolean, output: Output): CacheDir {
  if (isOff) return { path: madeTemporary(), isTemporary: true }
  const named = given ?? process.env['NACRE_CACHE_DIR']
  if (named !== undefined && named !== '') return { path: resolve(named), isTemporary: false }
  const xdg = process.env['XDG_CACHE_HOME']
  if (xdg !== undefined && xdg.startsWith('/')) return { path: join(xdg, 'nacre'), isTemporary: false }
  const home = process.env['HOME'] === undefined || process.env['HOME'] === '' ? undefined : homedir()
  if (home !== undefined) return { path: join(home, process.platform === 'darwin' ? 'Library/Caches/nacre' : '.cache/nacre'), isTemporary: false }
  const path = join(tmpdir(), `nacre-cache-${process.getuid?.() ?? 0}`)
  requireOwn(path)
  output.info(`nacre: there is no HOME; the cache is in ${path} (--cache-dir names another folder)`)
  return { path, isTemporary: false }
}

/** What it may take of a repository besides the index; undefined leaves it to the library. */
export function cacheLimit(given: string | undefined): number | undefined {
  const text = given ?? process.env['NACRE_CACHE_LIMIT']
  if (text === undefined || text === '') return undefined
  const bytes = parseSize(text)
  if (bytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--cache-limit takes a size such as 500M, not "${text}"`)
  return bytes
}

function madeTemporary(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'nacre-cache-'))
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `no temporary cache can be made in ${tmpdir()}: ${(cause as Error).message}; set TMPDIR to a folder that you can write to`, { cause, path: tmpdir() })
  }
}

/** In a folder that all may write to, somebody may have made it before us. */
function requireOwn(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch {
    // It is there, or whoever uses it next says why it cannot be.
  }
  if (!existsSync(path)) return
  const stat = lstatSync(path)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || (stat.mode & 0o077) !== 0) {
    throw new BackupError('INVALID_ARGUMENT', `the cache folder ${path} is not yours alone; name another with --cache-dir`, { path })
  }
}
