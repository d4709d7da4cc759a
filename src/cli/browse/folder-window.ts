/**
 * The rows of a folder that are in memory: a stretch of it around what is seen, which grows at the end
 * that is come near to and is cut off at the other. So a folder of a million takes no more than a small one.
 */
import type { FolderPage, Node, PageStart } from '../../index.ts'
import { type List, listOf, select } from './list.ts'

export interface FolderWindow extends List<Node> {
  /** Whether the first row in memory is the folder's first, and the last its last. */
  readonly isStart: boolean
  readonly isEnd: boolean
}

/** Rows that are read at once. */
export const PAGE_ROWS = 256
const ROWS_MOST = 4 * PAGE_ROWS
/** This near to an end, more is read. */
const NEAR_ROWS = 64

export function windowOf(before: FolderPage, from: FolderPage, height: number): FolderWindow {
  const nodes = [...before.nodes, ...from.nodes]
  const window = { ...listOf(nodes), isStart: before.isEnd, isEnd: from.isEnd }
  // Behind the last name nothing is chosen, but the last row can be.
  return select(window, from.nodes.length === 0 ? nodes.length - 1 : before.nodes.length, height)
}

/** What should be read next; undefined when enough is there. */
export function wantedPage({ items, selected, isStart, isEnd }: FolderWindow): PageStart | undefined {
  if (!isEnd && selected >= items.length - NEAR_ROWS) return { name: items.at(-1)?.name, direction: 'after' }
  if (!isStart && selected < NEAR_ROWS) return { name: items[0]?.name, direction: 'before' }
  return undefined
}

export function withPage(window: FolderWindow, { direction }: PageStart, page: FolderPage, height: number): FolderWindow {
  const added = page.nodes.length
  if (direction === 'before') {
    const items = [...page.nodes, ...window.items].slice(0, ROWS_MOST)
    const isCut = added + window.items.length > ROWS_MOST
    return select({ ...window, items, top: window.top + added, isStart: page.isEnd, isEnd: window.isEnd && !isCut }, window.selected + added, height)
  }
  const cut = Math.max(0, window.items.length + added - ROWS_MOST)
  const items = [...window.items, ...page.nodes].slice(cut)
  return select({ ...window, items, top: Math.max(0, window.top - cut), isStart: window.isStart && cut === 0, isEnd: page.isEnd }, window.selected - cut, height)
}
