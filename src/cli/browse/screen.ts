/**
 * The terminal as a screen of its own: the alternate buffer, keys as they are pressed, and frames of
 * which only the rows that changed are written. Each row begins at the left by its number and nothing
 * wraps, so a character that a terminal draws wider than we count shifts no other row.
 *
 * What was there before comes back however it ends: by `close`, at the process's end, before an
 * unexpected error is told, and while the program is suspended.
 */
import { emitKeypressEvents, type Interface } from 'node:readline'
import { type Frame, type Row } from './frame.ts'
import { keyOf, type Press } from './key-press.ts'
import type { Key } from './keys.ts'
import type { Size } from './model.ts'
import { painted } from './paint.ts'

export interface Screen {
  size(): Size
  draw(frame: Frame): void
  /** Whatever is drawn next is written whole. */
  forget(): void
  /** May be called again. */
  close(): void
}

export interface ScreenEvents {
  onKey(key: Key): void
  onResize(size: Size): void
  /** Nobody types there any more. */
  onGone(): void
}

const ENTER = '\x1b[?1049h\x1b[?7l\x1b[?25l\x1b[2J'
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
/** A lone Esc is told from the beginning of a sequence by what does not follow it for so long. */
const ESCAPE_MS = 100

export function openScreen(events: ScreenEvents): Screen {
  const { stdin, stdout } = process
  const hasColour = (process.env['NO_COLOR'] ?? '') === ''
  let drawn: readonly string[] = []
  let last: Frame | undefined
  let isOpen = false

  const size = (): Size => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 })
  const enter = (): void => {
    isOpen = true
    stdin.setRawMode(true)
    stdout.write(ENTER)
    drawn = []
  }
  const leave = (): void => {
    if (!isOpen) return
    isOpen = false
    stdout.write(LEAVE)
    stdin.setRawMode(false)
  }
  const draw = (frame: Frame): void => {
    last = frame
    if (!isOpen) return
    const { columns } = size()
    const rows = frame.rows.map((row: Row) => painted(row, columns, hasColour))
    const changed = rows.map((row, i) => (row === drawn[i] ? '' : `\x1b[${i + 1};1H\x1b[0m\x1b[K${row}`)).join('')
    const below = drawn.length > rows.length ? `\x1b[${rows.length + 1};1H\x1b[0m\x1b[J` : ''
    const cursor = frame.cursor === undefined ? '\x1b[?25l' : `\x1b[${frame.cursor.row + 1};${frame.cursor.column + 1}H\x1b[?25h`
    stdout.write(changed + below + cursor)
    drawn = rows
  }

  const onPress = (text: string | undefined, press: Press): void => {
    const key = keyOf(text, press)
    if (key?.name === 'ctrl-z') {
      leave()
      process.kill(process.pid, 'SIGTSTP')
    } else if (key !== undefined) events.onKey(key)
  }
  const onResize = (): void => {
    drawn = []
    if (isOpen) stdout.write('\x1b[0m\x1b[2J')
    events.onResize(size())
  }
  const onContinued = (): void => {
    enter()
    if (last !== undefined) draw(last)
  }
  const close = (): void => {
    leave()
    stdin.off('keypress', onPress).off('end', events.onGone).off('error', events.onGone)
    stdin.pause()
    stdout.off('resize', onResize)
    process.off('SIGCONT', onContinued).off('exit', close).off('uncaughtException', close)
  }

  emitKeypressEvents(stdin, { escapeCodeTimeout: ESCAPE_MS } as unknown as Interface)
  stdin.on('keypress', onPress).on('end', events.onGone).on('error', events.onGone)
  stdout.on('resize', onResize)
  process.on('SIGCONT', onContinued).on('exit', close).prependListener('uncaughtException', close)
  enter()
  stdin.resume()
  return { size, draw, close, forget: () => void (drawn = []) }
}
