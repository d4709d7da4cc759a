/**
 * What is looked at, as a value. `update` makes a new one of it for each key and each thing that was
 * read, and says what is to be read or done next; drawing makes rows of it. Neither touches a
 * terminal or a repository.
 */
import type { FolderPage, Node, PageStart, PathVersion, Snapshot } from '../../index.ts'
import type { FolderWindow } from './folder-window.ts'
import type { Key } from './keys.ts'
import type { Line } from './line-editor.ts'
import type { List } from './list.ts'
import type { Place } from './place.ts'
import type { RestoreStep } from './restore-steps.ts'
import type { Body } from './text-body.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface SnapshotsView {
  readonly kind: 'snapshots'
  /** Newest first. */
  readonly list: List<Snapshot>
}

export interface FolderView {
  readonly kind: 'folder'
  readonly snapshot: Snapshot
  readonly path: Uint8Array
  /** undefined: a folder that could not be read when it was backed up. */
  readonly tree: Uint8Array | undefined
  /** Not yet read, or let go while something else was looked at. */
  readonly window: FolderWindow | undefined
  /** What is to be chosen when it is read. */
  readonly wanted: Uint8Array | undefined
}

export interface VersionsView {
  readonly kind: 'versions'
  readonly path: Uint8Array
  /** Newest first. */
  readonly list: List<PathVersion<Snapshot>>
  /** Position of the version that others are compared with. */
  readonly base: number | undefined
  readonly without: number
}

export interface TextView {
  readonly kind: 'text'
  readonly title: string
  readonly body: Body
  /** First line that is seen. */
  readonly top: number
  /** The line that was found last. */
  readonly found?: number | undefined
  /** What prints the same. */
  readonly commands: readonly string[]
}

export type View = SnapshotsView | FolderView | VersionsView | TextView

export interface Prompt {
  readonly asks: 'find' | 'target'
  readonly line: Line
}

/** What is under way: one thing at a time. */
export interface Work {
  readonly id: number
  readonly request: Request
  /** How far it is. */
  readonly progress: string | undefined
}

export interface Model {
  readonly size: Size
  /** The last one is on the screen. There is always one. */
  readonly views: readonly View[]
  /** To be restored. */
  readonly marks: readonly Place[]
  readonly prompt: Prompt | undefined
  readonly work: Work | undefined
  /** Said at the bottom until the next key. */
  readonly notice: string | undefined
  /** What was looked for last. */
  readonly needle: string
  /** The number of the next work. */
  readonly nextWork: number
  /** All that the filters left, oldest first. */
  readonly snapshots: readonly Snapshot[]
  /** How a command for this repository begins, and the filters in words for those that take them. */
  readonly program: string
  readonly filters: string
  readonly home: string
  readonly end: 'quit' | 'interrupted' | undefined
}

export type Request =
  | { readonly kind: 'page'; readonly list: Uint8Array; readonly start: PageStart }
  | { readonly kind: 'around'; readonly list: Uint8Array; readonly name: Uint8Array | undefined; readonly isLast: boolean }
  | { readonly kind: 'open'; readonly snapshot: Snapshot; readonly path: Uint8Array }
  | { readonly kind: 'find'; readonly list: Uint8Array; readonly start: PageStart; readonly needle: string }
  | { readonly kind: 'preview'; readonly place: Place }
  | { readonly kind: 'versions'; readonly path: Uint8Array }
  | { readonly kind: 'compare'; readonly before: Place; readonly after: Place }
  | { readonly kind: 'restore'; readonly steps: readonly RestoreStep[] }

export type Result =
  | { readonly kind: 'page'; readonly page: FolderPage }
  | { readonly kind: 'around'; readonly before: FolderPage; readonly from: FolderPage }
  | { readonly kind: 'open'; readonly way: readonly Node[] }
  | { readonly kind: 'found'; readonly name: Uint8Array | undefined }
  | { readonly kind: 'versions'; readonly versions: readonly PathVersion<Snapshot>[]; readonly without: number }
  | { readonly kind: 'text'; readonly body: Body }

export type Message =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'resize'; readonly size: Size }
  | { readonly kind: 'done'; readonly work: number; readonly result: Result }
  | { readonly kind: 'failed'; readonly work: number; readonly message: string }
  | { readonly kind: 'progress'; readonly work: number; readonly text: string }
  /** A warning that came up besides. */
  | { readonly kind: 'notice'; readonly text: string }

/** A model, and what is to be read or done for it. */
export interface Step {
  readonly model: Model
  readonly request?: Request | undefined
}

export function shownView({ views }: Model): View {
  return views.at(-1)!
}

/** The model with another view in the place of the one on the screen. */
export function withView(model: Model, view: View): Model {
  return { ...model, views: [...model.views.slice(0, -1), view] }
}

/** Rows of a view that are seen at once: all but the title, the command and the line at the bottom. */
export function bodyHeight({ rows }: Size): number {
  return Math.max(1, rows - 3)
}

/** Begins a work; one that was under way is given up. */
export function working(model: Model, request: Request): Step {
  return { model: { ...model, work: { id: model.nextWork, request, progress: undefined }, nextWork: model.nextWork + 1, notice: undefined }, request }
}
