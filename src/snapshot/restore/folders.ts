/**
 * The folders of a restore, held open from the target down to where the walk is. A folder gets its
 * own attributes when all below it is there, so that neither a time is spoilt nor a way barred; one
 * that links or special files will come into, or that such a one lies below, waits for the second
 * walk, which visits no others.
 */
import { sha256 } from '../../crypto/hash.ts'
import { IdSet } from '../../util/id-set.ts'
import { mkdirAtIfAbsent, unlinkAtIfPresent } from '../../util/posix/create.ts'
import { close, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openAt, openAtIfPresent, openBeneath } from '../../util/posix/open.ts'
import { statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { handsDownAcl, setAttributes } from '../../util/target-file.ts'
import type { Node } from '../node.ts'
import type { Tally } from './tally.ts'
import { decideOther } from './decide.ts'
import { clearHalves, clearLeftovers, type Halves, takeHalf } from './leftovers.ts'
import type { NodeAttributes } from './owner.ts'
import { requireRoom } from './pending.ts'
import type { Overwrite } from './types.ts'

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
  /** The temporary name of what an interrupted restore has made of the file in the current folder. */
  takeHalf(node: Node): Uint8Array | undefined
  /** Of what interrupted restores have left in the target's own folder, takes away the rest. */
  clearHalves(): void
  /** Something will come into the current folder with the second walk. */
  postpone(): void
  /** A file of the current folder is under way; call what is answered when it is done. */
  begin(): () => void
  /** Whether the second walk must visit the folder; without a path, whether there must be one. */
  isPostponed(path?: Uint8Array): boolean
}

/** A folder that waits for what is below it. */
interface Unfinished {
  readonly path: Uint8Array
  readonly node: Node
  readonly above: Unfinished | undefined
  /** Files under way, folders without their attributes, and the walk itself while it is inside. */
  waiting: number
  isPostponed: boolean
  readonly handsDownAcl: boolean
}

interface Level {
  readonly path: Uint8Array
  readonly fd: number | undefined
  readonly isFresh: boolean
  readonly handsDownAcl: boolean
  readonly halves?: Halves
  readonly unfinished: Unfinished | undefined
}

const NO_HALVES: Halves = new Map()

export interface FoldersOptions {
  readonly targetFd: number
  readonly attributesOf: NodeAttributes
  readonly tally: Tally
  readonly overwrite: Overwrite
  readonly isDry: boolean
}

