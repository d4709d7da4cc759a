/**
 * The one way to a terminal for text that is not our own: names, hosts, tags and messages may hold
 * escape sequences, and a file must not be able to drive the terminal of who lists it.
 */
import { escapeBytes } from '../index.ts'

// C0, DEL, C1, and the marks that turn the direction of writing.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

export function display(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

export function displayPath(path: Uint8Array): string {
  return display(escapeBytes(path))
}
