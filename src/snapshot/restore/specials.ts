/**
 * What a restore makes last: symbolic links, further names of a file that has several, FIFOs and
 * devices. A link is only ever made to a file that this restore has put there.
 */
import { equalBytes } from '../../util/bytes.ts'
import { linkAt, mknodAt, readlinkAt, symlinkAt } from '../../util/posix/create.ts'
import { close, O_DIRECTORY, O_PATH, O_RDONLY, openBeneath } from '../../util/posix/open.ts'
import { statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { setAttributesAt } from '../../util/target-file.ts'
import type { Node } from '../node.ts'
import type { Tally } from './tally.ts'
import type { NodeAttributes } from './owner.ts'
import { pathOf, type RestoreStep } from './walk.ts'

type Entry = Extract<RestoreStep, { kind: 'entry' }>

export interface Specials {
  /** Whether the file is a further name of one that was met before: it is linked at the end. */
  isLater(step: Entry): boolean
  make(targetFd: number, dirFd: number | undefined, step: Entry, clearsAcl: boolean): void
}

export function createSpecials(attributesOf: NodeAttributes, tally: Tally): Specials {
  /** Where each file with several names stands first. */
  const first = new Map<string, Entry>()
  const keyOf = (node: Node): string | undefined => (node.type === 'file' && node.links > 1 ? `${node.device ?? 0}:${node.inode}` : undefined)

  const link = (targetFd: number, dirFd: number, step: Entry, origin: Entry): void => {
    if (tally.hasProblem(pathOf(origin))) throw new Refused('the file that it is another name of could not be restored')
    const folder = origin.folder.length === 0 ? targetFd : openBeneath(targetFd, origin.folder, O_RDONLY | O_PATH | O_DIRECTORY)
    try {
      const before = statAtIfPresent(folder, origin.node.name)
      const standing = statAtIfPresent(dirFd, step.node.name)
      if (before?.type !== 'file') throw new Refused('the file that it is another name of is gone')
      if (standing !== undefined) {
        if (standing.inode === before.inode && standing.device === before.device) return tally.unchanged(pathOf(step))
        return tally.problem(pathOf(step), 'kept', 'another file stands there and was left as it is')
      }
      linkAt(folder, origin.node.name, dirFd, step.node.name)
      const after = statAtIfPresent(dirFd, step.node.name)
      if (after?.inode !== before.inode || after.device !== before.device) throw new Refused('somebody exchanged the file while it was linked')
      tally.fileDone(() => pathOf(step), undefined)
    } finally {
      if (folder !== targetFd) close(folder)
    }
  }

  const special = (dirFd: number, step: Entry, clearsAcl: boolean): void => {
    const { node } = step
    const standing = statAtIfPresent(dirFd, node.name)
    if (standing !== undefined) {
      const isSame = standing.type === node.type && (node.type !== 'symlink' || equalBytes(readlinkAt(dirFd, node.name), node.target ?? new Uint8Array(0)))
      return isSame ? tally.unchanged(pathOf(step)) : tally.problem(pathOf(step), 'kept', 'something else stands there and was left as it is')
    }
    if (node.type === 'symlink') symlinkAt(node.target ?? new Uint8Array(0), dirFd, node.name)
    else if (node.type !== 'file' && node.type !== 'directory') {
      try {
        mknodAt(dirFd, node.name, { type: node.type, mode: 0o600, rdevMajor: node.rdev?.major ?? 0, rdevMinor: node.rdev?.minor ?? 0 })
      } catch (error) {
        // It holds no bytes that could be missing.
        if (!(error instanceof PosixError) || !NO_SPECIALS.has(error.code)) throw error
        return tally.warning(pathOf(step), `the system refused a ${node.type === 'block' || node.type === 'character' ? 'device' : node.type} (${error.code})`)
      }
    }
    const warning = setAttributesAt(dirFd, node.name, attributesOf(node, clearsAcl), node.type === 'symlink')
    if (warning !== undefined) tally.warning(pathOf(step), warning)
    tally.otherDone()
  }

  return {
    isLater(step) {
      const key = keyOf(step.node)
      if (key === undefined) return false
      const origin = first.get(key)
      if (origin === undefined) first.set(key, step)
      return origin !== undefined
    },
    make(targetFd, dirFd, step, clearsAcl) {
      if (dirFd === undefined) return
      const key = keyOf(step.node)
      const origin = key === undefined ? undefined : first.get(key)
      if (step.node.type === 'file' && (origin === undefined || origin.folder.length === step.folder.length && equalBytes(pathOf(origin), pathOf(step)))) return
      try {
        if (origin !== undefined) link(targetFd, dirFd, step, origin)
        else special(dirFd, step, clearsAcl)
      } catch (error) {
        if (!(error instanceof PosixError) && !(error instanceof Refused)) throw error
        tally.problem(pathOf(step), 'failed', error.message)
      }
    },
  }
}

/** An ordinary user may make no devices, and some file systems hold no special files. */
const NO_SPECIALS = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'])

class Refused extends Error {}
