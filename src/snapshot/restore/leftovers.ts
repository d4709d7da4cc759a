/**
 * Temporary files that an interrupted restore has left in a folder. The next one takes them away; but
 * large ones bear a mark that says what they were to become, and who restores that goes on with them.
 * Of what is in such a file nothing is believed: each block is compared with the snapshot's.
 */
import { sha256 } from '../../crypto/hash.ts'
import { concatBytes, toHex, utf8 } from '../../util/bytes.ts'
import { renameAtNoReplace, unlinkAtIfPresent } from '../../util/posix/create.ts'
import { listEntries } from '../../util/posix/directory.ts'
import { close, O_NOFOLLOW, O_NONBLOCK, O_RDWR, openAtIfPresent } from '../../util/posix/open.ts'
import { type FileStat, fstat, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { temporaryMark, temporaryName, temporaryOwner } from '../../util/target-file.ts'
import type { Node } from '../node.ts'

/** Two reads of a pack: what is smaller is soon done again. */
const LARGE_BYTES = 8 * 1024 * 1024
const MARK_BYTES = 8

/** By their marks, in one folder. */
export type Halves = ReadonlyMap<string, Uint8Array>

/** Takes leftovers away, but for those that bear a mark. */
export function clearLeftovers(dirFd: number): Halves {
  const halves = new Map<string, Uint8Array>()
  attempt(() => {
    const entries = listEntries(dirFd)
    for (let entry = entries.next(); entry !== undefined; entry = entries.next()) {
      if (entry.type === 'directory' || !isLeftover(dirFd, entry.name)) continue
      const mark = temporaryMark(entry.name)
      if (mark === undefined || halves.has(mark)) unlinkAtIfPresent(dirFd, entry.name)
      else halves.set(mark, new Uint8Array(entry.name))
    }
  })
  return halves
}

/** Takes away those that nobody has gone on with. */
export function clearHalves(dirFd: number, halves: Halves): void {
  for (const name of halves.values()) attempt(() => unlinkAtIfPresent(dirFd, name))
}

/** What a large file's temporary name says of what it is to become: its name and its content. */
export function markOf({ name, size, content, extents }: Node): string | undefined {
  if (size < LARGE_BYTES || content === undefined) return undefined
  const id = content.kind === 'list' ? content.root : content.records
  const holes = utf8(JSON.stringify([name.length, id.length, extents ?? null]))
  return toHex(sha256(concatBytes(holes, name, id))).slice(0, 2 * MARK_BYTES)
}

/**
 * Makes the half-written file ours, by giving it a temporary name of this process: of two who want it
 * one gets it. undefined where there is none.
 */
export function takeHalf(dirFd: number, halves: Halves, node: Node): Uint8Array | undefined {
  const mark = halves.size === 0 ? undefined : markOf(node)
  const name = mark === undefined ? undefined : halves.get(mark)
  if (name === undefined) return undefined
  return attempt(() => {
    const stat = statAtIfPresent(dirFd, name)
    if (stat === undefined || !isOurs(stat)) return undefined
    const own = temporaryName(mark)
    return renameAtNoReplace(dirFd, name, dirFd, own) ? own : undefined
  })
}

/** @param name - as `takeHalf` gave it */
export function openHalf(dirFd: number, name: Uint8Array): number | undefined {
  return attempt(() => {
    const fd = openAtIfPresent(dirFd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK)
    if (fd === undefined || isOurs(fstat(fd))) return fd
    close(fd)
    return undefined
  })
}

/** Whether nobody else has given us the file, or knows it by another name. */
function isOurs({ type, links, uid }: FileStat): boolean {
  return type === 'file' && links === 1 && (process.geteuid === undefined || uid === process.geteuid())
}

/** What cannot be listed, opened or removed here bears a name that says what it is. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof PosixError)) throw error
    return undefined
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
