/** A line that somebody types, as a value. Characters are whole: a position is never within one. */
import type { Key } from './keys.ts'

export interface Line {
  readonly before: string
  readonly after: string
}

export function lineOf(text: string): Line {
  return { before: text, after: '' }
}

export function lineText({ before, after }: Line): string {
  return before + after
}

/** The line after a key; the same line where the key means nothing to it. */
export function edited(line: Line, { name, text }: Key): Line {
  const { before, after } = line
  switch (name) {
    case 'backspace':
      return { before: withoutLast(before), after }
    case 'delete':
      return { before, after: withoutFirst(after) }
    case 'left':
      return { before: withoutLast(before), after: before.slice(withoutLast(before).length) + after }
    case 'right':
      return { before: before + after.slice(0, after.length - withoutFirst(after).length), after: withoutFirst(after) }
    case 'home':
    case 'ctrl-a':
      return { before: '', after: before + after }
    case 'end':
    case 'ctrl-e':
      return { before: before + after, after: '' }
    case 'ctrl-u':
      return { before: '', after }
    case 'ctrl-k':
      return { before, after: '' }
    case 'ctrl-w':
      return { before: before.replace(/[^\s/]*[\s/]*$/, ''), after }
    default:
      return text === undefined ? line : { before: before + text, after }
  }
}

function withoutLast(text: string): string {
  return [...text].slice(0, -1).join('')
}

function withoutFirst(text: string): string {
  return [...text].slice(1).join('')
}
