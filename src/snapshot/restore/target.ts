/** The target's folder: made where it is missing, and looked at before anything in it is deleted. */
import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { utf8 } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { mkdirAtIfAbsent } from '../../util/posix/create.ts'
import { AT_FDCWD, O_DIRECTORY, O_RDONLY, openAt } from '../../util/posix/open.ts'
import { fstat, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { splitPath } from '../source-paths.ts'
import type { RestoreOptions } from './types.ts'

/**
 * -1 where a dry run finds no folder.
 * @throws {BackupError} TARGET_REFUSED
 */
export function openTarget(options: Pick<RestoreOptions, 'target' | 'dryRun'>): number {
  const target = typeof options.target === 'string' ? utf8(options.target) : options.target
  try {
    if (options.dryRun === true) return openAtOrNone(target)
    let path = target[0] === 0x2f ? '/' : ''
    for (const name of splitPath(target)) {
      path += Buffer.from(name).toString('latin1')
      mkdirAtIfAbsent(AT_FDCWD, Buffer.from(path, 'latin1'), 0o700)
      path += '/'
    }
    return openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY)
  } catch (cause) {
    if (!(cause instanceof PosixError)) throw cause
    throw new BackupError('TARGET_REFUSED', `the target cannot be used: ${cause.message}`, { cause })
  }
}

function openAtOrNone(target: Uint8Array): number {
  try {
    return openAt(AT_FDCWD, target, O_RDONLY | O_DIRECTORY)
  } catch (error) {
    if (error instanceof PosixError && error.code === 'ENOENT') return -1
    throw error
  }
}

/**
 * By the folder itself and not by its name, so that no link and no spelling hides it.
 * @throws {BackupError} INVALID_ARGUMENT - the target is the user's home folder or one above it
 */
export function requireNotHome(targetFd: number): void {
  const target = fstat(targetFd)
  for (const path of upwards(homeFolder())) {
    const stat = statAtIfPresent(AT_FDCWD, utf8(path), { follow: true })
    if (stat === undefined || stat.inode !== target.inode || stat.device !== target.device) continue
    throw new BackupError('INVALID_ARGUMENT', `the target is ${path}, and what the backup left out there would be deleted with the rest: --delete-in-home-or-root says that this is meant`)
  }
}

function homeFolder(): string {
  try {
    return realpathSync(homedir())
  } catch {
    // A home that is not there holds nothing.
    return '/'
  }
}

function upwards(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '')
  return ['/', ...names.map((_name, i) => `/${names.slice(0, i + 1).join('/')}`)].reverse()
}
