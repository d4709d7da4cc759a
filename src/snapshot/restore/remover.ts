/** What becomes of the extras that are found: one remover counts them, one shows them, one deletes them. */
import { unlinkAtIfPresent } from '../../util/posix/create.ts'
import { setTimes } from '../../util/posix/times.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import type { Node } from '../node.ts'
import type { Tally } from './tally.ts'
import type { Deletion } from './types.ts'

export interface Remover {
  /** Each answers whether it is gone. @throws {PosixError} */
  file(dirFd: number, name: Uint8Array, path: Uint8Array): boolean
  /** Of a folder in which nothing is left. */
  folder(dirFd: number, name: Uint8Array, path: Uint8Array): boolean
  /** How many names are gone. */
  removed(): number
  /** Something was taken out of a restored folder, and its times are no longer those of the snapshot. */
  touched(fd: number, node: Node): void
  problem(path: Uint8Array, error: PosixError): void
}

export function countingRemover(): Remover & { counted(): Deletion } {
  let files = 0
  let folders = 0
  return {
    file: () => ++files > 0,
    folder: () => ++folders > 0,
    removed: () => files + folders,
    touched: () => undefined,
    // It is told when it is tried.
    problem: () => undefined,
    counted: () => ({ files, folders }),
  }
}

/** For a dry run: says what would be deleted. */
export function showingRemover(tally: Tally): Remover {
  const show = (_dirFd: number, _name: Uint8Array, path: Uint8Array): boolean => {
    tally.deleted(path)
    return true
  }
  return { file: show, folder: show, removed: () => 0, touched: () => undefined, problem: (path, error) => tally.problem(path, 'failed', error.message) }
}

export function deletingRemover(tally: Tally): Remover {
  let removed = 0
  const remove = (dirFd: number, name: Uint8Array, path: Uint8Array, directory: boolean): boolean => {
    if (!unlinkAtIfPresent(dirFd, name, { directory })) return true
    removed++
    tally.deleted(path)
    return true
  }
  return {
    file: (dirFd, name, path) => remove(dirFd, name, path, false),
    folder: (dirFd, name, path) => remove(dirFd, name, path, true),
    removed: () => removed,
    touched(fd, { mtimeS, mtimeNs, atime }) {
      try {
        setTimes(fd, { mtimeS, mtimeNs, atimeS: atime?.s, atimeNs: atime?.ns })
      } catch (error) {
        // A folder of somebody else's: that its attributes cannot be set was told before.
        if (!(error instanceof PosixError)) throw error
      }
    },
    problem: (path, error) => tally.problem(path, 'failed', `it could not be deleted: ${error.message}`),
  }
}
