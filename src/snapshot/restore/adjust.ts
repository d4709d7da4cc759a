/**
 * The attributes of a file that stands there with the right bytes. They are only set where they
 * differ, since setting them changes ctime, and a backup would read the file again.
 */
import { equalBytes } from '../../util/bytes.ts'
import { close, openAt, OPEN_TO_READ } from '../../util/posix/open.ts'
import { type FileStat, fstat } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { listXattrs, removeXattr } from '../../util/posix/xattrs.ts'
import { setAttributes, type TargetAttributes } from '../../util/target-file.ts'
import { xattrsOf } from '../source-xattrs.ts'

/**
 * A warning, or nothing; `replace` when the file has other names, which must not change with it: in
 * a folder that others write to, one may be a file of somebody else's.
 * @throws {PosixError}
 */
export function adjustAttributes(dirFd: number, name: Uint8Array, attributes: TargetAttributes): { readonly warning: string | undefined } | 'replace' {
  const fd = openAt(dirFd, name, OPEN_TO_READ)
  try {
    const stat = fstat(fd)
    if (stat.type !== 'file') return 'replace'
    if (hasAttributes(stat, attributes) && hasXattrs(fd, attributes)) return { warning: undefined }
    if (stat.links > 1) return 'replace'
    clearExtraXattrs(fd, attributes)
    return { warning: setAttributes(fd, attributes) }
  } finally {
    close(fd)
  }
}

export function hasAttributes(stat: FileStat, { mode, uid, gid, mtimeS, mtimeNs }: TargetAttributes): boolean {
  return stat.mode === mode && (uid === -1 || stat.uid === uid) && (gid === -1 || stat.gid === gid) && stat.mtimeS === mtimeS && stat.mtimeNs === mtimeNs
}

/** Takes attributes away that the file is not to have; those that the system keeps for itself, such as labels, stay. */
export function clearExtraXattrs(fd: number, attributes: TargetAttributes): void {
  if (attributes.leavesXattrs === true) return
  for (const name of listXattrs(fd)) {
    if (!isOurs(name) || attributes.xattrs?.some((wanted) => equalBytes(wanted.name, name)) === true) continue
    try {
      removeXattr(fd, name)
    } catch (error) {
      // Gone, or not ours to take: its bytes are whole all the same.
      if (!(error instanceof PosixError)) throw error
    }
  }
}

function hasXattrs(fd: number, attributes: TargetAttributes): boolean {
  if (attributes.leavesXattrs === true) return true
  const wanted = attributes.xattrs ?? []
  let isRefused = false
  const found = xattrsOf(fd, () => (isRefused = true)) ?? []
  // What cannot be read cannot be told to differ.
  if (isRefused) return true
  const isWanted = (name: Uint8Array): boolean => wanted.some((other) => equalBytes(other.name, name))
  const isThere = (name: Uint8Array, value: Uint8Array): boolean => found.some((other) => equalBytes(other.name, name) && equalBytes(other.value, value))
  return wanted.every(({ name, value }) => isThere(name, value)) && found.every(({ name }) => !isOurs(name) || isWanted(name))
}

const OURS = ['user.', 'trusted.', 'system.posix_acl_', 'security.capability']

function isOurs(name: Uint8Array): boolean {
  const text = Buffer.from(name).toString('latin1')
  return OURS.some((prefix) => text.startsWith(prefix))
}
