/** Words for a line that a person copies into a shell: what arrives there is what was meant, to the byte. */
import { isUtf8 } from 'node:buffer'

const PLAIN = /^[\w./@%+=:,-]+$/
/** What a terminal would not show as it is. Bidirectional marks are among them. */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/u

/** As bash, zsh, ksh and most others read it; where bytes must be escaped, by `$'…'`, which plain `sh` need not know. */
export function shellWord(word: string | Uint8Array): string {
  const bytes = Buffer.from(word as Uint8Array)
  const text = bytes.toString('utf8')
  if (!isUtf8(bytes) || HIDDEN.test(text)) return `$'${escaped(bytes)}'`
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** An option with its value: `--target DIR`, or `--target=-DIR` where the value would be taken for an option. */
export function shellOption(name: string, value: string | Uint8Array): string {
  const word = shellWord(value)
  return Buffer.from(value as Uint8Array)[0] === 0x2d ? `--${name}=${word}` : `--${name} ${word}`
}

function escaped(bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    if (byte === 0x27 || byte === 0x5c) text += `\\${String.fromCharCode(byte)}`
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    // Three octal digits: what follows is never taken for more of it.
    else text += `\\${byte.toString(8).padStart(3, '0')}`
  }
  return text
}
