/**
 * A directory's list, opened no further than it is looked at: its head is a name, or a blob of the
 * list that has not been read. Walks that go through several lists at once decide by the heads what
 * need not be read. In memory is one blob a level.
 */

import { BackupError } from '../util/errors.ts'

/** What comes next in a list. */
export interface Head<Name, Item> {
  /** Of a blob, its first. */
  readonly name: Name
  readonly item?: Item
  /** Of a blob that has not been read. */
  readonly id?: Uint8Array
  /** A blob at the head is lower than this. */
  readonly level: number
}

export interface Frontier<Name, Item> {
  head(): Head<Name, Item> | undefined
  skip(): void
  /** Reads the blob at the head and puts what is in it in its place. */
  open(): Promise<void>
}

export interface FrontierOptions<Name, Item> {
  readonly root: Uint8Array
  /** A name that sorts before all others. */
  readonly noName: Name
  /**
   * What is in a blob.
   * @param below - its level must be lower, so that no list, however hostile, contains itself
   */
  load(id: Uint8Array, below: number): Promise<readonly Head<Name, Item>[]>
  /** Below zero where the first name sorts before the second. */
  compare(a: Name, b: Name): number
}

interface Blob<Name, Item> {
  readonly heads: readonly Head<Name, Item>[]
  next: number
}

export function createFrontier<Name, Item>({ root, noName, load, compare }: FrontierOptions<Name, Item>): Frontier<Name, Item> {
  let last: Name | undefined
  const stack: Blob<Name, Item>[] = [{ heads: [{ name: noName, id: root, level: Number.POSITIVE_INFINITY }], next: 0 }]
  const head = (): Head<Name, Item> | undefined => {
    for (;;) {
      const blob = stack.at(-1)
      if (blob === undefined) return undefined
      const found = blob.heads[blob.next]
      if (found !== undefined) return found
      stack.pop()
    }
  }
  const skip = (): void => {
    const { item, name } = head()!
    if (item !== undefined) last = name
    stack.at(-1)!.next++
  }
  return {
    head,
    skip,
    async open() {
      const { id, level } = head()!
      const heads = await load(id!, level)
      // A list that repeats a blob, and a hostile one could for ever, ends there.
      if (last !== undefined && heads.length > 0 && compare(heads[0]!.name, last) <= 0) throw new BackupError('CORRUPT', 'a folder has a list with names that are out of order or twice there')
      skip()
      stack.push({ heads, next: 0 })
    },
  }
}
