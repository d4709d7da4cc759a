/**
 * Globs as gitignore has them: `*` and `?` within a name, `[a-z]`, `**` across folders, a backslash
 * before what is meant as it is. Over text, in which bytes that are no text stand as lone
 * surrogates (`textOfBytes`), so that `?` is a character and a byte that is none is matched as well.
 */
import { BackupError } from './errors.ts'

const CLASSES: Readonly<Record<string, string>> = {
  alpha: '\\p{L}', digit: '0-9', alnum: '\\p{L}\\p{Nd}', lower: '\\p{Ll}', upper: '\\p{Lu}', space: '\\s', blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~', xdigit: '0-9A-Fa-f', cntrl: '\\x00-\\x1f\\x7f', print: '\\P{C}', graph: '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}',
}

/**
 * What the whole text must be.
 * @throws {BackupError} INVALID_ARGUMENT - says where the glob goes wrong
 */
export function globExpression(glob: string, ignoresCase: boolean): RegExp {
  let source = ''
  for (let at = 0; at < glob.length; ) {
    const piece = pieceAt(glob, at)
    source += piece.source
    at = piece.end
  }
  return new RegExp(`^(?:${source})$`, ignoresCase ? 'isu' : 'su')
}

interface Piece {
  readonly source: string
  readonly end: number
}

function pieceAt(glob: string, at: number): Piece {
  const isNameStart = at === 0 || glob[at - 1] === '/'
  if (isNameStart && glob.startsWith('**/', at)) return { source: '(?:.*/)?', end: at + 3 }
  if (isNameStart && glob.slice(at) === '**') return { source: '.+', end: at + 2 }
  const character = String.fromCodePoint(glob.codePointAt(at)!)
  const end = at + character.length
  switch (character) {
    case '*':
      return { source: '[^/]*', end }
    case '?':
      return { source: '[^/]', end }
    case '[':
      return bracketAt(glob, at)
    case '\\':
      if (end === glob.length) throw refused(glob, at, 'nothing follows the backslash')
      return literalAt(glob, end)
    default:
      return literalAt(glob, at)
  }
}

function literalAt(glob: string, at: number): Piece {
  const character = String.fromCodePoint(glob.codePointAt(at)!)
  return { source: escaped(character), end: at + character.length }
}

/** The characters that stand for something in an expression, and, within brackets, those there. */
function escaped(character: string, isInBrackets = false): string {
  return character.replace(isInBrackets ? /[\\^[\]-]/ : /[\\^$.*+?()[\]{}|/]/, '\\$&')
}

function bracketAt(glob: string, start: number): Piece {
  let at = start + 1
  const isNegated = glob[at] === '!' || glob[at] === '^'
  if (isNegated) at++
  let source = ''
  for (let isFirst = true; glob[at] !== ']' || isFirst; isFirst = false) {
    if (at >= glob.length) throw refused(glob, start, 'no "]" ends what "[" begins')
    const named = /^\[:(\w+):\]/.exec(glob.slice(at))
    if (named !== null) {
      const members = CLASSES[named[1]!]
      if (members === undefined) throw refused(glob, at, `there is no class of characters "${named[1]}"`)
      source += members
      at += named[0].length
      continue
    }
    const from = memberAt(glob, at)
    at = from.end
    if (glob[at] === '-' && glob[at + 1] !== undefined && glob[at + 1] !== ']') {
      const to = memberAt(glob, at + 1)
      at = to.end
      // A range the wrong way round holds nothing, as in git.
      if (from.character.codePointAt(0)! <= to.character.codePointAt(0)!) source += `${escaped(from.character, true)}-${escaped(to.character, true)}`
    } else source += escaped(from.character, true)
  }
  return { source: isNegated ? `[^/${source}]` : source === '' ? '(?!)' : `(?!/)[${source}]`, end: at + 1 }
}

function memberAt(glob: string, at: number): { character: string; end: number } {
  const from = glob[at] === '\\' && at + 1 < glob.length ? at + 1 : at
  const character = String.fromCodePoint(glob.codePointAt(from)!)
  return { character, end: from + character.length }
}

function refused(glob: string, at: number, why: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `the pattern "${glob}" cannot be read: ${why} (character ${at + 1})`)
}
