/** What was read, put where it belongs. */
import { display, displayPath } from '../display.ts'
import { diffCommand, dumpCommand, knownId, restoreCommand } from './commands-shown.ts'
import { windowOf, withPage } from './folder-window.ts'
import { listOf, select } from './list.ts'
import { bodyHeight, type FolderView, type Model, type Request, type Result, shownView, type Step, withView, working } from './model.ts'
import { opened, pushed, wayViews } from './opening.ts'

type Of<Kind extends Request['kind']> = Extract<Request, { kind: Kind }>
type Given<Kind extends Result['kind']> = Extract<Result, { kind: Kind }>

export function withResult(model: Model, request: Request, result: Result): Step {
  switch (result.kind) {
    case 'page':
      return { model: inFolder(model, (view) => (request.kind === 'page' && view.window !== undefined ? { ...view, window: withPage(view.window, request.start, result.page, bodyHeight(model.size)) } : view)) }
    case 'around':
      return { model: inFolder(model, (view) => ({ ...view, window: windowOf(result.before, result.from, bodyHeight(model.size)), wanted: undefined })) }
    case 'open':
      return request.kind === 'open' ? openedWay(model, request, result) : { model }
    case 'found':
      return request.kind === 'find' ? found(model, request, result) : { model }
    case 'versions':
      return request.kind === 'versions' ? { model: withVersions(model, request, result) } : { model }
    case 'text':
      return { model: withText(model, request, result) }
  }
}

function inFolder(model: Model, change: (view: FolderView) => FolderView): Model {
  const view = shownView(model)
  return view.kind === 'folder' ? withView(model, change(view)) : model
}

function openedWay(model: Model, { snapshot, path }: Of<'open'>, { way }: Given<'open'>): Step {
  const views = wayViews(snapshot, way)
  const step = opened(pushed(model, ...views))
  const isShort = path.length > 1 && way.length === 1
  return isShort ? { ...step, model: { ...step.model, notice: `${displayPath(path)} is not in snapshot ${knownId(model, snapshot)}` } } : step
}

function found(model: Model, { list, needle }: Of<'find'>, { name }: Given<'found'>): Step {
  const view = shownView(model)
  if (name === undefined) return { model: { ...model, notice: `no name here holds "${display(needle)}"` } }
  if (view.kind !== 'folder' || view.window === undefined) return { model }
  const at = view.window.items.findIndex((node) => Buffer.compare(node.name, name) === 0)
  if (at === -1) return working(model, { kind: 'around', list, name, isLast: false })
  return { model: withView(model, { ...view, window: select(view.window, at, bodyHeight(model.size)) }) }
}

function withVersions(model: Model, { path }: Of<'versions'>, { versions, without }: Given<'versions'>): Model {
  return pushed(model, { kind: 'versions', path, list: listOf(versions.toReversed()), base: undefined, without })
}

function withText(model: Model, request: Request, { body }: Given<'text'>): Model {
  const page = (title: string, commands: readonly string[]): Model => pushed(model, { kind: 'text', title, body, top: 0, commands })
  switch (request.kind) {
    case 'preview':
      return page(displayPath(request.place.path), [dumpCommand(model, request.place)])
    case 'compare':
      return page(`${knownId(model, request.before.snapshot)} … ${knownId(model, request.after.snapshot)}  ${displayPath(request.after.path)}`, [diffCommand(model, request.before, request.after)])
    case 'restore':
      return { ...page('restored', request.steps.map((step) => restoreCommand(model, step))), marks: [] }
    default:
      return model
  }
}
