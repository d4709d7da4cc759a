/** What the keys lead to from a chosen row: what is in it, its versions, what differs, its details. */
import type { Node, Snapshot } from '../../index.ts'
import { displayPath } from '../display.ts'
import { count } from '../format.ts'
import { knownId, shownCommands, snapshotWord } from './commands-shown.ts'
import { nodeDetails, snapshotDetails } from './details.ts'
import { longHelp } from './keys.ts'
import { chosen } from './list.ts'
import { type FolderView, type Model, shownView, type Step, type TextView, type View, type VersionsView, working } from './model.ts'
import type { Place } from './place.ts'
import { commonPath, joinedPath } from './paths.ts'
import { folderEntry, versionPlace } from './places.ts'
import type { TextLine } from './text-body.ts'

const ROOT = Uint8Array.of(0x2f)

export function pushed(model: Model, ...views: readonly View[]): Model {
  return { ...model, views: [...model.views, ...views] }
}

export function openChosen(model: Model): Step {
  const view = shownView(model)
  if (view.kind === 'snapshots') {
    const snapshot = chosen(view.list)
    return snapshot === undefined ? { model } : working(model, { kind: 'open', snapshot, path: commonPath(snapshot.paths) })
  }
  const place = view.kind === 'versions' ? chosenVersion(view) : folderEntry(model)
  if (place === undefined) return { model }
  if (place.node.type === 'file') return working(model, { kind: 'preview', place })
  if (place.node.type !== 'directory') return { model: showDetails(model) }
  return opened(pushed(model, folderView(place)))
}

export function folderView({ snapshot, path, node }: Place, wanted?: Uint8Array): FolderView {
  return { kind: 'folder', snapshot, path, tree: node.subtree, window: undefined, wanted }
}

/** Every folder on a way becomes a view, so that one goes back through them; what is no folder at its end is chosen in the last. */
export function wayViews(snapshot: Snapshot, way: readonly Node[]): FolderView[] {
  let at: Uint8Array = ROOT
  return way.filter(({ type }) => type === 'directory').map((node, i) => {
    if (i > 0) at = joinedPath(at, node.name)
    return folderView({ snapshot, path: at, node }, way[i + 1]?.name)
  })
}

/** A folder that comes on the screen is read. */
export function opened(model: Model): Step {
  const view = shownView(model)
  if (view.kind !== 'folder' || view.tree === undefined) return { model: { ...model, work: undefined } }
  return working(model, { kind: 'around', list: view.tree, name: view.wanted, isLast: false })
}

export function showVersions(model: Model): Step {
  const view = shownView(model)
  if (view.kind !== 'folder') return { model }
  return working(model, { kind: 'versions', path: folderEntry(model)?.path ?? view.path })
}

export function compareChosen(model: Model): Step {
  const pair = pairOf(model)
  return typeof pair === 'string' ? { model: { ...model, notice: pair } } : working(model, { kind: 'compare', ...pair })
}

interface Pair {
  readonly before: Place
  readonly after: Place
}

/** The older one comes first. */
function pairOf(model: Model): Pair | string {
  const view = shownView(model)
  if (view.kind === 'versions') {
    const { items, selected } = view.list
    const other = view.base ?? selected + 1
    const [after, before] = [items[Math.min(selected, other)], items[Math.max(selected, other)]]
    if (selected === other) return 'this is the version that is marked; choose another to compare it with'
    if (after === undefined || before === undefined) return 'there is no version before this one'
    return { before: versionPlace(view.path, before), after: versionPlace(view.path, after) }
  }
  const after = view.kind === 'snapshots' ? chosen(view.list) : undefined
  if (view.kind !== 'snapshots' || after === undefined) return 'there is nothing to compare'
  const samePaths = (paths: readonly Uint8Array[]): boolean => paths.length === after.paths.length && paths.every((path, i) => Buffer.compare(path, after.paths[i]!) === 0)
  const before = view.list.items.slice(view.list.selected + 1).find(({ host, paths }) => host === after.host && samePaths(paths))
  if (before === undefined) return 'there is no snapshot of the same host and paths before this one'
  const rootOf = (snapshot: typeof after): Place => ({ snapshot, path: ROOT, node: { ...ROOT_NODE, subtree: snapshot.tree } })
  return { before: rootOf(before), after: rootOf(after) }
}

const ROOT_NODE = { name: new Uint8Array(0), type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 1 } as const

export function chosenVersion(view: VersionsView): Place | undefined {
  const version = chosen(view.list)
  return version === undefined ? undefined : versionPlace(view.path, version)
}

export function showDetails(model: Model): Model {
  const view = shownView(model)
  const page = (title: string, lines: readonly string[], commands: readonly string[]): Model => pushed(model, textView(title, lines.map((text) => ({ text })), commands))
  if (view.kind === 'snapshots') {
    const snapshot = chosen(view.list)
    if (snapshot === undefined) return model
    return page(`snapshot ${knownId(model, snapshot)}`, snapshotDetails(snapshot), [`${model.program} cat snapshot ${knownId(model, snapshot)}`])
  }
  const place = view.kind === 'versions' ? chosenVersion(view) : folderEntry(model)
  if (place === undefined) return model
  return page(displayPath(place.path), nodeDetails(place.node), [`${model.program} ls ${snapshotWord(model, place.snapshot, place.path)} --json`])
}

export function showCommands(model: Model): Model {
  const commands = shownCommands(model)
  return pushed(model, textView(commands.length > 1 ? count(commands.length, 'command') : 'the command', commands.flatMap((text) => [{ text }, { text: '' }]), commands))
}

export function showHelp(model: Model): Model {
  return pushed(model, textView('keys', longHelp().map((text) => ({ text })), ['nacre browse --help']))
}

export function textView(title: string, lines: readonly TextLine[], commands: readonly string[]): TextView {
  return { kind: 'text', title, body: { kind: 'lines', lines }, top: 0, commands }
}

