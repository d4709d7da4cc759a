/** The folders of a restore, held open from the target down to where it is at work. */
import { mkdirAtIfAbsent } from '../util/posix/create.ts'
import { close, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt, openAtIfPresent } from '../util/posix/open.ts'
import { PosixError } from '../util/posix/system-error.ts'
import { handsDownAcl, setAttributes } from '../util/target-file.ts'
import type { Node } from './node.ts'
import type { Tally } from './restore-tally.ts'
import { attributesOf } from './restore-owner.ts'

const OPEN = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
/** Stands for a folder that a dry run would make. */
const PLANNED = -2

export interface Folders {
  readonly targetFd: number
  readonly PLANNED: number
  /** Makes the folder, where it is missing, and goes into it. */
  enter(path: Uint8Array, node: Node): void
  /** Goes into a folder that `enter` has made. */
  reopen(path: Uint8Array, node: Node): void
  leave(): void
  /** Leaves the folder with the attributes that it is to have. */
  finish(node: Node): void
  /** Descriptor of the folder; undefined when it could not be made. */
  current(): number | undefined
  /** Whether this restore has just made the folder: then nothing stands in it. */
  isFresh(): boolean
  /** Whether what is made in the folder gets an ACL from it. */
  handsDownAcl(): boolean
}

interface Level {
  readonly path: Uint8Array
  readonly fd: number | undefined
  readonly isFresh: boolean
  readonly handsDownAcl: boolean
}

export function createFolders(targetFd: number, tally: Tally, isDry: boolean): Folders {
  const stack: Level[] = []
  const targetHandsDownAcl = targetFd !== -1 && handsDownAcl(targetFd)
  const current = (): number | undefined => (stack.length === 0 ? (targetFd === -1 ? PLANNED : targetFd) : stack.at(-1)!.fd)
  const currentHandsDownAcl = (): boolean => (stack.length === 0 ? targetHandsDownAcl : stack.at(-1)!.handsDownAcl)

  const open = (path: Uint8Array, node: Node): Omit<Level, 'path'> => {
    const above = current()
    if (above === undefined || above === PLANNED) return { fd: above, isFresh: true, handsDownAcl: false }
    try {
      if (isDry) return { fd: openAtIfPresent(above, node.name, OPEN) ?? PLANNED, isFresh: false, handsDownAcl: false }
      const isFresh = mkdirAtIfAbsent(above, node.name, 0o700)
      const fd = openAt(above, node.name, OPEN)
      // A folder just made has what the one above hands down, and nothing else.
      return { fd, isFresh, handsDownAcl: isFresh ? currentHandsDownAcl() : handsDownAcl(fd) }
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      const isTaken = error.code === 'ENOTDIR' || error.code === 'ELOOP'
      tally.problem(path, isTaken ? 'kept' : 'failed', isTaken ? 'something that is no folder stands there and was left; nothing below it is restored' : error.message)
      return { fd: undefined, isFresh: false, handsDownAcl: false }
    }
  }

  const leave = (): Level => {
    const level = stack.pop()!
    if (level.fd !== undefined && level.fd !== PLANNED) close(level.fd)
    return level
  }

  return {
    targetFd,
    PLANNED,
    current,
    enter(path, node) {
      const level = open(path, node)
      if (level.fd !== undefined && !isDry) tally.folderDone()
      stack.push({ path, ...level })
    },
    reopen(path, node) {
      const above = current()
      let fd: number | undefined
      try {
        fd = above === undefined ? undefined : openAtIfPresent(above, node.name, OPEN)
      } catch (error) {
        // It could not be entered the first time either, and that was said.
        if (!(error instanceof PosixError)) throw error
      }
      stack.push({ path, fd, isFresh: false, handsDownAcl: fd !== undefined && handsDownAcl(fd) })
    },
    isFresh: () => stack.at(-1)?.isFresh ?? false,
    handsDownAcl: currentHandsDownAcl,
    leave: () => void leave(),
    finish(node) {
      const level = stack.at(-1)!
      const warning = level.fd === undefined ? undefined : setAttributes(level.fd, attributesOf(node, level.handsDownAcl))
      if (warning !== undefined) tally.warning(level.path, warning)
      leave()
    },
  }
}
