/**
 * The folders above the snapshots. Each snapshot is a folder once, in `snapshots/`; everywhere else
 * it is a link to there, so that the kernel keeps its names and pages once, whichever way one came.
 *
 *     latest -> snapshots/<time>
 *     snapshots/<time>/
 *     ids/<short id> -> ../snapshots/<time>
 *     hosts/<host>/<time>, hosts/<host>/latest -> ../../snapshots/<time>
 *     tags/<tag>/<time> and labels/<label>/<time>, likewise; or as path templates say
 *
 * Pure: from lists of snapshots to a tree of names.
 */
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { shortId } from '../../snapshot/select.ts'
import { DEFAULT_TEMPLATES, expandTemplate, parsePathTemplate, type PathTemplate } from './path-template.ts'
import { snapshotNames, type ZoneAt } from './snapshot-names.ts'

export type LayoutEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly timeNs: bigint; readonly entries: ReadonlyMap<string, LayoutEntry> }
  | { readonly kind: 'link'; readonly path: string; readonly timeNs: bigint; readonly target: string }
  | { readonly kind: 'snapshot'; readonly path: string; readonly timeNs: bigint; readonly snapshot: Snapshot }

export type LayoutFolder = Extract<LayoutEntry, { kind: 'folder' }>

export interface LayoutSources {
  /** Those that are shown, oldest first. */
  readonly snapshots: readonly Snapshot[]
  /** All that have a name, whether shown or not: names do not change when one is forgotten. */
  readonly named: readonly Snapshot[]
  readonly nowNs: bigint
  readonly zoneAt: ZoneAt
  /** Where links stand; by id, host, tag and label by default. */
  readonly templates?: readonly PathTemplate[] | undefined
}

const SNAPSHOTS = 'snapshots'
const LATEST = 'latest'

export function layoutOf({ snapshots, named, nowNs, zoneAt, templates = DEFAULT_TEMPLATES.map(parsePathTemplate) }: LayoutSources): LayoutFolder {
  const names = snapshotNames(named, zoneAt)
  const root: Draft = { folders: new Map(), links: new Map(), newest: undefined }
  const placed = snapshots.flatMap((snapshot) => templates.flatMap((template) => expandTemplate(template, snapshot, names.get(snapshot)!).map((path) => ({ snapshot, template, path: unreserved(path) }))))
  for (const { fixed } of templates) folderAt(root, unreserved(fixed))
  // Folders before links: what both would be called is the folder's name.
  for (const { path, snapshot } of placed) for (let depth = 0; depth < path.length; depth++) folderAt(root, path.slice(0, depth)).newest = snapshot
  for (const { path, snapshot, template } of placed) {
    const folder = folderAt(root, path.slice(0, -1))
    const name = path.at(-1)!
    folder.links.set([name, `${name}_${shortId(snapshot.id)}`, `${name}_${snapshot.id}`].find((free) => !folder.links.has(free) && !folder.folders.has(free)) ?? name, snapshot)
    if (template.isByTime && snapshot.startNs <= nowNs && path.length > 1) folder.latest = snapshot
  }
  const newest = snapshots.at(-1)?.startNs ?? 0n
  const entries = new Map<string, LayoutEntry>([[SNAPSHOTS, {
    kind: 'folder', path: SNAPSHOTS, timeNs: newest,
    entries: new Map(snapshots.map((snapshot) => [names.get(snapshot)!, { kind: 'snapshot', path: `${SNAPSHOTS}/${names.get(snapshot)!}`, timeNs: snapshot.startNs, snapshot }])),
  }]])
  for (const [name, entry] of finished(root, '', 0, names).entries) entries.set(name, entry)
  // Never one that is dated in the future.
  const latest = snapshots.findLast((snapshot) => snapshot.startNs <= nowNs)
  if (latest !== undefined) entries.set(LATEST, { kind: 'link', path: LATEST, timeNs: latest.startNs, target: `${SNAPSHOTS}/${names.get(latest)!}` })
  return { kind: 'folder', path: '', timeNs: newest, entries }
}

/** A folder that is being filled. */
interface Draft {
  readonly folders: Map<string, Draft>
  readonly links: Map<string, Snapshot>
  newest: Snapshot | undefined
  latest?: Snapshot
}

function folderAt(root: Draft, path: readonly string[]): Draft {
  let at = root
  for (const name of path) {
    const next = at.folders.get(name) ?? { folders: new Map(), links: new Map(), newest: undefined }
    at.folders.set(name, next)
    at = next
  }
  return at
}

/** A host may be called `latest`. */
function unreserved([first, ...rest]: readonly string[]): string[] {
  if (first === undefined) return []
  return [first === SNAPSHOTS || first === LATEST ? `%${first.charCodeAt(0).toString(16).toUpperCase()}${first.slice(1)}` : first, ...rest]
}

function finished(draft: Draft, path: string, depth: number, names: ReadonlyMap<Snapshot, string>): LayoutFolder {
  const entries = new Map<string, LayoutEntry>()
  const below = (name: string): string => (path === '' ? name : `${path}/${name}`)
  const link = (name: string, snapshot: Snapshot): void => void entries.set(name, { kind: 'link', path: below(name), timeNs: snapshot.startNs, target: `${'../'.repeat(depth)}${SNAPSHOTS}/${names.get(snapshot)!}` })
  for (const [name, folder] of draft.folders) entries.set(name, finished(folder, below(name), depth + 1, names))
  for (const [name, snapshot] of draft.links) link(name, snapshot)
  if (draft.latest !== undefined && !entries.has(LATEST)) link(LATEST, draft.latest)
  return { kind: 'folder', path, timeNs: draft.newest?.startNs ?? 0n, entries }
}

/** A change since another layout shows in a folder's time, as it does in any folder's. */
export function withChanges(before: LayoutFolder, now: LayoutFolder, nowNs: bigint): LayoutFolder {
  const entries = new Map<string, LayoutEntry>()
  let isSame = before.entries.size === now.entries.size
  for (const [name, entry] of now.entries) {
    const old = before.entries.get(name)
    if (old?.kind === 'folder' && entry.kind === 'folder') {
      entries.set(name, withChanges(old, entry, nowNs))
      continue
    }
    entries.set(name, entry)
    isSame &&= old !== undefined && sameEntry(old, entry)
  }
  return { ...now, entries, timeNs: isSame ? before.timeNs : nowNs }
}

function sameEntry(a: LayoutEntry, b: LayoutEntry): boolean {
  if (a.kind === 'link' && b.kind === 'link') return a.target === b.target
  if (a.kind === 'snapshot' && b.kind === 'snapshot') return a.snapshot.id === b.snapshot.id
  return false
}
