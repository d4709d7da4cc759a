/** A row as what is written to the terminal for it. */
import { columns, fitted } from '../format.ts'
import type { Row } from './frame.ts'
import type { Style } from './style.ts'

/** Select Graphic Rendition: with colours, and without. */
const LOOKS: Readonly<Record<Style, readonly [coloured: string, plain: string]>> = {
  bold: ['1', '1'], dim: ['2', '2'], folder: ['1;34', '1'], link: ['36', ''], marked: ['1;33', '1'],
  added: ['32', ''], removed: ['31', ''], warning: ['33', '1'],
}
const REVERSE = '7'

export function painted({ spans, isReverse }: Row, width: number, hasColour: boolean): string {
  let room = width
  let out = ''
  for (const { text, style } of spans) {
    const shown = fitted(text.replace(/\p{Cc}/gu, '?'), room)
    if (shown === '' || room <= 0) continue
    room -= columns(shown)
    const look = isReverse === true ? REVERSE : style === undefined ? '' : LOOKS[style][hasColour ? 0 : 1]
    out += look === '' ? shown : `\x1b[${look}m${shown}\x1b[0m`
  }
  return out
}
