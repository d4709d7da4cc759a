/** The command line that prints, or does, what is on the screen: so that people learn it, and can go on without the screen. */
import { shortId, type Snapshot } from '../../index.ts'
import { shellOption, shellWord } from '../shell-quote.ts'
import { lineText } from './line-editor.ts'
import { chosen } from './list.ts'
import { joinedPath } from './paths.ts'
import { wantedPlaces } from './places.ts'
import { type Model, shownView } from './model.ts'
import type { Place } from './place.ts'
import { restoreSteps, type RestoreStep } from './restore-steps.ts'

/** What is on the screen, or what would be restored where something is marked. */
export function shownCommands(model: Model): readonly string[] {
  const view = shownView(model)
  if (model.prompt?.asks === 'target' || (view.kind === 'folder' && model.marks.length > 0)) {
    const typed = model.prompt === undefined ? '' : lineText(model.prompt.line)
    return restoreSteps(wantedPlaces(model), Buffer.from(typed === '' ? 'DIR' : typed)).map((step) => restoreCommand(model, step))
  }
  if (view.kind === 'text') return view.commands
  switch (view.kind) {
    case 'snapshots': {
      return [`${model.program} snapshots${model.filters}`]
    }
    case 'folder': {
      const node = view.window === undefined ? undefined : chosen(view.window)
      const isFile = node !== undefined && node.type === 'file'
      return [isFile ? dumpCommand(model, { snapshot: view.snapshot, path: joinedPath(view.path, node.name) }) : `${model.program} ls ${snapshotWord(model, view.snapshot, view.path)} -l`]
    }
    case 'versions':
      return [historyCommand(model, view.path)]
  }
}

export function dumpCommand(model: Model, { snapshot, path }: Pick<Place, 'snapshot' | 'path'>): string {
  return `${model.program} dump ${snapshotWord(model, snapshot, path)}`
}

export function historyCommand(model: Model, path: Uint8Array): string {
  return `${model.program} history ${shellWord(path)}${model.filters}`
}

export function diffCommand(model: Model, before: Place, after: Place): string {
  return `${model.program} diff ${snapshotWord(model, before.snapshot, before.path)} ${snapshotWord(model, after.snapshot, after.path)}`
}

export function restoreCommand(model: Model, { snapshot, path, include, target }: RestoreStep): string {
  const patterns = include.map((pattern) => ` ${shellOption('include', pattern)}`).join('')
  return `${model.program} restore ${snapshotWord(model, snapshot, path)}${patterns} ${shellOption('target', target)}`
}

/** `ID:PATH`, or `ID` alone for the root. */
export function snapshotWord(model: Model, snapshot: Snapshot, path: Uint8Array | undefined): string {
  const id = knownId(model, snapshot)
  return path === undefined || path.length === 1 ? id : shellWord(Buffer.concat([Buffer.from(`${id}:`), path]))
}

/** As few digits as name it among all. */
export function knownId({ snapshots }: Pick<Model, 'snapshots'>, { id }: Snapshot): string {
  const short = shortId(id)
  return snapshots.some((other) => other.id !== id && other.id.startsWith(short)) ? id : short
}
