/**
 * Sparse files: where a source file has data, asked of the file system and not of the bytes, so that
 * a hole of a terabyte costs one call; and which places the blobs of a content go to. Each extent is
 * cut into chunks by itself, so a blob never reaches from one into the next.
 */
import { seekData, seekHole } from '../util/posix/seek-data.ts'

export interface Extent {
  readonly offset: number
  readonly length: number
}

/** A smaller hole is stored as the zeros it reads as: they compress to nothing, and an extent costs too. */
export const HOLE_BYTES_LEAST = 64 * 1024
/** They stand in the node, 20 bytes each. Where a file has more, its smaller holes are stored as zeros. */
const EXTENTS_MOST = 1024
/** Two calls each; what is beyond is taken for data. */
const RUNS_MOST = 100_000

/** Whether by what is allocated there can be a hole that is worth it. */
export function mayHaveHoles(size: number, blocks: number): boolean {
  return size - blocks * 512 >= HOLE_BYTES_LEAST
}

/**
 * The stretches of data, ascending; none for a file that is one hole, undefined for one that has no
 * hole worth telling.
 * @throws {PosixError}
 */
export function findExtents(fd: number, size: number): readonly Extent[] | undefined {
  let extents: Extent[] = []
  let least = HOLE_BYTES_LEAST
  let at = 0
  for (let runs = 0; at < size; runs++) {
    const start = runs === RUNS_MOST ? at : seekData(fd, at)
    if (start === undefined || start >= size) break
    const end = runs === RUNS_MOST ? size : Math.min(seekHole(fd, start) ?? size, size)
    // A file system that answers out of order has told nothing.
    if (end <= start) return undefined
    extents.push({ offset: start, length: end - start })
    at = end
    if (extents.length >= 2 * EXTENTS_MOST) {
      while (extents.length > EXTENTS_MOST) extents = joined(extents, (least *= 2))
    }
  }
  extents = joined(extents, least)
  while (extents.length > EXTENTS_MOST) extents = joined(extents, (least *= 2))
  const [first] = extents
  if (first === undefined) return size < HOLE_BYTES_LEAST ? undefined : []
  if (first.offset < least) extents[0] = { offset: 0, length: first.offset + first.length }
  const last = extents.pop()!
  const end = last.offset + last.length
  extents.push(size - end < least ? { offset: last.offset, length: size - last.offset } : last)
  return extents.length === 1 && extents[0]!.length === size ? undefined : extents
}

/** With holes below `least` bytes filled. */
function joined(extents: readonly Extent[], least: number): Extent[] {
  const out: Extent[] = []
  for (const extent of extents) {
    const before = out.at(-1)
    if (before === undefined || extent.offset - (before.offset + before.length) >= least) out.push(extent)
    else out[out.length - 1] = { offset: before.offset, length: extent.offset + extent.length - before.offset }
  }
  return out
}

/** Gives the blobs of a content, asked for one after another, their places in the file. */
export interface Placement {
  /** Where the next blob goes; undefined when the file has no room for it. */
  place(length: number): number | undefined
  /** Whether the blobs so far are all that the file holds. */
  isComplete(): boolean
}

export function createPlacement(size: number, extents: readonly Extent[] | undefined): Placement {
  const all = extents ?? [{ offset: 0, length: size }]
  let index = 0
  let within = 0
  const skipFull = (): void => {
    while (index < all.length && within === all[index]!.length) {
      index++
      within = 0
    }
  }
  return {
    place(length) {
      skipFull()
      const extent = all[index]
      if (extent === undefined || within + length > extent.length) return undefined
      within += length
      return extent.offset + within - length
    },
    isComplete() {
      skipFull()
      return index === all.length
    },
  }
}

/** The stretches between extents, and before and behind them. */
export function holesOf(size: number, extents: readonly Extent[]): Extent[] {
  const holes: Extent[] = []
  let at = 0
  for (const { offset, length } of [...extents, { offset: size, length: 0 }]) {
    if (offset > at) holes.push({ offset: at, length: offset - at })
    at = offset + length
  }
  return holes
}
