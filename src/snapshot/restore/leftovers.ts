/** Temporary files that an interrupted restore has left in a folder: the next one takes them away. */
import { unlinkAtIfPresent } from '../../util/posix/create.ts'
import { listEntries } from '../../util/posix/directory.ts'
import { statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { temporaryOwner } from '../../util/target-file.ts'

export function clearLeftovers(dirFd: number): void {
  try {
    const entries = listEntries(dirFd)
    for (let entry = entries.next(); entry !== undefined; entry = entries.next()) {
      if (entry.type !== 'directory' && isLeftover(dirFd, entry.name)) unlinkAtIfPresent(dirFd, entry.name)
    }
  } catch (error) {
    // What cannot be listed or removed here bears a name that says what it is.
    if (!(error instanceof PosixError)) throw error
  }
}

/** Whether it is a temporary file of a process that is no more. */
export function isLeftover(dirFd: number, name: Uint8Array): boolean {
  const owner = temporaryOwner(name)
  if (owner === undefined) return false
  if (owner !== process.pid) return !isAlive(owner)
  // In a container every restore may be the same number; ours are younger than we are.
  const stat = statAtIfPresent(dirFd, name)
  return stat !== undefined && stat.ctimeS < Math.floor(performance.timeOrigin / 1000) - 1
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
