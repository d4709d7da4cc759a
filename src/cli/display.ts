/** Names of files, which are bytes, shown by the same rules as text. */
import { escapeBytes } from '../index.ts'
import { display } from './escape.ts'

export { display, displayJson } from './escape.ts'

export function displayPath(path: Uint8Array): string {
  return display(escapeBytes(path))
}
