/**
 * The screen as rows of styled text: a title, what is looked at, the command that prints the same,
 * and a line for questions, news and keys. Every row is as wide as its text at most.
 */
import { display, displayPath } from '../display.ts'
import { columns, count, fitted } from '../format.ts'
import { type Cells, nodeCells, snapshotCells, snapshotTime, versionCells } from './cells.ts'
import { knownId, shownCommands } from './commands-shown.ts'
import { shortHelp } from './keys.ts'
import type { List } from './list.ts'
import { lineText } from './line-editor.ts'
import { bodyHeight, type Model, type Prompt, shownView, type View, type Work } from './model.ts'
import { isMarked } from './marking.ts'
import { joinedPath } from './paths.ts'
import type { Style } from './style.ts'
import { bodyLines } from './text-body.ts'

export interface Span {
  readonly text: string
  readonly style?: Style | undefined
}

export interface Row {
  readonly spans: readonly Span[]
  /** Shown in reverse, over the whole width. */
  readonly isReverse?: boolean | undefined
}

export interface Frame {
  readonly rows: readonly Row[]
  /** Where a line is typed; counted from 0. */
  readonly cursor: { readonly row: number; readonly column: number } | undefined
}

/** Below this nothing would be seen of anything. */
const LEAST = { columns: 20, rows: 5 }

export function frameOf(model: Model): Frame {
  const { size } = model
  if (size.columns < LEAST.columns || size.rows < LEAST.rows) return { rows: [row('too small')], cursor: undefined }
  const height = bodyHeight(size)
  const body = bodyRows(model, height)
  const [command = ''] = shownCommands(model)
  const more = shownCommands(model).length - 1
  const bottom = bottomRow(model)
  return {
    rows: [
      { spans: [{ text: padded(titleOf(model), size.columns), style: 'bold' }] },
      ...body,
      ...Array.from({ length: height - body.length }, () => row('')),
      row(fitted(`$ ${command}${more > 0 ? `  (and ${count(more, 'more', 'more')}: c)` : ''}`, size.columns), 'dim'),
      bottom.row,
    ],
    cursor: bottom.column === undefined ? undefined : { row: size.rows - 1, column: bottom.column },
  }
}

function titleOf(model: Model): string {
  const view = shownView(model)
  const marks = model.marks.length === 0 ? '' : `  [${model.marks.length} marked]`
  return `${titleOfView(model, view)}${marks}`
}

function titleOfView(model: Model, view: View): string {
  switch (view.kind) {
    case 'snapshots':
      return `nacre: ${count(view.list.items.length, 'snapshot')}`
    case 'folder':
      return `${knownId(model, view.snapshot)}:${displayPath(view.path)}  ${snapshotTime(view.snapshot)} ${display(view.snapshot.host)}`
    case 'versions':
      return `${count(view.list.items.length, 'version')} of ${displayPath(view.path)}${view.without > 0 ? `; ${count(view.without, 'snapshot')} without it` : ''}`
    case 'text':
      return view.title
  }
}

function bodyRows(model: Model, height: number): Row[] {
  const view = shownView(model)
  const { size } = model
  switch (view.kind) {
    case 'snapshots':
      return listRows(view.list, height, (snapshot) => ({ cells: snapshotCells(snapshot), mark: ' ' }), layoutOf(SNAPSHOT_COLUMNS, size.columns), size.columns)
    case 'versions':
      return listRows(view.list, height, (version, i) => ({ cells: versionCells(version), mark: i === view.base ? '*' : ' ' }), layoutOf(VERSION_COLUMNS, size.columns), size.columns)
    case 'folder': {
      if (view.tree === undefined) return [row('could not be read when it was backed up', 'warning')]
      if (view.window === undefined) return [row(model.work === undefined ? 'not read' : '…', 'dim')]
      if (view.window.items.length === 0) return [row('(empty)', 'dim')]
      return listRows(view.window, height, (node) => {
        const style = node.type === 'directory' ? 'folder' : node.type === 'symlink' ? 'link' : undefined
        return { cells: nodeCells(node), mark: isMarked(model, view.snapshot.id, joinedPath(view.path, node.name)) ? '*' : ' ', style }
      }, layoutOf(NODE_COLUMNS, size.columns), size.columns)
    }
    case 'text':
      return bodyLines(view.body, size.columns).slice(view.top, view.top + height).map(({ text, style }, i) => ({ spans: [{ text, style: view.found === view.top + i ? 'marked' : style }] }))
  }
}

