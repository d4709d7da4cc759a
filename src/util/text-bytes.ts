/**
 * Bytes that are mostly text, as JSON shows them: `name` for reading, and `name_b64` beside it where
 * the bytes are no UTF-8, since what is shown then cannot be turned back.
 */
import { isUtf8 } from 'node:buffer'
import { escapeBytes } from './posix/system-error.ts'

export type TextFields<Key extends string> = { readonly [K in Key]: string } & { readonly [K in `${Key}_b64`]?: string }

/** `{ [key]: text }`, with `${key}_b64` when the bytes are no UTF-8 and the text is an escaped one. */
export function textFields<Key extends string>(key: Key, bytes: Uint8Array): TextFields<Key> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields: Record<string, string> = isUtf8(buffer)
    ? { [key]: buffer.toString('utf8') }
    : { [key]: escapeBytes(bytes), [`${key}_b64`]: buffer.toString('base64') }
  // Keys made at run time are beyond what the compiler follows.
  return fields as TextFields<Key>
}
