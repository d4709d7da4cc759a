/**
 * What a page of text is made of, and its lines in a window of some width. Text of files is not our
 * own: it is escaped as everywhere, and in every line as many columns are taken as are counted.
 */
import { isUtf8 } from 'node:buffer'
import { display } from '../display.ts'
import { columns } from '../format.ts'
import type { Style } from './style.ts'

export interface TextLine {
  readonly text: string
  readonly style?: Style | undefined
}

export type Body =
  /** Lines that are shown as they are, broken where the window ends. */
  | { readonly kind: 'lines'; readonly lines: readonly TextLine[] }
  /** `end` is said behind the last byte. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly end: string | undefined }

const TAB_COLUMNS = 8

/** The lines of a body, broken to a width. Remembered, since every row that is scrolled asks again. */
export function bodyLines(body: Body, width: number): readonly TextLine[] {
  const known = broken.get(body)
  if (known?.width === width) return known.lines
  const lines = body.kind === 'lines' ? body.lines.flatMap((line) => wrapped(line, Math.max(1, width))) : hexLines(body, width)
  broken.set(body, { width, lines })
  return lines
}

const broken = new WeakMap<Body, { readonly width: number; readonly lines: readonly TextLine[] }>()

/** The beginning of a file: as text where it is text, else as bytes. */
export function previewBody(bytes: Uint8Array, sizeBytes: number): Body {
  const end = bytes.length < sizeBytes ? `(the first ${bytes.length} of ${sizeBytes} bytes)` : sizeBytes === 0 ? '(an empty file)' : undefined
  const text = textOf(bytes, bytes.length < sizeBytes)
  if (text === undefined) return { kind: 'bytes', bytes, end }
  return { kind: 'lines', lines: [...linesOf(text).map((line) => ({ text: line })), ...(end === undefined ? [] : [{ text: end, style: 'dim' as const }])] }
}

/**
 * Bytes as text; undefined when they are none.
 * @param isCut - the last character may be there in part, and is left out
 */
export function textOf(bytes: Uint8Array, isCut = false): string | undefined {
  const whole = isCut ? bytes.subarray(0, characterEnd(bytes)) : bytes
  if (whole.includes(0) || !isUtf8(whole)) return undefined
  return Buffer.from(whole.buffer, whole.byteOffset, whole.length).toString('utf8')
}

/** Lines to be shown; the last line end begins no line. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => shown(line.endsWith('\r') ? line.slice(0, -1) : line))
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** Where the last whole character ends. */
function characterEnd(bytes: Uint8Array): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 4); at--) {
    const byte = bytes[at]!
    if (byte < 0x80) break
    if (byte >= 0xc0) return at + (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) <= bytes.length ? bytes.length : at
  }
  return bytes.length
}

/** What no terminal agrees on how to show is escaped, besides what is not safe; tabs become spaces. */
function shown(line: string): string {
  return line.split('\t').reduce((text, part, i) => {
    const room = i === 0 ? '' : ' '.repeat(TAB_COLUMNS - (columns(text) % TAB_COLUMNS))
    return text + room + display(part).replace(/\p{C}/gu, (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`)
  }, '')
}

/** Broken at a space, where one is in the second half of the line. */
function wrapped({ text, style }: TextLine, width: number): TextLine[] {
  if (columns(text) <= width) return [{ text, style }]
  const lines: TextLine[] = []
  let line = ''
  let taken = 0
  for (const character of text) {
    const wide = columns(character)
    if (taken + wide > width) {
      const space = character === ' ' ? line.length : line.lastIndexOf(' ')
      const end = space > line.length / 2 ? space : line.length
      lines.push({ text: line.slice(0, end), style })
      line = line.slice(end).trimStart()
      taken = columns(line)
      if (line === '' && character === ' ') continue
    }
    line += character
    taken += wide
  }
  return [...lines, { text: line, style }]
}

const OFFSET_COLUMNS = 8

/** `offset  bytes in hexadecimal  bytes as letters`, as many as there is room for. */
function hexLines({ bytes, end }: Extract<Body, { kind: 'bytes' }>, width: number): TextLine[] {
  const count = [16, 8, 4].find((n) => OFFSET_COLUMNS + 2 + n * 3 + 1 + n <= width) ?? 2
  const lines: TextLine[] = []
  for (let at = 0; at < bytes.length; at += count) {
    const row = [...bytes.subarray(at, at + count)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(count * 3 - 1)
    const letters = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    lines.push({ text: `${at.toString(16).padStart(OFFSET_COLUMNS, '0')}  ${hex}  ${letters}` })
  }
  return end === undefined ? lines : [...lines, { text: end, style: 'dim' }]
}
