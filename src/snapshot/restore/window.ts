/**
 * A window of a restore: so many files with all uses of their blobs. It knows which reads are still
 * out, so that windows can follow each other without a pause: the reads of the next begin while the
 * last of this one are under way.
 */
import type { TargetAttributes } from '../../util/target-file.ts'
import type { ContentBlob } from '../content.ts'
import { createPlacement, type Placement } from '../extents.ts'
import type { Node } from '../node.ts'
import type { BlobUse, Read } from './requests.ts'

export interface RestoreFile {
  /** Of the folder, below the target, without a leading slash. */
  readonly folder: Uint8Array
  readonly node: Node
  readonly attributes: TargetAttributes
  /** Whether it takes the name of what stands there. */
  readonly replaces: boolean
  /** Whether a file stands there of which it may have blocks: those are not fetched. */
  readonly hasBasis: boolean
  /** Temporary name of what an interrupted restore has made of it, which is ours now. */
  readonly half?: Uint8Array | undefined
  /** Called once, when the file is done or given up. */
  readonly onEnd: () => void
}

/** A file on its way. */
export interface Pending {
  readonly file: RestoreFile
  /** Where in the file its blobs go. */
  readonly placement: Placement
  /** Open, when its parts come from several places. */
  open: OpenFile | undefined
  /** Bytes of its content that come from the repository; counted in a dry run. */
  fetched: number
  problem: { readonly reason: 'kept' | 'damaged' | 'failed'; readonly message: string } | undefined
  isDone: boolean
  /** Whether it goes through several windows. */
  isLong: boolean
}

export interface OpenFile {
  readonly fd: number
  readonly dirFd: number
  /** undefined for a file that is written in place. */
  readonly temporary: Uint8Array | undefined
  /** What to take blocks from, in this order; `fd` itself where these are in it already. */
  readonly bases: readonly number[]
}

export type Use = BlobUse<Pending>

export interface RestoreWindow {
  readonly files: readonly Pending[]
  readonly uses: readonly Use[]
  /** Those whose bytes must come from the repository; set when that is known. */
  wanted: readonly Use[]
  /** The file that goes on in the next window, if one does. */
  readonly last: Pending | undefined
  /** Whether none follows. */
  readonly isEnd: boolean
  /** Files that a damaged or missing frame has spoilt in this round. */
  readonly damaged: Map<Pending, string>
}

export interface WindowGatherer {
  /** The window so far, when it is full; it begins anew. */
  takeIfFull(last: Pending | undefined): RestoreWindow | undefined
  /** What is left; no more is to come. */
  takeLast(): RestoreWindow
  addFile(file: RestoreFile): Pending
  /** Blobs for which the file has no room are a problem of it. */
  addBlobs(pending: Pending, blobs: Iterable<ContentBlob>): void
}

const WINDOW_FILES = 2048
const WINDOW_BLOBS = 4096
/** Each takes three or four descriptors while the window lasts. */
const WINDOW_BASES = 128

export function createWindowGatherer(): WindowGatherer {
  let files: Pending[] = []
  let uses: Use[] = []
  let bases = 0
  const take = (last: Pending | undefined, isEnd = false): RestoreWindow => {
    const window = { files, uses, wanted: [], last, isEnd, damaged: new Map<Pending, string>() }
    if (last !== undefined) last.isLong = true
    files = last === undefined ? [] : [last]
    uses = []
    bases = 0
    return window
  }
  return {
    takeLast: () => take(undefined, true),
    takeIfFull: (last) => (files.length >= WINDOW_FILES || uses.length >= WINDOW_BLOBS || bases >= WINDOW_BASES ? take(last) : undefined),
    addFile(file) {
      const { size, extents } = file.node
      const pending: Pending = { file, placement: createPlacement(size, extents), open: undefined, fetched: 0, problem: undefined, isDone: false, isLong: false }
      if (file.hasBasis || file.half !== undefined) bases++
      files.push(pending)
      return pending
    },
    addBlobs(pending, blobs) {
      for (const blob of blobs) {
        const position = pending.placement.place(blob.length)
        if (position === undefined) return misfits(pending)
        uses.push({ file: pending, blob, position })
      }
    },
  }
}

export function misfits(pending: Pending): void {
  pending.problem ??= { reason: 'damaged', message: `the snapshot says ${pending.file.node.size} bytes and lists others` }
}

/** Files all of whose blobs come with one read, and that are written from their beginning on. */
export function wholeFiles(reads: readonly Read<Pending>[]): Map<Pending, Read<Pending>> {
  const whole = new Map<Pending, Read<Pending>>()
  const spread = new Set<Pending>()
  for (const read of reads) {
    for (const uses of read.uses) {
      for (const { use } of uses) {
        if (use.file.isLong || use.file.open !== undefined || use.file.file.node.extents !== undefined) continue
        const before = whole.get(use.file)
        if (before === undefined) whole.set(use.file, read)
        else if (before !== read) spread.add(use.file)
      }
    }
  }
  for (const file of spread) whole.delete(file)
  return whole
}
