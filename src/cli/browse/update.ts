/** What a key, or something that was read, makes of what is looked at. Pure: `Step.request` says what is to be read or done. */
import { columns } from '../format.ts'
import { shownCommands } from './commands-shown.ts'
import { actionOf, type Action } from './keys.ts'
import { fit } from './list.ts'
import { bodyHeight, type Message, type Model, shownView, type Step, type View, withView, type Work, working } from './model.ts'
import { moveTo, position, rowCount, topOfText } from './movement.ts'
import { compareChosen, openChosen, pushed, showCommands, showDetails, showHelp, showVersions, textView } from './opening.ts'
import { wantedPlaces } from './places.ts'
import { withResult } from './results.ts'
import { findAgain, typed } from './typing.ts'
import { toggledMark, withoutMarks } from './marking.ts'
import { lineOf } from './line-editor.ts'

export function update(model: Model, message: Message): Step {
  switch (message.kind) {
    case 'key':
      return afterKey(model, message)
    case 'resize':
      return completed(inside({ ...model, size: message.size, views: model.views.map((view) => fitted(view, bodyHeight(message.size))) }))
    case 'notice':
      return { model: { ...model, notice: message.text } }
    case 'progress':
      return model.work?.id === message.work ? { model: { ...model, work: { ...model.work, progress: message.text } } } : { model }
    case 'failed':
      return { model: model.work?.id === message.work ? afterFailure(model, model.work, message.message) : model }
    case 'done': {
      if (model.work?.id !== message.work) return { model }
      const step = withResult({ ...model, work: undefined, notice: undefined }, model.work.request, message.result)
      return step.request === undefined ? completed(step.model) : step
    }
  }
}

/** Reads what the view on the screen lacks, unless something else is under way. */
export function completed(model: Model): Step {
  const view = shownView(model)
  if (view.kind !== 'folder' || view.tree === undefined || view.window !== undefined || model.work !== undefined) return { model }
  return working(model, { kind: 'around', list: view.tree, name: view.wanted, isLast: false })
}

/** A folder that cannot be read is left; what is too long for a line is a page. */
function afterFailure(model: Model, { request }: Work, message: string): Model {
  const view = shownView(model)
  const isUnread = request.kind === 'around' && view.kind === 'folder' && view.window === undefined && model.views.length > 1
  const left: Model = { ...model, work: undefined, views: isUnread ? model.views.slice(0, -1) : model.views }
  if (columns(message) <= model.size.columns) return { ...left, notice: message }
  return pushed(left, textView('that did not work', [{ text: message, style: 'warning' }], shownCommands(model)))
}

/** A text that has other lines now is not scrolled beyond its end. */
function inside(model: Model): Model {
  const view = shownView(model)
  return view.kind === 'text' ? withView(model, { ...view, top: topOfText(model, view.top) }) : model
}

function afterKey(model: Model, { key }: Extract<Message, { kind: 'key' }>): Step {
  const quiet = model.notice === undefined ? model : { ...model, notice: undefined }
  if (key.name === 'ctrl-c') return { model: { ...quiet, end: 'interrupted' } }
  if (quiet.prompt !== undefined) return typed(quiet, quiet.prompt, key)
  const action = actionOf(key, shownView(quiet).kind)
  if (action === undefined) return { model: quiet }
  // A restore is not to be given up by a key that was meant for something else.
  if (quiet.work?.request.kind === 'restore' && key.name !== 'escape') return { model: { ...quiet, notice: 'a restore is under way; Esc stops it' } }
  return acted(quiet, action)
}

function acted(model: Model, action: Action): Step {
  const view = shownView(model)
  const height = bodyHeight(model.size)
  switch (action) {
    case 'up':
      return moveTo(model, position(view) - 1)
    case 'down':
      return moveTo(model, position(view) + 1)
    case 'page-up':
      return moveTo(model, position(view) - height)
    case 'page-down':
      return moveTo(model, position(view) + height)
    case 'start':
      if (view.kind === 'folder' && view.tree !== undefined && view.window?.isStart === false) return working(model, { kind: 'around', list: view.tree, name: undefined, isLast: false })
      return moveTo(model, 0)
    case 'end':
      if (view.kind === 'folder' && view.tree !== undefined && view.window?.isEnd === false) return working(model, { kind: 'around', list: view.tree, name: undefined, isLast: true })
      return moveTo(model, rowCount(view, model.size) - 1)
    case 'open':
      return openChosen(model)
    case 'back':
      return goBack(model)
    case 'mark':
      return toggledMark(model)
    case 'unmark':
      return { model: withoutMarks(model) }
    case 'versions':
      return showVersions(model)
    case 'compare':
      return compareChosen(model)
    case 'details':
      return { model: showDetails(model) }
    case 'restore':
      return { model: askTarget(model) }
    case 'find':
      return { model: { ...model, prompt: { asks: 'find', line: lineOf('') } } }
    case 'find-next':
      return findAgain(model, true)
    case 'find-previous':
      return findAgain(model, false)
    case 'command':
      return { model: showCommands(model) }
    case 'help':
      return { model: showHelp(model) }
    case 'quit':
      return { model: { ...model, end: 'quit' } }
    case 'redraw':
      // The screen forgets what it has drawn when it sees this key.
      return { model }
  }
}

/** What is under way is stopped first; only then the view is left. */
function goBack(model: Model): Step {
  if (model.work !== undefined) return { model: { ...model, work: undefined, notice: 'stopped' } }
  if (model.views.length === 1) return { model: { ...model, notice: 'q ends it' } }
  return completed({ ...model, views: model.views.slice(0, -1) })
}

function askTarget(model: Model): Model {
  if (wantedPlaces(model).length === 0) return { ...model, notice: 'there is nothing to restore' }
  return { ...model, prompt: { asks: 'target', line: lineOf('') } }
}

function fitted(view: View, height: number): View {
  switch (view.kind) {
    case 'snapshots':
      return { ...view, list: fit(view.list, height) }
    case 'versions':
      return { ...view, list: fit(view.list, height) }
    case 'folder':
      return view.window === undefined ? view : { ...view, window: fit(view.window, height) }
    case 'text':
      return view
  }
}

