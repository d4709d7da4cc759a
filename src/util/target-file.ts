/**
 * Making a file in a folder that is held by descriptor: whole under a temporary name, and only then
 * under its own, which is never taken from anything that stands there.
 */
import { fchmod, fchown } from './posix/attributes.ts'
import { renameAtNoReplace, unlinkAtIfPresent } from './posix/create.ts'
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, openAt } from './posix/open.ts'
import { PosixError } from './posix/system-error.ts'
import { setTimes } from './posix/times.ts'

export interface TargetAttributes {
  readonly mode: number
  /** -1 leaves it as it is. */
  readonly uid: number
  readonly gid: number
  readonly mtimeS: number
  readonly mtimeNs: number
}

let counter = 0
const run = Math.floor(performance.timeOrigin + performance.now() * 1000) % 0x7fffffff

/** Unlike any other of this process: the thread's number is in the time its clock began. */
export function temporaryName(): Uint8Array {
  return Buffer.from(`.nacre-${process.pid.toString(36)}-${run.toString(36)}-${(counter++).toString(36)}`)
}

export function createTemporary(dirFd: number, name: Uint8Array): number {
  return openAt(dirFd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
}

/** False, and the temporary file is gone, when the name is taken. */
export function giveName(dirFd: number, temporary: Uint8Array, name: Uint8Array): boolean {
  if (renameAtNoReplace(dirFd, temporary, dirFd, name)) return true
  unlinkAtIfPresent(dirFd, temporary)
  return false
}

const SET_IDS = 0o6000

/**
 * Owner, mode and times of an open file, in the order that keeps each. What the system refuses is
 * answered, not thrown; a set-id bit is never left on a file whose owner could not be set.
 */
export function setAttributes(fd: number, attributes: TargetAttributes): string | undefined {
  const refused: string[] = []
  const attempt = (what: string, set: () => void): boolean => {
    try {
      set()
      return true
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      refused.push(`${what} (${error.code})`)
      return false
    }
  }
  const hasOwner = (attributes.uid === -1 && attributes.gid === -1) || attempt('owner', () => fchown(fd, attributes.uid, attributes.gid))
  attempt('mode', () => fchmod(fd, hasOwner ? attributes.mode : attributes.mode & ~SET_IDS))
  attempt('times', () => setTimes(fd, attributes))
  return refused.length === 0 ? undefined : `the system refused ${refused.join(', ')}`
}
