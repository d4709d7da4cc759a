/**
 * Making a file in a folder that is held by descriptor: whole under a temporary name, and only then
 * under its own, which is never taken from anything that stands there.
 */
import { equalBytes } from './bytes.ts'
import { fchmod, fchmodAt, fchown, fchownAt } from './posix/attributes.ts'
import { renameAtNoReplace, unlinkAtIfPresent } from './posix/create.ts'
import { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, openAt } from './posix/open.ts'
import { escapeBytes, PosixError } from './posix/system-error.ts'
import { setTimes, setTimesAt } from './posix/times.ts'
import { getXattr, removeXattr, removeXattrAt, setXattr, setXattrAt } from './posix/xattrs.ts'

export interface TargetAttributes {
  readonly mode: number
  /** -1 leaves it as it is. */
  readonly uid: number
  readonly gid: number
  readonly mtimeS: number
  readonly mtimeNs: number
  readonly atimeS?: number | undefined
  readonly atimeNs?: number | undefined
  readonly xattrs?: readonly TargetXattr[] | undefined
  /** Whether what the folder above has handed down is taken away, where the file has no ACL itself. */
  readonly clearsAcl?: boolean | undefined
}

export interface TargetXattr {
  readonly name: Uint8Array
  readonly value: Uint8Array
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
 * Owner, mode, extended attributes and times of an open file, in the order that keeps each: a change
 * of owner takes set-id bits and capabilities away, and an ACL and the mode are two views of one
 * thing, of which the ACL says more. What the system refuses is answered, not thrown; a set-id bit is
 * never left on a file whose owner could not be set.
 */
export function setAttributes(fd: number, attributes: TargetAttributes): string | undefined {
  const refused = createRefusals()
  const { attempt } = refused
  const hasOwner = (attributes.uid === -1 && attributes.gid === -1) || attempt('owner', () => fchown(fd, attributes.uid, attributes.gid))
  attempt('mode', () => fchmod(fd, hasOwner ? attributes.mode : attributes.mode & ~SET_IDS))
  if (attributes.clearsAcl === true) clearAcl(attributes, attempt, (name) => removeXattr(fd, name))
  for (const { name, value } of attributes.xattrs ?? []) attempt(escapeBytes(name), () => setXattr(fd, name, value))
  attempt('times', () => setTimes(fd, attributes))
  return refused.message()
}

/** As `setAttributes`, of what cannot be opened: links, FIFOs, sockets and devices. */
export function setAttributesAt(dirFd: number, name: Uint8Array, attributes: TargetAttributes, isLink: boolean): string | undefined {
  const refused = createRefusals()
  const { attempt } = refused
  const hasOwner = (attributes.uid === -1 && attributes.gid === -1) || attempt('owner', () => fchownAt(dirFd, name, attributes.uid, attributes.gid))
  if (!isLink) attempt('mode', () => fchmodAt(dirFd, name, hasOwner ? attributes.mode : attributes.mode & ~SET_IDS))
  if (attributes.clearsAcl === true && !isLink) clearAcl(attributes, attempt, (attribute) => removeXattrAt(dirFd, name, attribute))
  for (const xattr of attributes.xattrs ?? []) attempt(escapeBytes(xattr.name), () => setXattrAt(dirFd, name, xattr.name, xattr.value))
  attempt('times', () => setTimesAt(dirFd, name, attributes))
  return refused.message()
}

const ACLS = ['system.posix_acl_access', 'system.posix_acl_default'].map((name) => Buffer.from(name))

function clearAcl(attributes: TargetAttributes, attempt: Attempt, remove: (name: Uint8Array) => void): void {
  for (const acl of ACLS) {
    if (attributes.xattrs?.some(({ name }) => equalBytes(name, acl)) === true) continue
    attempt('an ACL', () => {
      try {
        remove(acl)
      } catch (error) {
        const hasNone = error instanceof PosixError && (error.code === 'ENODATA' || error.code === 'ENOTSUP')
        if (!hasNone) throw error
      }
    })
  }
}

/** Whether what is made in the folder gets an ACL from it. */
export function handsDownAcl(dirFd: number): boolean {
  return getXattr(dirFd, ACLS[1]!) !== undefined
}

type Attempt = (what: string, set: () => void) => boolean

function createRefusals(): { attempt: Attempt; message(): string | undefined } {
  const refused: string[] = []
  return {
    attempt(what, set) {
      try {
        set()
        return true
      } catch (error) {
        if (!(error instanceof PosixError)) throw error
        refused.push(`${what} (${error.code})`)
        return false
      }
    },
    message: () => (refused.length === 0 ? undefined : `the system refused ${refused.join(', ')}`),
  }
}
