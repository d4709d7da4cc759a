/**
 * Making a file in a folder that is held by descriptor: whole under a temporary name, and only then
 * under its own, which is taken from what stands there only where that is asked for.
 */
import { equalBytes } from './bytes.ts'
import { fchmod, fchmodAt, fchown, fchownAt } from './posix/attributes.ts'
import { renameAt, renameAtNoReplace } from './posix/create.ts'
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
  /** Whether attributes that a file has stay, where it has others than these. */
  readonly leavesXattrs?: boolean | undefined
}

export interface TargetXattr {
  readonly name: Uint8Array
  readonly value: Uint8Array
}

let counter = 0
const run = Math.floor(performance.timeOrigin + performance.now() * 1000) % 0x7fffffff

/**
 * Unlike any other of this process: the thread's number is in the time its clock began.
 * @param mark - hexadecimal: what the file is to become, for who finds it half-written
 */
export function temporaryName(mark?: string): Uint8Array {
  return Buffer.from(`.nacre-${process.pid.toString(36)}-${run.toString(36)}-${(counter++).toString(36)}${mark === undefined ? '' : `-${mark}`}`)
}

export function createTemporary(dirFd: number, name: Uint8Array): number {
  return openAt(dirFd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
}

const TEMPORARY = /^\.nacre-([0-9a-z]+)-[0-9a-z]+-[0-9a-z]+(?:-([0-9a-f]+))?$/

/** The process that has given a temporary name; undefined for a name that is none. */
export function temporaryOwner(name: Uint8Array): number | undefined {
  if (name[0] !== 0x2e) return undefined
  const pid = TEMPORARY.exec(Buffer.from(name).toString('latin1'))?.[1]
  return pid === undefined ? undefined : Number.parseInt(pid, 36)
}

export function temporaryMark(name: Uint8Array): string | undefined {
  return TEMPORARY.exec(Buffer.from(name).toString('latin1'))?.[2]
}

/**
 * False when the name is taken; then the temporary file has its own still.
 * @param replaces - whether it takes the name from what has it, at once; a folder never yields
 */
export function giveName(dirFd: number, temporary: Uint8Array, name: Uint8Array, replaces: boolean): boolean {
  if (!replaces) return renameAtNoReplace(dirFd, temporary, dirFd, name)
  renameAt(dirFd, temporary, dirFd, name)
  return true
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
