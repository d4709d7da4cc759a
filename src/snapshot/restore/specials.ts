/**
 * What a restore makes last: symbolic links, further names of a file that has several, FIFOs and
 * devices. A link is only ever made to a file that this restore has put there. What takes the place
 * of something else is made under a temporary name first, so one of the two always stands there.
 */
import { equalBytes } from '../../util/bytes.ts'
import { linkAt, mknodAt, readlinkAt, renameAt, symlinkAt, unlinkAtIfPresent } from '../../util/posix/create.ts'
import { close, O_DIRECTORY, O_PATH, O_RDONLY, openBeneath } from '../../util/posix/open.ts'
import { type FileStat, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { setAttributesAt, temporaryName } from '../../util/target-file.ts'
import type { Node } from '../node.ts'
import { hasAttributes } from './adjust.ts'
import { decideOther } from './decide.ts'
import type { NodeAttributes } from './owner.ts'
import { requireRoom } from './pending.ts'
import type { Tally } from './tally.ts'
import type { Overwrite } from './types.ts'
import { pathOf, type RestoreStep } from './walk.ts'

type Entry = Extract<RestoreStep, { kind: 'entry' }>

export interface SpecialsOptions {
  readonly targetFd: number
  readonly attributesOf: NodeAttributes
  readonly tally: Tally
  readonly overwrite: Overwrite
  readonly isDry: boolean
  /** Stands for a folder that a dry run would make. */
  readonly planned: number
  /** Whether a folder that stands there is out of the way now. */
  readonly clearFolder: (dirFd: number, step: Entry) => Promise<boolean>
}

export interface Specials {
  /** Whether the file is a further name of one that was met before: it is linked at the end. */
  isLater(step: Entry): boolean
  make(dirFd: number | undefined, step: Entry, clearsAcl: boolean): Promise<void>
}

export function createSpecials({ targetFd, attributesOf, tally, overwrite, isDry, planned, clearFolder }: SpecialsOptions): Specials {
  /** Where each file with several names stands first. */
  const first = new Map<string, Entry>()
  const keyOf = (node: Node): string | undefined => (node.type === 'file' && node.links > 1 ? `${node.device ?? 0}:${node.inode}` : undefined)
  const lookAt = (dirFd: number, name: Uint8Array): FileStat | undefined => (dirFd === planned ? undefined : statAtIfPresent(dirFd, name))

  /** Makes it by `create`, in the place of what stands there if that must yield. Whether it was made. */
  const place = async (dirFd: number, step: Entry, standing: FileStat | undefined, create: (name: Uint8Array) => boolean): Promise<boolean> => {
    const { name } = step.node
    if (standing === undefined) {
      if (!isDry) return create(name)
      tally.planned('create', pathOf(step), 0)
      return true
    }
    const verdict = decideOther(overwrite, step.node, standing)
    if (verdict === 'newer') {
      tally.newer(pathOf(step))
      return false
    }
    if (verdict === 'keep' || (standing.type === 'directory' && !(await clearFolder(dirFd, step)))) {
      tally.problem(pathOf(step), 'kept', standing.type === 'directory' ? 'a folder stands there and was left as it is' : 'something else stands there and was left as it is')
      return false
    }
    if (isDry) tally.planned('overwrite', pathOf(step), 0)
    else if (!exchange(dirFd, name, create)) return false
    tally.overwritten()
    return true
  }

  const link = async (dirFd: number, step: Entry, origin: Entry): Promise<void> => {
    if (tally.hasProblem(pathOf(origin))) throw new Refused('the file that it is another name of could not be restored')
    const standing = lookAt(dirFd, step.node.name)
    if (tally.isNewer(pathOf(origin))) {
      if (standing === undefined) throw new Refused('the file that it is another name of is newer and was left')
      return tally.newer(pathOf(step))
    }
    if (isDry) return void ((await place(dirFd, step, standing, () => true)) && tally.fileDone(0, () => pathOf(step), undefined))
    const folder = origin.folder.length === 0 ? targetFd : openBeneath(targetFd, origin.folder, O_RDONLY | O_PATH | O_DIRECTORY)
    try {
      const before = statAtIfPresent(folder, origin.node.name)
      if (before?.type !== 'file') throw new Refused('the file that it is another name of is gone')
      if (standing !== undefined && standing.inode === before.inode && standing.device === before.device) return tally.unchanged(pathOf(step))
      const isMade = await place(dirFd, step, standing, (name) => {
        linkAt(folder, origin.node.name, dirFd, name)
        const after = statAtIfPresent(dirFd, name)
        if (after?.inode !== before.inode || after.device !== before.device) throw new Refused('somebody exchanged the file while it was linked')
        return true
      })
      if (isMade) tally.fileDone(0, () => pathOf(step), undefined)
    } finally {
      if (folder !== targetFd) close(folder)
    }
  }

  const special = async (dirFd: number, step: Entry, clearsAcl: boolean): Promise<void> => {
    const { node } = step
    const standing = lookAt(dirFd, node.name)
    const attributes = attributesOf(node, clearsAcl)
    const dress = (name: Uint8Array): void => {
      const warning = setAttributesAt(dirFd, name, attributes, node.type === 'symlink')
      if (warning !== undefined) tally.warning(pathOf(step), warning)
    }
    if (standing !== undefined && isSame(dirFd, node, standing)) {
      const wanted = node.type === 'symlink' ? { ...attributes, mode: standing.mode } : attributes
      if (overwrite !== 'never' && !isDry && standing.links === 1 && !hasAttributes(standing, wanted)) dress(node.name)
      return tally.unchanged(pathOf(step))
    }
    const isMade = await place(dirFd, step, standing, (name) => {
      if (!createSpecial(dirFd, name, step)) return false
      dress(name)
      return true
    })
    if (isMade) tally.otherDone()
  }

  const createSpecial = (dirFd: number, name: Uint8Array, step: Entry): boolean => {
    const { node } = step
    if (node.type === 'symlink') symlinkAt(node.target ?? new Uint8Array(0), dirFd, name)
    else if (node.type !== 'file' && node.type !== 'directory') {
      try {
        mknodAt(dirFd, name, { type: node.type, mode: 0o600, rdevMajor: node.rdev?.major ?? 0, rdevMinor: node.rdev?.minor ?? 0 })
      } catch (error) {
        // It holds no bytes that could be missing.
        if (!(error instanceof PosixError) || !NO_SPECIALS.has(error.code)) throw error
        tally.warning(pathOf(step), `the system refused a ${node.type === 'block' || node.type === 'character' ? 'device' : node.type} (${error.code})`)
        return false
      }
    }
    return true
  }

  return {
    isLater(step) {
      const key = keyOf(step.node)
      if (key === undefined) return false
      const origin = first.get(key)
      if (origin === undefined) first.set(key, step)
      return origin !== undefined
    },
    async make(dirFd, step, clearsAcl) {
      if (dirFd === undefined) return
      const key = keyOf(step.node)
      const origin = key === undefined ? undefined : first.get(key)
      if (step.node.type === 'file' && (origin === undefined || origin.folder.length === step.folder.length && equalBytes(pathOf(origin), pathOf(step)))) return
      try {
        if (origin !== undefined) await link(dirFd, step, origin)
        else await special(dirFd, step, clearsAcl)
      } catch (error) {
        if (!(error instanceof PosixError) && !(error instanceof Refused)) throw error
        if (error instanceof PosixError) requireRoom(error)
        tally.problem(pathOf(step), 'failed', error.message)
      }
    },
  }
}

/** Makes it under a temporary name and gives it the other at once. */
function exchange(dirFd: number, name: Uint8Array, create: (name: Uint8Array) => boolean): boolean {
  const temporary = temporaryName()
  let isNamed = false
  try {
    if (!create(temporary)) return false
    renameAt(dirFd, temporary, dirFd, name)
    isNamed = true
    return true
  } finally {
    if (!isNamed) unlinkAtIfPresent(dirFd, temporary)
  }
}

function isSame(dirFd: number, node: Node, standing: FileStat): boolean {
  if (standing.type !== node.type) return false
  if (node.type === 'symlink') return equalBytes(readlinkAt(dirFd, node.name), node.target ?? new Uint8Array(0))
  return node.rdev === undefined || (standing.rdevMajor === node.rdev.major && standing.rdevMinor === node.rdev.minor)
}

/** An ordinary user may make no devices, and some file systems hold no special files. */
const NO_SPECIALS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'])

class Refused extends Error {}
