/** A list on the screen, as values: which row is chosen, and which is the first that is seen. */

export interface List<Item> {
  readonly items: readonly Item[]
  /** Position of the chosen row; 0 in a list without rows. */
  readonly selected: number
  /** Position of the first row on the screen. */
  readonly top: number
}

export function listOf<Item>(items: readonly Item[], selected = 0): List<Item> {
  return { items, selected: clamp(selected, items.length), top: 0 }
}

export function chosen<Item>(list: List<Item>): Item | undefined {
  return list.items[list.selected]
}

/** @param height - rows that are seen at once */
export function select<Type extends List<unknown>>(list: Type, position: number, height: number): Type {
  const selected = clamp(position, list.items.length)
  return { ...list, selected, top: topFor(list.top, selected, list.items.length, height) }
}

/** The list in a window of another size. */
export function fit<Type extends List<unknown>>(list: Type, height: number): Type {
  return select(list, list.selected, height)
}

/** The nearest first row with which the chosen one is seen and no room is left empty. */
function topFor(top: number, selected: number, count: number, height: number): number {
  const rows = Math.max(1, height)
  const within = Math.min(Math.max(top, selected - rows + 1), selected)
  return Math.max(0, Math.min(within, count - rows))
}

function clamp(position: number, count: number): number {
  return Math.max(0, Math.min(position, count - 1))
}
