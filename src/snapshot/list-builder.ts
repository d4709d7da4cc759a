/**
 * Lists that are cut by their own content. A blob of the list ends at an entry whose hash has its
 * low bits zero, so that an entry added or taken away changes one blob and the spine above it.
 * Lists nest as deep as they need to; only one unfinished blob a level is in memory.
 */

/** When a blob of a list may end, must end, and probably does. */
export interface CutRule {
  /** No end before so many entries: short lists are one blob, and most need no hash. */
  readonly least: number
  readonly most: number
  /** Of the hash, so many low bits are zero at an end. */
  readonly bits: number
  /** A blob also ends when its entries reach so many bytes. */
  readonly mostBytes: number
}

export interface ListShape<Entry, Inner> {
  readonly leaf: CutRule
  readonly inner: CutRule
  /** The low 16 bits or more of the entry's keyed hash. */
  hashEntry(entry: Entry): number
  hashInner(inner: Inner): number
  sizeOf(entry: Entry): number
  encodeLeaf(entries: readonly Entry[]): Uint8Array
  encodeInner(level: number, entries: readonly Inner[]): Uint8Array
  /** The entry that stands for a leaf, or for an inner blob, one level up. */
  innerOfLeaf(entries: readonly Entry[], id: Uint8Array): Inner
  innerOfInner(entries: readonly Inner[], id: Uint8Array): Inner
}

export interface ListBuilder<Entry> {
  add(entry: Entry): void
  /** Ends the list; the id of its root. */
  finish(): Uint8Array
}

export function createListBuilder<Entry, Inner>(shape: ListShape<Entry, Inner>, save: (blob: Uint8Array) => Uint8Array): ListBuilder<Entry> {
  let leaf: Entry[] = []
  let leafBytes = 0
  const levels: Inner[][] = []

  const addInner = (at: number, entry: Inner): void => {
    const entries = (levels[at] ??= [])
    entries.push(entry)
    if (isEnd(shape.inner, entries.length, 0, () => shape.hashInner(entry))) closeInner(at)
  }

  const closeInner = (at: number): void => {
    const entries = levels[at]!
    levels[at] = []
    addInner(at + 1, shape.innerOfInner(entries, save(shape.encodeInner(at + 1, entries))))
  }

  const closeLeaf = (): void => {
    const entries = leaf
    leaf = []
    leafBytes = 0
    addInner(0, shape.innerOfLeaf(entries, save(shape.encodeLeaf(entries))))
  }

  return {
    add(entry) {
      leaf.push(entry)
      leafBytes += shape.sizeOf(entry)
      if (isEnd(shape.leaf, leaf.length, leafBytes, () => shape.hashEntry(entry))) closeLeaf()
    },
    finish() {
      // A list that never ended a blob is one leaf; so is the empty one.
      if (levels.length === 0) return save(shape.encodeLeaf(leaf))
      if (leaf.length > 0) closeLeaf()
      for (let at = 0; at < levels.length; at++) {
        const entries = levels[at]!
        if (entries.length === 0) continue
        const isTop = at === levels.length - 1
        if (isTop) return save(shape.encodeInner(at + 1, entries))
        closeInner(at)
      }
      throw new Error('a list has no top')
    },
  }
}

function isEnd(rule: CutRule, count: number, bytes: number, hash: () => number): boolean {
  if (count >= rule.most || bytes >= rule.mostBytes) return true
  return count >= rule.least && (hash() & ((1 << rule.bits) - 1)) === 0
}
