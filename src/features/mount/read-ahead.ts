/**
 * What will be asked for next, by what was: a file that is read in order is read ahead, and where a
 * folder's files are read one after another the frames of those that follow are fetched.
 */
import { Lru } from '../../util/lru.ts'
import type { Node } from '../../snapshot/node.ts'
import { firstBlobs, piecesOfRange } from './content-range.ts'
import type { FrameStore } from './frame-store.ts'
import type { TreeCache } from './tree-cache.ts'

export interface ReadAhead {
  /** A file was asked for a range. */
  saw(file: FileAt, start: number, end: number): void
}

export interface FileAt {
  /** Number of its node. */
  readonly number: number
  readonly node: Node
  /** Its neighbours, and its place among them. */
  readonly siblings: readonly Node[]
  readonly place: number
}

interface Stream {
  /** Where the last range ended. */
  end: number
  /** Up to where it was read ahead. */
  ahead: number
}

interface Row {
  place: number
  ahead: number
}

/** Readers at once that are followed. */
const STREAMS = 256
/** Kernels ask for several pieces at a time, not always in order. */
const DISORDER_BYTES = 1024 * 1024
const STEP_BYTES = 1024 * 1024
const SIBLINGS = 64
/** So much of neighbours lies in one frame at most. */
const SIBLING_BYTES = 128 * 1024

export function createReadAhead(trees: TreeCache, frames: FrameStore, aheadBytes: number): ReadAhead {
  const streams = new Lru<number, Stream>(STREAMS, () => 1)
  const rows = new Lru<readonly Node[], Row>(STREAMS, () => 1)

  const follow = (file: FileAt, start: number, end: number): void => {
    const stream = streams.get(file.number)
    if (stream === undefined) {
      streams.set(file.number, { end, ahead: end })
      if (start !== 0) return
    } else if (Math.abs(start - stream.end) > DISORDER_BYTES) {
      stream.end = end
      stream.ahead = end
      return
    }
    const current = streams.get(file.number)!
    current.end = Math.max(current.end, end)
    const from = Math.max(current.ahead, end)
    const to = Math.min(file.node.size, end + aheadBytes)
    if (to - from < STEP_BYTES && to < file.node.size) return
    if (to <= from) return
    current.ahead = to
    piecesOfRange(trees, file.node, from, to)
      .then((pieces) => void frames.prefetch(pieces.flatMap((piece) => (piece.kind === 'blob' ? [piece.blob] : []))))
      // Whoever asks for that range learns of it.
      .catch(() => undefined)
  }

  const followRow = ({ siblings, place }: FileAt): void => {
    const row = rows.get(siblings)
    if (row === undefined) return rows.set(siblings, { place, ahead: place })
    const isNext = place > row.place && place - row.place <= SIBLINGS
    row.place = place
    if (!isNext) row.ahead = Math.max(row.ahead, place)
    if (!isNext || row.ahead - place > SIBLINGS / 2) return
    let sum = 0
    const to = Math.min(siblings.length, place + SIBLINGS)
    let at = Math.max(row.ahead, place + 1)
    for (; at < to; at++) {
      const node = siblings[at]!
      sum += node.size
      // Files lie in frames in the order of their names: not each need be looked for.
      if (sum < SIBLING_BYTES && at % 8 !== 0) continue
      sum = 0
      if (!frames.prefetch(firstBlobs(node, 1))) break
    }
    row.ahead = at
  }

  return {
    saw(file, start, end) {
      if (start === 0) followRow(file)
      if (end < file.node.size || start > 0) follow(file, start, end)
    },
  }
}
