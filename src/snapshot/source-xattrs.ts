/**
 * Extended attributes of a source file, ACLs and capabilities among them, as a node holds them. They
 * are asked for only where a file is new or changed: setting one changes ctime.
 */
import { compareBytes } from '../util/bytes.ts'
import { errnoNumber, PosixError, systemError } from '../util/posix/system-error.ts'
import { getXattr, getXattrAt, listXattrs, listXattrsAt } from '../util/posix/xattrs.ts'
import type { ExtendedAttribute } from './node.ts'

/** Of one file, names and values. With it a node fits a tree blob, whatever else that holds. */
const MOST_BYTES = 1024 * 1024

type OnRefused = (error: PosixError) => void

/** @param onRefused - told of each attribute that is there and cannot be read */
export function xattrsAt(dirFd: number, name: Uint8Array, onRefused: OnRefused): readonly ExtendedAttribute[] | undefined {
  return gather(() => listXattrsAt(dirFd, name), (attribute) => getXattrAt(dirFd, name, attribute), onRefused)
}

/** As `xattrsAt`, of a descriptor that was opened to read. */
export function xattrsOf(fd: number, onRefused: OnRefused): readonly ExtendedAttribute[] | undefined {
  return gather(() => listXattrs(fd), (attribute) => getXattr(fd, attribute), onRefused)
}

function gather(list: () => readonly Uint8Array[], get: (attribute: Uint8Array) => Uint8Array | undefined, onRefused: OnRefused): readonly ExtendedAttribute[] | undefined {
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      onRefused(error)
      return undefined
    }
  }
  const names = attempt(list)
  if (names === undefined || names.length === 0) return undefined
  const found: ExtendedAttribute[] = []
  let bytes = 0
  for (const name of [...names].sort(compareBytes)) {
    const value = attempt(() => get(name))
    // Without a value it was taken away since it was listed.
    if (value === undefined) continue
    bytes += name.length + value.length
    if (bytes > MOST_BYTES) {
      onRefused(systemError(errnoNumber('E2BIG'), 'getxattr', name))
      break
    }
    found.push({ name, value })
  }
  return found.length === 0 ? undefined : found
}
