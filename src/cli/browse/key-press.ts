/** What Node's parser tells of a key, by the names that we have for keys. */
import type { Key } from './keys.ts'

export interface Press {
  readonly name?: string | undefined
  readonly ctrl?: boolean | undefined
  readonly meta?: boolean | undefined
  readonly sequence?: string | undefined
}

const NAMES: Readonly<Record<string, string>> = { return: 'enter', enter: 'enter', pageup: 'page-up', pagedown: 'page-down' }
const PLAIN = new Set(['up', 'down', 'left', 'right', 'home', 'end', 'escape', 'backspace', 'delete', 'tab'])

/** undefined for keys that mean nothing here. */
export function keyOf(text: string | undefined, { name, ctrl, meta }: Press): Key | undefined {
  if (name !== undefined && NAMES[name] !== undefined) return { name: NAMES[name] }
  if (name === 'escape') return { name }
  if (meta === true) return undefined
  if (name !== undefined && PLAIN.has(name) && ctrl !== true) return { name }
  if (ctrl === true) return name === undefined ? undefined : { name: `ctrl-${name}` }
  // What is no text came from a terminal of another encoding.
  if (text === undefined || text === '' || /[\p{Cc}\ufffd]/u.test(text)) return undefined
  return { name: text === ' ' ? 'space' : text, text }
}