export function createFolders({ targetFd, attributesOf, tally, overwrite, isDry }: FoldersOptions): Folders {
  const targetHalves = targetFd !== -1 && !isDry ? clearLeftovers(targetFd) : NO_HALVES
  const stack: Level[] = []
  const targetHandsDownAcl = targetFd !== -1 && handsDownAcl(targetFd)
  const postponed = new IdSet()
  let mustWalkAgain = false
  const current = (): number | undefined => (stack.length === 0 ? (targetFd === -1 ? PLANNED : targetFd) : stack.at(-1)!.fd)
  const currentHandsDownAcl = (): boolean => (stack.length === 0 ? targetHandsDownAcl : stack.at(-1)!.handsDownAcl)

  const open = (path: Uint8Array, node: Node): Pick<Level, 'fd' | 'isFresh' | 'handsDownAcl' | 'halves'> => {
    const above = current()
    if (above === undefined || above === PLANNED) return { fd: above, isFresh: true, handsDownAcl: false }
    const kept = (): Pick<Level, 'fd' | 'isFresh' | 'handsDownAcl'> => {
      tally.problem(path, 'kept', 'something that is no folder stands there and was left; nothing below it is restored')
      return { fd: undefined, isFresh: false, handsDownAcl: false }
    }
    try {
      const isAboveFresh = stack.at(-1)?.isFresh ?? false
      const standing = isAboveFresh ? undefined : statAtIfPresent(above, node.name)
      const isInTheWay = standing !== undefined && standing.type !== 'directory'
      if (isInTheWay) {
        if (decideOther(overwrite, node, standing) !== 'replace') return kept()
        tally.overwritten()
        if (isDry) tally.planned('overwrite', path, 0)
        else unlinkAtIfPresent(above, node.name)
      }
      if (isDry) {
        const fd = standing === undefined || isInTheWay ? PLANNED : openAt(above, node.name, OPEN)
        return { fd, isFresh: fd === PLANNED, handsDownAcl: false }
      }
      const isFresh = mkdirAtIfAbsent(above, node.name, 0o700)
      const fd = openAt(above, node.name, OPEN)
      const halves = isFresh ? NO_HALVES : clearLeftovers(fd)
      // A folder just made has what the one above hands down, and nothing else.
      return { fd, isFresh, halves, handsDownAcl: isFresh ? currentHandsDownAcl() : handsDownAcl(fd) }
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      requireRoom(error)
      // Somebody was here since it was looked at.
      if (error.code === 'ENOTDIR' || error.code === 'ELOOP') return kept()
      tally.problem(path, 'failed', error.message)
      return { fd: undefined, isFresh: false, handsDownAcl: false }
    }
  }

  const leave = (): Level => {
    const level = stack.pop()!
    if (level.fd !== undefined && level.fd !== PLANNED) close(level.fd)
    return level
  }

  const setFolderAttributes = (fd: number, path: Uint8Array, node: Node, clearsAcl: boolean): void => {
    const warning = setAttributes(fd, attributesOf(node, clearsAcl))
    if (warning !== undefined) tally.warning(path, warning)
  }

  /** One thing less to wait for; the last gives the folder its attributes. */
  const settle = (folder: Unfinished): void => {
    if (--folder.waiting > 0) return
    if (folder.isPostponed) {
      mustWalkAgain = true
      postponed.add(sha256(folder.path))
      if (folder.above !== undefined) folder.above.isPostponed = true
    } else {
      try {
        const fd = openBeneath(targetFd, folder.path, OPEN)
        try {
          setFolderAttributes(fd, folder.path, folder.node, folder.handsDownAcl)
        } finally {
          close(fd)
        }
      } catch (error) {
        if (!(error instanceof PosixError)) throw error
        tally.warning(folder.path, error.message)
      }
    }
    if (folder.above !== undefined) settle(folder.above)
  }

  return {
    targetFd,
    PLANNED,
    current,
    enter(path, node) {
      const level = open(path, node)
      if (level.fd !== undefined) tally.folderDone()
      const above = stack.at(-1)?.unfinished
      const unfinished = level.fd === undefined || isDry ? undefined : { path, node, above, waiting: 1, isPostponed: false, handsDownAcl: level.handsDownAcl }
      if (unfinished !== undefined && above !== undefined) above.waiting++
      stack.push({ path, ...level, unfinished })
    },
    reopen(path, node) {
      const above = current()
      let fd: number | undefined
      try {
        if (above === PLANNED) fd = PLANNED
        else if (above !== undefined && !tally.hasProblem(path)) fd = openAtIfPresent(above, node.name, OPEN) ?? (isDry ? PLANNED : undefined)
      } catch (error) {
        // It could not be entered the first time either, and that was said.
        if (!(error instanceof PosixError)) throw error
      }
      stack.push({ path, fd, isFresh: false, handsDownAcl: fd !== undefined && fd !== PLANNED && handsDownAcl(fd), unfinished: undefined })
    },
    isFresh: () => stack.at(-1)?.isFresh ?? false,
    handsDownAcl: currentHandsDownAcl,
    takeHalf(node) {
      const dirFd = current()
      const halves = stack.length === 0 ? targetHalves : stack.at(-1)!.halves
      return dirFd === undefined || dirFd === PLANNED || halves === undefined ? undefined : takeHalf(dirFd, halves, node)
    },
    clearHalves: () => clearHalves(targetFd, targetHalves),
    leave() {
      const { fd, halves } = stack.at(-1)!
      if (fd !== undefined && fd !== PLANNED && halves !== undefined) clearHalves(fd, halves)
      const { unfinished } = leave()
      if (unfinished !== undefined) settle(unfinished)
    },
    finish(node) {
      const level = stack.at(-1)!
      if (level.fd !== undefined) setFolderAttributes(level.fd, level.path, node, level.handsDownAcl)
      leave()
    },
    postpone() {
      mustWalkAgain = true
      const folder = stack.at(-1)?.unfinished
      if (folder !== undefined) folder.isPostponed = true
    },
    begin() {
      const folder = stack.at(-1)?.unfinished
      if (folder === undefined) return () => undefined
      folder.waiting++
      return () => settle(folder)
    },
    isPostponed: (path) => (path === undefined ? mustWalkAgain : postponed.has(sha256(path))),
  }
}
