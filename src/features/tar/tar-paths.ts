/**
 * Names in a tar, judged before anything is made of them. A name that is absolute or climbs out of
 * its folder is refused and not mended: whoever wrote it meant something else than we would store.
 */
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { validName } from '../../snapshot/node.ts'
import { splitPath } from '../../snapshot/source-paths.ts'

const SLASH = 0x2f
const DEPTH_MOST = 2048

/**
 * The names of a path, `.` left out; none for the folder that all is in.
 * @param what - `name` or `link`, for the message
 * @throws {BackupError} CORRUPT
 */
export function tarPath(path: Uint8Array, what: string): Uint8Array[] {
  const refused = (why: string): BackupError => new BackupError('CORRUPT', `the tar holds the ${what} ${escapeBytes(path.subarray(0, 200))}, which ${why}; nothing was imported`, { path: escapeBytes(path) })
  if (path.length === 0) throw refused('is empty')
  if (path[0] === SLASH) throw refused('is absolute')
  const names = splitPath(path).filter((name) => !(name.length === 1 && name[0] === 0x2e))
  if (names.length > DEPTH_MOST) throw refused('is deeper than a folder can be')
  for (const name of names) {
    if (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e) throw refused('leads out of its folder')
    try {
      validName(name)
    } catch (cause) {
      throw new BackupError('CORRUPT', refused('no folder can hold').message, { cause })
    }
  }
  return names
}

/** A key that sorts as the tree is walked: a folder, what is in it, then its next neighbour. */
export function pathKey(prefix: number, names: readonly Uint8Array[]): Uint8Array {
  const key = new Uint8Array(1 + names.reduce((sum, name) => sum + name.length + 1, 0))
  key[0] = prefix
  let at = 1
  for (const name of names) {
    key.set(name, at)
    // No name holds a zero, and it sorts before all that names hold.
    at += name.length + 1
  }
  return key
}

export function namesOfKey(key: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = []
  for (let at = 1; at < key.length; ) {
    const end = key.indexOf(0, at)
    names.push(key.slice(at, end))
    at = end + 1
  }
  return names
}
