/** Keys and what they do, where: one table for the program, its help line and its help page. */

export interface Key {
  /** `up`, `page-down`, `enter`, `ctrl-c`, or the character itself. */
  readonly name: string
  /** What it adds to a line that is typed; undefined for keys that are no characters. */
  readonly text?: string | undefined
}

export type ViewKind = 'snapshots' | 'folder' | 'versions' | 'text'

export type Action =
  | 'up' | 'down' | 'page-up' | 'page-down' | 'start' | 'end'
  | 'open' | 'back' | 'mark' | 'unmark' | 'versions' | 'compare' | 'details' | 'restore'
  | 'find' | 'find-next' | 'find-previous' | 'command' | 'help' | 'redraw' | 'quit'

interface Binding {
  readonly action: Action
  readonly keys: readonly string[]
  /** Where it does something; everywhere by default. */
  readonly where?: readonly ViewKind[]
  /** In few words, for the line at the bottom; not there for what anybody would try. */
  readonly short?: string
  readonly long: string
}

const ROWS: readonly ViewKind[] = ['snapshots', 'folder', 'versions']

export const BINDINGS: readonly Binding[] = [
  { action: 'help', keys: ['?'], short: 'help', long: 'this page' },
  { action: 'quit', keys: ['q', 'ctrl-c'], short: 'quit', long: 'end' },
  { action: 'open', keys: ['enter', 'right', 'l'], where: ROWS, short: 'open', long: 'enter a snapshot or folder, look into a file' },
  { action: 'back', keys: ['left', 'h', 'backspace', 'escape'], short: 'back', long: 'go back; stop what is being read' },
  { action: 'mark', keys: ['space'], where: ['folder', 'versions'], short: 'mark', long: 'mark for a restore; among versions, mark the one to compare with' },
  { action: 'versions', keys: ['v'], where: ['folder'], short: 'versions', long: 'every version of a file or folder' },
  { action: 'compare', keys: ['d'], where: ['versions', 'snapshots'], short: 'diff', long: 'what differs from the one before, or from the version that is marked' },
  { action: 'restore', keys: ['r'], where: ROWS, short: 'restore', long: 'restore what is marked, else what is chosen; nothing is overwritten' },
  { action: 'find', keys: ['/'], short: 'find', long: 'find a name or a text' },
  { action: 'find-next', keys: ['n'], long: 'find the next' },
  { action: 'find-previous', keys: ['N'], long: 'find the one before' },
  { action: 'details', keys: ['i'], where: ROWS, short: 'details', long: 'mode, owner, times and attributes' },
  { action: 'command', keys: ['c'], short: 'command', long: 'the whole of the command at the bottom' },
  { action: 'unmark', keys: ['u'], where: ['folder', 'versions'], long: 'take all marks away' },
  { action: 'up', keys: ['up', 'k'], long: 'a row up' },
  { action: 'down', keys: ['down', 'j'], long: 'a row down' },
  { action: 'page-up', keys: ['page-up', 'ctrl-b'], long: 'a page up' },
  { action: 'page-down', keys: ['page-down', 'ctrl-f'], long: 'a page down' },
  { action: 'start', keys: ['home', 'g'], long: 'to the beginning' },
  { action: 'end', keys: ['end', 'G'], long: 'to the end' },
  { action: 'redraw', keys: ['ctrl-l'], long: 'draw everything anew' },
]

export function actionOf({ name }: Key, view: ViewKind): Action | undefined {
  return BINDINGS.find(({ keys, where }) => keys.includes(name) && (where?.includes(view) ?? true))?.action
}

/** For the line at the bottom. */
export function shortHelp(view: ViewKind): string[] {
  return BINDINGS.filter(({ short, where }) => short !== undefined && (where?.includes(view) ?? true)).map(({ keys, short }) => `${shownKey(keys[0]!)} ${short}`)
}

export function longHelp(): string[] {
  const rows = BINDINGS.map(({ keys, long }) => [keys.map(shownKey).join(' '), long] as const)
  const width = Math.max(...rows.map(([keys]) => keys.length))
  return rows.map(([keys, long]) => `${keys.padEnd(width)}  ${long}`)
}

const SHOWN: Readonly<Record<string, string>> = {
  enter: 'Enter', space: 'Space', escape: 'Esc', backspace: 'Backspace', up: 'Up', down: 'Down', left: 'Left', right: 'Right',
  home: 'Home', end: 'End', 'page-up': 'PgUp', 'page-down': 'PgDn', 'ctrl-b': '^B', 'ctrl-f': '^F', 'ctrl-l': '^L', 'ctrl-c': '^C',
}

function shownKey(name: string): string {
  return SHOWN[name] ?? name
}
