/**
 * gitignore patterns as text, where every character stands for one byte (latin1): what a line of a
 * file means, whether a pattern can ever match, and how one is written that means the same from the
 * root of the file system, or for letters of either case.
 */

const SPECIAL = /[\\*?[\]]/g
const CLASSES = new Set(['alnum', 'alpha', 'blank', 'cntrl', 'digit', 'graph', 'lower', 'print', 'punct', 'space', 'upper', 'xdigit'])

/** What of a line is a pattern; undefined for comments and blank lines. */
export function patternOfLine(line: string): string | undefined {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line
  if (text.startsWith('#')) return undefined
  const trimmed = trimTrailingSpaces(text)
  return trimmed === '' ? undefined : trimmed
}

/** Spaces at the end do not count unless a backslash says so. */
function trimTrailingSpaces(text: string): string {
  let end = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === ' ') continue
    end = Math.min(at + 1, text.length)
  }
  return text.slice(0, end)
}

export interface PatternProblem {
  /** Position in the pattern, from 0. */
  readonly at: number
  readonly what: string
}

/** Why a pattern can never match anything; undefined when it can. */
export function patternProblem(pattern: string): PatternProblem | undefined {
  const from = pattern.startsWith('!') ? 1 : 0
  if (pattern.slice(from) === '') return { at: 0, what: 'the pattern is empty' }
  for (let at = from; at < pattern.length; at++) {
    if (pattern[at] === '\0') return { at, what: 'a name has no zero byte' }
    if (pattern[at] === '\\' && ++at === pattern.length) return { at: at - 1, what: 'nothing follows the backslash' }
    if (pattern[at] !== '[' || pattern[at - 1] === '\\') continue
    const end = bracketEnd(pattern, at)
    if (end === undefined) return { at, what: 'the bracket is not closed' }
    const unknown = [...pattern.slice(at, end).matchAll(/\[:([^\]]*):\]/g)].find(([, name]) => !CLASSES.has(name!))
    if (unknown !== undefined) return { at: at + unknown.index, what: `there is no class ${unknown[0]}` }
    at = end
  }
  return undefined
}

/** Where the bracket expression that begins there is closed. */
function bracketEnd(pattern: string, start: number): number | undefined {
  let at = start + 1
  if (pattern[at] === '!' || pattern[at] === '^') at++
  // One right at the beginning is a member.
  if (pattern[at] === ']') at++
  for (; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === '[' && pattern[at + 1] === ':') {
      const end = pattern.indexOf(':]', at + 2)
      if (end !== -1) at = end + 1
    } else if (pattern[at] === ']') return at
  }
  return undefined
}

/** A path, as a pattern that matches it and nothing else. */
export function escapedPath(path: string): string {
  return path.replace(SPECIAL, '\\$&')
}

/**
 * The pattern of a file in a folder, as one that means the same from the root.
 * @param folder - absolute, without a slash at the end; empty for the root itself
 */
export function rebased(pattern: string, folder: string): string | undefined {
  const isNegative = pattern.startsWith('!')
  const body = isNegative ? pattern.slice(1) : pattern
  if (body === '' || body === '/') return undefined
  const base = escapedPath(folder)
  const isAnchored = body.slice(0, -1).includes('/')
  const whole = body.startsWith('/') ? base + body : `${base}/${isAnchored ? '' : '**/'}${body}`
  return isNegative ? `!${whole}` : whole
}

const LETTER = /^[A-Za-z]$/

/** The pattern for letters A to Z of either case. */
export function caseless(pattern: string): string {
  let out = pattern.startsWith('!') ? '!' : ''
  for (let at = out.length; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '\\' && at + 1 < pattern.length) {
      const next = pattern[++at]!
      out += LETTER.test(next) ? bothCases(next) : character + next
    } else if (character === '[') {
      const end = bracketEnd(pattern, at)
      out += end === undefined ? pattern.slice(at) : caselessBracket(pattern.slice(at, end + 1))
      at = end ?? pattern.length
    } else out += LETTER.test(character) ? bothCases(character) : character
  }
  return out
}

function bothCases(letter: string): string {
  return `[${letter.toLowerCase()}${letter.toUpperCase()}]`
}

/** Every single letter and every range of letters once more in the other case. */
function caselessBracket(bracket: string): string {
  const lead = /^\[[!^]?\]?/.exec(bracket)![0]
  const members = bracket.slice(lead.length, -1).replace(/\[:(?:upper|lower):\]/g, '[:alpha:]')
  const more = members.replace(/\[:[a-z]+:\]/g, '').replace(/\\(.)/g, (whole, next: string) => (LETTER.test(next) ? next : whole))
  const ranges = [...more.matchAll(/([A-Za-z])-([A-Za-z])/g)].map(([, from, to]) => otherCase(from!) + '-' + otherCase(to!))
  const singles = [...more.replace(/[A-Za-z]-[A-Za-z]/g, '')].filter((character) => LETTER.test(character)).map(otherCase)
  // A dash that ends the members must end them still, or it would make a range.
  const dash = /[^\\]-$|^-$/.test(members) ? '-' : ''
  return `${lead}${members.slice(0, members.length - dash.length)}${singles.join('')}${ranges.join('')}${dash}]`
}

function otherCase(letter: string): string {
  return letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()
}
