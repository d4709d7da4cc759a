/** Moving in the view on the screen: another row is chosen, or other lines of a text are seen. */
import { wantedPage } from './folder-window.ts'
import { select } from './list.ts'
import { bodyHeight, type Model, shownView, type Size, type Step, type View, withView, working } from './model.ts'
import { bodyLines } from './text-body.ts'

/** The chosen row; of a text the first line that is seen. */
export function position(view: View): number {
  return view.kind === 'text' ? view.top : view.kind === 'folder' ? (view.window?.selected ?? 0) : view.list.selected
}

export function rowCount(view: View, { columns }: Size): number {
  switch (view.kind) {
    case 'text':
      return bodyLines(view.body, columns).length
    case 'folder':
      return view.window?.items.length ?? 0
    default:
      return view.list.items.length
  }
}

/** Beyond an end is at that end. A folder of which more is there is read on. */
export function moveTo(model: Model, wanted: number): Step {
  const view = shownView(model)
  const height = bodyHeight(model.size)
  switch (view.kind) {
    case 'snapshots':
      return { model: withView(model, { ...view, list: select(view.list, wanted, height) }) }
    case 'versions':
      return { model: withView(model, { ...view, list: select(view.list, wanted, height) }) }
    case 'text':
      return { model: withView(model, { ...view, top: topOfText(model, wanted) }) }
    case 'folder': {
      if (view.window === undefined) return { model }
      const window = select(view.window, wanted, height)
      const moved = withView(model, { ...view, window })
      const start = wantedPage(window)
      // What is read already goes on.
      if (start === undefined || view.tree === undefined || model.work !== undefined) return { model: moved }
      return working(moved, { kind: 'page', list: view.tree, start })
    }
  }
}

/** No line is scrolled beyond the last page. */
export function topOfText(model: Model, wanted: number): number {
  const view = shownView(model)
  return Math.max(0, Math.min(wanted, rowCount(view, model.size) - bodyHeight(model.size)))
}
