/**
 * Where links to a snapshot are to stand, as people write it: `hosts/%h/%T`. A snapshot of which a
 * template asks for what it has not, such as a tag, has no link by it; one with several tags has several.
 */
import { BackupError } from '../../util/errors.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { shortId } from '../../snapshot/select.ts'
import { folderName } from './snapshot-names.ts'

/** A component of a path: text and letters of placeholders, in turn. */
type Component = readonly { readonly text: string; readonly letter: string }[]

export interface PathTemplate {
  readonly components: readonly Component[]
  /** Whether what it names last is named by its time: then the newest is called `latest` besides. */
  readonly isByTime: boolean
  /** The folders before the first placeholder, which are there although no snapshot is. */
  readonly fixed: readonly string[]
}

export const DEFAULT_TEMPLATES = ['ids/%i', 'hosts/%h/%T', 'tags/%t/%T', 'labels/%l/%T']

const TIMES: Readonly<Record<string, readonly [start: number, end: number]>> = { T: [0, 19], Y: [0, 4], m: [5, 7], d: [8, 10], H: [11, 13], M: [14, 16], S: [17, 19] }
const LETTERS = 'iIhutlTYmdHMS'
const LETTERS_TEXT = '%i and %I (short and whole id), %h (host), %u (user), %t (tag), %l (label), %T (time), %Y %m %d %H %M %S and %%'

/** @throws {BackupError} INVALID_ARGUMENT */
export function parsePathTemplate(text: string): PathTemplate {
  const refuse = (why: string): BackupError => new BackupError('INVALID_ARGUMENT', `the path template "${text}" ${why}`)
  const names = text.split('/')
  if (text.includes('\0')) throw refuse('has a zero byte in it')
  if (names.some((name) => name === '' || name === '.' || name === '..')) throw refuse('must be names with a slash between them, such as hosts/%h/%T')
  const components = names.map((name) => componentOf(name, (letter) => refuse(`has %${letter}; there are ${LETTERS_TEXT}`)))
  if (!components.some((component) => component.some(({ letter }) => letter !== ''))) throw refuse('is the same for every snapshot: put %T or %i into it')
  const firstOpen = components.findIndex((component) => component.some(({ letter }) => letter !== ''))
  return {
    components,
    isByTime: components.at(-1)!.some(({ letter }) => letter in TIMES),
    fixed: components.slice(0, firstOpen).map(textOf),
  }
}

function componentOf(name: string, unknown: (letter: string) => BackupError): Component {
  const parts: { text: string; letter: string }[] = []
  let text = ''
  for (let at = 0; at < name.length; at++) {
    if (name[at] !== '%') {
      text += name[at]!
      continue
    }
    const letter = name[++at] ?? ''
    if (letter === '%') text += '%'
    else if (letter === '' || !LETTERS.includes(letter)) throw unknown(letter)
    else {
      parts.push({ text, letter })
      text = ''
    }
  }
  return [...parts, { text, letter: '' }]
}

function textOf(component: Component): string {
  return folderName(component.map(({ text }) => text).join(''))
}

/**
 * The paths at which it stands by that template, as names.
 * @param name - by which it stands in `snapshots/`: its time, and more if another has the same
 */
export function expandTemplate({ components }: PathTemplate, snapshot: Snapshot, name: string): string[][] {
  const letters = new Set(components.flatMap((component) => component.map(({ letter }) => letter)))
  const tags = letters.has('t') ? [...new Set(snapshot.tags)] : ['']
  return tags.flatMap((tag) => {
    const valueOf = (letter: string): string => placeholder(letter, { snapshot, name, tag })
    if ([...letters].some((letter) => letter !== '' && valueOf(letter) === '')) return []
    return [components.map((component) => folderName(component.map(({ text, letter }) => text + (letter === '' ? '' : valueOf(letter))).join('')))]
  })
}

function placeholder(letter: string, { snapshot, name, tag }: { snapshot: Snapshot; name: string; tag: string }): string {
  const time = TIMES[letter]
  if (letter === 'T') return name
  // From the end of the day back: years may have more than four digits.
  if (time !== undefined) return letter === 'Y' ? name.slice(0, name.indexOf('-', 1)) : name.slice(name.indexOf('T') - 10).slice(...time)
  switch (letter) {
    case 'i': return shortId(snapshot.id)
    case 'I': return snapshot.id
    case 'h': return snapshot.host
    case 'u': return snapshot.user
    case 'l': return snapshot.label
    default: return tag
  }
}
