/** What differs between two versions of a file, or two folders, as a page of text. */
import { type BrowseReader, type Difference, diffSnapshots, type Node, type Repository } from '../../index.ts'
import { display, displayPath } from '../display.ts'
import { count, size } from '../format.ts'
import { nodeDetails } from './details.ts'
import type { Place } from './place.ts'
import { type Body, linesOf, type TextLine, textOf } from './text-body.ts'

/** Files above this are not compared line by line. */
const TEXT_BYTES = 1024 * 1024
/** Lines that differ, at most: the time that a comparison takes grows with their square. */
const EDITS_MOST = 5000
const LINES_MOST = 5000
const DIFFERENCES_MOST = 2000

export async function compareFiles(reader: BrowseReader, before: Node, after: Node, signal: AbortSignal): Promise<Body> {
  const told = metadataLines(before, after)
  if (before.type !== 'file' || after.type !== 'file') return page(told.length > 0 ? told : [{ text: 'there is no difference' }])
  if (Math.max(before.size, after.size) > TEXT_BYTES) return page([...told, { text: '(too large to be compared line by line)', style: 'dim' }])
  const [old, fresh] = [await reader.beginning(before, TEXT_BYTES, signal), await reader.beginning(after, TEXT_BYTES, signal)]
  if (Buffer.compare(old, fresh) === 0) return page([...told, { text: 'the bytes are the same', style: 'dim' }])
  const [oldText, freshText] = [textOf(old), textOf(fresh)]
  if (oldText === undefined || freshText === undefined) return page([...told, { text: '(no text: the bytes differ)', style: 'dim' }])
  return page([...told, { text: '' }, ...(await lineDifferences(oldText, freshText))])
}

export async function lineDifferences(before: string, after: string): Promise<TextLine[]> {
  const { structuredPatch } = await import('diff')
  const patch = structuredPatch('', '', before, after, undefined, undefined, { context: 3, maxEditLength: EDITS_MOST })
  if (patch === undefined) return [{ text: '(they differ too much to be shown line by line)', style: 'dim' }]
  const lines = patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: own }): TextLine[] => [
    { text: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`, style: 'dim' },
    ...own.map((line): TextLine => ({ text: line.slice(0, 1) + (linesOf(line.slice(1))[0] ?? ''), style: line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : undefined })),
  ])
  return lines.length <= LINES_MOST ? lines : [...lines.slice(0, LINES_MOST), { text: `(and ${count(lines.length - LINES_MOST, 'more line')})`, style: 'dim' }]
}

/** What differs with every version, and says nothing. */
const ALWAYS = /^(?:changed|inode|read) /

/** What the two say of themselves where they differ. */
function metadataLines(before: Node, after: Node): TextLine[] {
  const [old, fresh] = [before, after].map((node) => nodeDetails(node).filter((line) => !ALWAYS.test(line))) as [string[], string[]]
  return [
    ...old.filter((line) => !fresh.includes(line)).map((text): TextLine => ({ text: `- ${text}`, style: 'removed' })),
    ...fresh.filter((line) => !old.includes(line)).map((text): TextLine => ({ text: `+ ${text}`, style: 'added' })),
  ]
}

const LETTER: Readonly<Record<Difference['change'], string>> = { added: '+', removed: '-', content: 'M', type: 'T', metadata: 'U' }

export async function compareFolders(repository: Repository, before: Place, after: Place, signal: AbortSignal): Promise<Body> {
  const lines: TextLine[] = []
  const side = ({ snapshot, path }: Place): { snapshot: Place['snapshot']; path: Uint8Array | undefined } => ({ snapshot, path: path.length === 1 ? undefined : path })
  for await (const record of diffSnapshots(repository, side(before), side(after), { signal })) {
    if (lines.length === DIFFERENCES_MOST) {
      lines.push({ text: '(and more: the command at the bottom prints all)', style: 'dim' })
      break
    }
    if (record.kind === 'problem') lines.push({ text: `? ${displayPath(record.path)}: ${display(record.message)}`, style: 'warning' })
    else lines.push({ text: `${LETTER[record.change]} ${displayPath(record.path)}${sizes(record)}`, style: record.change === 'added' ? 'added' : record.change === 'removed' ? 'removed' : undefined })
  }
  return page(lines.length > 0 ? lines : [{ text: 'there is no difference' }])
}

function sizes({ before, after }: Difference): string {
  return before?.type === 'file' && after?.type === 'file' && before.size !== after.size ? `  ${size(before.size)} … ${size(after.size)}` : ''
}

function page(lines: readonly TextLine[]): Body {
  return { kind: 'lines', lines }
}