interface Column {
  readonly name: string
  readonly width: number
  readonly isRight?: boolean
  /** Left out of windows that are narrower. */
  readonly from?: number
}

const SNAPSHOT_COLUMNS: readonly Column[] = [
  { name: 'id', width: 8 }, { name: 'time', width: 19 }, { name: 'host', width: 12, from: 60 },
  { name: 'files', width: 9, isRight: true, from: 110 }, { name: 'size', width: 9, isRight: true, from: 80 }, { name: 'tags', width: 12, from: 100 },
]
const VERSION_COLUMNS: readonly Column[] = [{ name: 'id', width: 8 }, { name: 'time', width: 19, from: 36 }, { name: 'size', width: 9, isRight: true, from: 50 }]
const NODE_COLUMNS: readonly Column[] = [{ name: 'mode', width: 10, from: 70 }, { name: 'size', width: 9, isRight: true, from: 30 }, { name: 'time', width: 19, from: 56 }]

function layoutOf(wanted: readonly Column[], width: number): Column[] {
  return wanted.filter(({ from }) => width >= (from ?? 0))
}

interface RowContent {
  readonly cells: Cells
  readonly mark: string
  readonly style?: Style | undefined
}

function listRows<Item>(list: List<Item>, height: number, contentOf: (item: Item, position: number) => RowContent, layout: readonly Column[], width: number): Row[] {
  return list.items.slice(list.top, list.top + height).map((item, i) => {
    const at = list.top + i
    const isSelected = at === list.selected
    const { cells, mark, style } = contentOf(item, at)
    const head = fitted(`${isSelected ? '>' : ' '}${mark} ${layout.map(({ name, width: room, isRight }) => `${padded(cells[name] ?? '', room, isRight)} `).join('')}`, width)
    const room = width - columns(head)
    const rest = room > 0 ? fitted(cells['rest'] ?? '', room) : ''
    return isSelected ? { spans: [{ text: padded(head + rest, width) }], isReverse: true } : { spans: [{ text: head, style: mark === '*' ? 'marked' : undefined }, { text: rest, style }] }
  })
}

/** The text in exactly so many columns. */
function padded(text: string, width: number, isRight = false): string {
  const cut = fitted(text, width)
  const room = ' '.repeat(Math.max(0, width - columns(cut)))
  return isRight ? room + cut : cut + room
}

const QUESTIONS: Readonly<Record<Prompt['asks'], string>> = { find: 'find: ', target: 'restore to: ' }

function bottomRow(model: Model): { readonly row: Row; readonly column?: number } {
  const { prompt, work, notice, size } = model
  if (prompt !== undefined) return promptRow(prompt, size.columns)
  if (notice !== undefined) return { row: row(fitted(notice, size.columns), 'warning') }
  if (work !== undefined && work.request.kind !== 'page') return { row: row(fitted(`${WORKS[work.request.kind]}${work.progress === undefined ? '' : `: ${work.progress}`}  (Esc stops it)`, size.columns), 'dim') }
  return { row: row(fitted(shortHelp(shownView(model).kind).join('  '), size.columns), 'dim') }
}

const WORKS: Readonly<Record<Work['request']['kind'], string>> = {
  page: 'reading', around: 'reading', open: 'reading', find: 'looking', preview: 'reading', versions: 'looking for versions', compare: 'comparing', restore: 'restoring',
}

/** Of a line that is too long, what stands before the cursor is seen. */
function promptRow({ asks, line }: Prompt, width: number): { readonly row: Row; readonly column: number } {
  const question = fitted(QUESTIONS[asks], width - 2)
  const room = width - columns(question) - 1
  const before = [...display(line.before)]
  while (columns(before.join('')) > room) before.shift()
  const shown = before.join('')
  const after = fitted(display(lineText({ before: '', after: line.after })), Math.max(1, room - columns(shown)))
  return { row: { spans: [{ text: question, style: 'bold' }, { text: shown + (line.after === '' ? '' : after) }] }, column: columns(question) + columns(shown) }
}

function row(text: string, style?: Style): Row {
  return { spans: [{ text, style }] }
}
