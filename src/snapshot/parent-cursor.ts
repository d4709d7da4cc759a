/**
 * The parent's nodes of one folder, walked along with the folder's own names: both are in byte
 * order, so each node is met once and a folder of a million needs no table of them. A parent that
 * cannot be read only means that more is read from the source.
 */
import { isBackupError } from '../util/errors.ts'
import type { NodeScanner, ParentNode } from './node-scanner.ts'

export interface ParentCursor {
  /**
   * The node of that name, until `at` is called again, or undefined when the parent has none. Names
   * must be asked for in ascending order. `behind` means that more must be read first: await
   * `advance` and ask again.
   */
  at(name: Uint8Array): ParentNode | undefined | 'behind'
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

export function createParentCursor(lists: AsyncGenerator<NodeScanner>): ParentCursor {
  let list: NodeScanner | undefined
  /** Whether the list stands on a node that has not been asked for. */
  let isOnNode = false
  let isDone = false
  let hasSkipped = false

  /** Broken off, so it is never taken for a complete one. */
  const breakOff = (): void => {
    list = undefined
    isOnNode = false
    isDone = true
    hasSkipped = true
  }

  const toNext = (): boolean => (isOnNode = list !== undefined && list.next())

  return {
    get hasSkipped() {
      return hasSkipped
    },
    async advance() {
      try {
        const next = await lists.next()
        isDone = next.done === true
        list = next.done === true ? undefined : next.value
      } catch {
        breakOff()
      }
    },
    at(name) {
      try {
        while (isOnNode || toNext()) {
          const order = list!.compareName(name)
          if (order > 0) return undefined
          isOnNode = false
          if (order === 0) return list
          hasSkipped = true
        }
      } catch (error) {
        if (!isBackupError(error, 'CORRUPT')) throw error
        breakOff()
      }
      return isDone ? undefined : 'behind'
    },
    async isExhausted() {
      for (;;) {
        if (isOnNode || this.at(AFTER_ALL) !== 'behind') return isDone && !hasSkipped
        await this.advance()
      }
    },
  }
}

/** Sorts behind every name. */
const AFTER_ALL = new Uint8Array(256).fill(255)
