/** Marks: what is to be restored, and among versions the one that others are compared with. */
import { folderEntry } from './places.ts'
import { type Model, shownView, type Step, withView } from './model.ts'
import type { Place } from './place.ts'
import { moveTo } from './movement.ts'

export function isMarked({ marks }: Pick<Model, 'marks'>, snapshotId: string, path: Uint8Array): boolean {
  return marks.some((mark) => isThat(mark, snapshotId, path))
}

/** Marks what is chosen, or takes its mark away, and goes a row on. */
export function toggledMark(model: Model): Step {
  const view = shownView(model)
  if (view.kind === 'versions') {
    const base = view.base === view.list.selected ? undefined : view.list.selected
    return { model: withView(model, { ...view, base }) }
  }
  const place = folderEntry(model)
  if (place === undefined || view.kind !== 'folder') return { model }
  const others = model.marks.filter((mark) => !isThat(mark, place.snapshot.id, place.path))
  const marks = others.length < model.marks.length ? others : [...model.marks, place]
  return moveTo({ ...model, marks }, (view.window?.selected ?? 0) + 1)
}

export function withoutMarks(model: Model): Model {
  const view = shownView(model)
  return view.kind === 'versions' ? withView(model, { ...view, base: undefined }) : { ...model, marks: [] }
}

function isThat({ snapshot, path }: Place, snapshotId: string, wanted: Uint8Array): boolean {
  return snapshot.id === snapshotId && Buffer.compare(path, wanted) === 0
}
