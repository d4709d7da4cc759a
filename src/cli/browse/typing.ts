/** Lines that somebody types at the bottom: what to look for, and where to restore to. */
import { display } from '../display.ts'
import type { Key } from './keys.ts'
import { edited, lineText } from './line-editor.ts'
import { chosen } from './list.ts'
import { type FolderView, type Model, type Prompt, shownView, type Step, type View, withView, working } from './model.ts'
import { moveTo } from './movement.ts'
import { wantedPlaces } from './places.ts'
import { restoreSteps } from './restore-steps.ts'
import { snapshotCells, versionCells } from './cells.ts'
import { bodyLines } from './text-body.ts'

export function typed(model: Model, prompt: Prompt, key: Key): Step {
  if (key.name === 'escape') return { model: { ...model, prompt: undefined } }
  if (key.name !== 'enter') return { model: { ...model, prompt: { ...prompt, line: edited(prompt.line, key) } } }
  const text = lineText(prompt.line)
  const asked = { ...model, prompt: undefined }
  if (prompt.asks === 'target') return restoreTo(asked, text)
  // As in other programs, an empty line looks for the same again.
  return findAgain({ ...asked, needle: text === '' ? model.needle : text }, true)
}

function restoreTo(model: Model, text: string): Step {
  if (text === '') return { model: { ...model, notice: 'nothing was restored: no folder was given' } }
  const target = text === '~' || text.startsWith('~/') ? model.home + text.slice(1) : text
  return working(model, { kind: 'restore', steps: restoreSteps(wantedPlaces(model), Buffer.from(target)) })
}

export function findAgain(model: Model, isForward: boolean): Step {
  const { needle } = model
  const view = shownView(model)
  if (needle === '') return { model: { ...model, notice: 'what is to be found? press / and type it' } }
  if (view.kind === 'folder') {
    if (view.tree === undefined || view.window === undefined) return { model }
    return working(model, { kind: 'find', list: view.tree, start: { name: chosen(view.window)?.name, direction: isForward ? 'after' : 'before' }, needle })
  }
  const rows = rowTexts(view, model.size.columns)
  const at = nearest(rows, view.kind === 'text' ? (view.found ?? view.top - 1) : view.list.selected, isForward, (row) => holds(row, needle))
  if (at === undefined) return { model: { ...model, notice: `nothing here holds "${display(needle)}"` } }
  return moveTo(view.kind === 'text' ? withView(model, { ...view, found: at }) : model, at)
}

function rowTexts(view: Exclude<View, FolderView>, width: number): string[] {
  switch (view.kind) {
    case 'snapshots':
      return view.list.items.map((snapshot) => Object.values(snapshotCells(snapshot)).join(' '))
    case 'versions':
      return view.list.items.map((version) => Object.values(versionCells(version)).join(' '))
    case 'text':
      return bodyLines(view.body, width).map(({ text }) => text)
  }
}

/** Upper and lower case count as the same. */
export function holds(text: string, needle: string): boolean {
  return text.toLowerCase().includes(needle.toLowerCase())
}

function nearest(rows: readonly string[], from: number, isForward: boolean, isWanted: (row: string) => boolean): number | undefined {
  for (let i = 1; i <= rows.length; i++) {
    const at = (((isForward ? from + i : from - i) % rows.length) + rows.length) % rows.length
    if (isWanted(rows[at]!)) return at
  }
  return undefined
}
