/** Names for JSON: as text, and beside it the bytes where they are no valid text. */
import { isUtf8 } from 'node:buffer'
import { escapeBytes } from './posix/system-error.ts'

/** `{name}`, or `{name, name_b64}` with the name's bytes where they are not UTF-8. */
export function textFields(field: string, bytes: Uint8Array): Record<string, string> {
  if (isUtf8(bytes)) return { [field]: Buffer.from(bytes).toString('utf8') }
  return { [field]: escapeBytes(bytes), [`${field}_b64`]: Buffer.from(bytes).toString('base64') }
}

const CHARACTERS = /[\0-\x7f]+|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\x80-\xff]/g
const ESCAPE = 0xdc00

/** Bytes as text in which each byte that is no text is a lone surrogate, U+DC80 to U+DCFF. */
export function textOfBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  return Buffer.from(bytes).toString('latin1').replace(CHARACTERS, (piece) => {
    const own = Buffer.from(piece, 'latin1')
    return isUtf8(own) ? own.toString('utf8') : String.fromCharCode(...own.map((byte) => byte)).replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(ESCAPE + byte.charCodeAt(0)))
  })
}
