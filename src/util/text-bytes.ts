/** Names for JSON: as text, and beside it the bytes where they are no valid text. */
import { isUtf8 } from 'node:buffer'
import { escapeBytes } from './posix/system-error.ts'

/** `{name}`, or `{name, name_b64}` with the name's bytes where they are not UTF-8. */
export function textFields(field: string, bytes: Uint8Array): Record<string, string> {
  if (isUtf8(bytes)) return { [field]: Buffer.from(bytes).toString('utf8') }
  return { [field]: escapeBytes(bytes), [`${field}_b64`]: Buffer.from(bytes).toString('base64') }
}
