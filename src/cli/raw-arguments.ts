/**
 * Arguments are bytes; Node reads them as text and loses those that are none. Linux still has them,
 * so each such byte is put where it was as a lone surrogate (U+DC80 to U+DCFF), which passes through
 * the parser like any character and is turned back where a path is wanted.
 */
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'

const ESCAPE = 0xdc00
const LONE = /([\udc80-\udcff])/u

/** What the user wrote after the program's name. */
export function rawArguments(): string[] {
  const known = process.argv.slice(2)
  if (process.platform !== 'linux' || !known.some((argument) => argument.includes('\ufffd'))) return known
  const bytes = readFileSync('/proc/self/cmdline')
  const all: Buffer[] = []
  for (let start = 0; start < bytes.length; ) {
    const zero = bytes.indexOf(0, start)
    const end = zero === -1 ? bytes.length : zero
    all.push(bytes.subarray(start, end))
    start = end + 1
  }
  const ours = all.slice(-known.length)
  return known.map((argument, i) => (ours[i]?.toString('utf8') === argument ? decodeArgument(ours[i]) : argument))
}

export function decodeArgument(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  let text = ''
  for (let i = 0; i < buffer.length; ) {
    const first = buffer[i]!
    const character = buffer.subarray(i, i + (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4))
    if (isUtf8(character)) {
      text += character.toString('utf8')
      i += character.length
    } else {
      text += String.fromCharCode(ESCAPE + first)
      i++
    }
  }
  return text
}

export function isText(argument: string): boolean {
  return !LONE.test(argument)
}

/** The bytes that the user wrote; text stays text. */
export function argumentBytes(argument: string): string | Uint8Array {
  if (isText(argument)) return argument
  const parts = argument.split(new RegExp(LONE, 'u')).map((part) => (isText(part) ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) - ESCAPE)))
  return new Uint8Array(Buffer.concat(parts))
}
