/**
 * The parent's nodes of one folder, walked along with the folder's own names: both are in byte
 * order, so each node is met once and a folder of a million needs no table of them.
 */
import { compareBytes } from '../util/bytes.ts'
import type { Node } from './node.ts'

export interface ParentCursor {
  /**
   * The node of that name, or undefined when the parent has none. Names must be asked for in
   * ascending order. `behind` means that more must be read first: await `advance` and ask again.
   */
  at(name: Uint8Array): Node | undefined | 'behind'
  advance(): Promise<void>
  /** Whether a node was passed over that nobody asked for. */
  readonly hasSkipped: boolean
  /** Whether every node has been asked for; call when no name is left. */
  isExhausted(): Promise<boolean>
}

export const NO_PARENT: ParentCursor = {
  at: () => undefined,
  advance: () => Promise.resolve(),
  hasSkipped: false,
  isExhausted: () => Promise.resolve(false),
}

export function createParentCursor(lists: AsyncGenerator<readonly Node[]>): ParentCursor {
  let nodes: readonly Node[] = []
  let next = 0
  let isDone = false
  let hasSkipped = false
  const advance = async (): Promise<void> => {
    const list = await lists.next()
    nodes = list.done === true ? [] : list.value
    isDone = list.done === true
    next = 0
  }
  return {
    advance,
    get hasSkipped() {
      return hasSkipped
    },
    at(name) {
      for (; next < nodes.length; next++) {
        const order = compareBytes(nodes[next]!.name, name)
        if (order === 0) return nodes[next++]
        if (order > 0) return undefined
        hasSkipped = true
      }
      return isDone ? undefined : 'behind'
    },
    async isExhausted() {
      while (next === nodes.length && !isDone) await advance()
      return isDone && !hasSkipped
    },
  }
}
