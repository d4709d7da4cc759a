/** Files that something stands in the place of: what is decided of each, and what is done at once. */
import { type FileStat, statAtIfPresent } from '../../util/posix/stat.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { CONTENT_RECORD_BYTES } from '../content.ts'
import type { Node } from '../node.ts'
import { adjustAttributes } from './adjust.ts'
import { decideFile, decideOther } from './decide.ts'
import type { TargetLook } from './look.ts'
import type { NodeAttributes } from './owner.ts'
import type { Tally } from './tally.ts'
import type { Overwrite } from './types.ts'
import { pathOf, type RestoreStep } from './walk.ts'

type Entry = Extract<RestoreStep, { kind: 'entry' }>

/** How the file is to be made. */
export interface Making {
  readonly replaces: boolean
  readonly hasBasis: boolean
}

export interface StandingFiles {
  /** undefined where nothing is left to make: all is told. */
  look(dirFd: number, step: Entry, clearsAcl: boolean): Promise<Making | undefined>
}

export interface StandingOptions {
  readonly overwrite: Overwrite
  readonly inPlace: boolean
  readonly isDry: boolean
  readonly look: TargetLook
  readonly tally: Tally
  readonly attributesOf: NodeAttributes
  /** Whether a folder that stands there is out of the way now. */
  readonly clearFolder: (dirFd: number, step: Entry) => Promise<boolean>
}

export function createStandingFiles({ overwrite, inPlace, isDry, look, tally, attributesOf, clearFolder }: StandingOptions): StandingFiles {
  const isContentOf = async (dirFd: number, node: Node): Promise<boolean> => {
    try {
      return await look.isContentOf(dirFd, node)
    } catch (error) {
      if (!(error instanceof PosixError)) throw error
      return false
    }
  }

  /** Of a file with the right bytes. */
  const adjust = (dirFd: number, step: Entry, clearsAcl: boolean): Making | undefined => {
    if (overwrite !== 'never' && !isDry) {
      try {
        const outcome = adjustAttributes(dirFd, step.node.name, attributesOf(step.node, clearsAcl))
        if (outcome === 'replace') return { replaces: true, hasBasis: true }
        if (outcome.warning !== undefined) tally.warning(pathOf(step), outcome.warning)
      } catch (error) {
        if (!(error instanceof PosixError)) throw error
        tally.warning(pathOf(step), `its attributes could not be set: ${error.message}`)
      }
    }
    tally.unchanged(pathOf(step))
    return undefined
  }

  const replace = async (dirFd: number, step: Entry, standing: FileStat): Promise<Making | undefined> => {
    const verdict = decideOther(overwrite, step.node, standing)
    if (verdict === 'newer') return void tally.newer(pathOf(step))
    const isFolder = standing.type === 'directory'
    if (verdict === 'replace' && !isFolder) return { replaces: true, hasBasis: standing.type === 'file' && standing.size > 0 && (inPlace || hasBlocks(step.node)) }
    if (verdict === 'replace' && (await clearFolder(dirFd, step))) {
      // What has come there meanwhile is not ours to take.
      return { replaces: false, hasBasis: false }
    }
    return void tally.problem(pathOf(step), 'kept', isFolder ? 'a folder stands there and was left as it is' : 'another file stands there and was left as it is')
  }

  return {
    async look(dirFd, step, clearsAcl) {
      let standing: FileStat | undefined
      try {
        standing = statAtIfPresent(dirFd, step.node.name)
      } catch (error) {
        if (!(error instanceof PosixError)) throw error
        return void tally.problem(pathOf(step), 'failed', error.message)
      }
      const verdict = decideFile(overwrite, step.node, standing)
      if (standing === undefined || verdict === 'create') return { replaces: false, hasBasis: false }
      if (verdict === 'trust' || (verdict === 'compare' && (await isContentOf(dirFd, step.node)))) return adjust(dirFd, step, clearsAcl)
      if (verdict === 'newer') return void tally.newer(pathOf(step))
      return replace(dirFd, step, standing)
    },
  }
}

/** Whether part of it could be there where another part is not. */
function hasBlocks({ content }: Node): boolean {
  return content?.kind === 'list' || (content?.kind === 'inline' && content.records.length > CONTENT_RECORD_BYTES)
}
