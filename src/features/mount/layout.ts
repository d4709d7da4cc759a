/**
 * The folders above the snapshots. Each snapshot is a folder once, in `snapshots/`; everywhere else
 * it is a link to there, so that the kernel keeps its names and pages once, whichever way one came.
 *
 *     latest -> snapshots/<time>
 *     snapshots/<time>/
 *     ids/<short id> -> ../snapshots/<time>
 *     hosts/<host>/<time>, hosts/<host>/latest -> ../../snapshots/<time>
 *     tags/<tag>/<time> and labels/<label>/<time>, likewise
 *
 * Pure: from lists of snapshots to a tree of names.
 */
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { shortId } from '../../snapshot/select.ts'
import { folderName, snapshotNames, type ZoneAt } from './snapshot-names.ts'

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
}

export function layoutOf({ snapshots, named, nowNs, zoneAt }: LayoutSources): LayoutFolder {
  const names = snapshotNames(named, zoneAt)
  const nameOf = (snapshot: Snapshot): string => names.get(snapshot)!
  const ids = new Map<string, LayoutEntry>()
  const all = new Map<string, LayoutEntry>()
  for (const snapshot of snapshots) {
    const name = nameOf(snapshot)
    all.set(name, { kind: 'snapshot', path: `snapshots/${name}`, timeNs: snapshot.startNs, snapshot })
    const short = shortId(snapshot.id)
    const id = ids.has(short) ? snapshot.id : short
    ids.set(id, { kind: 'link', path: `ids/${id}`, timeNs: snapshot.startNs, target: `../snapshots/${name}` })
  }
  const sorted = (path: string, keysOf: (snapshot: Snapshot) => readonly string[]): LayoutFolder => {
    const groups = new Map<string, Snapshot[]>()
    for (const snapshot of snapshots) {
      for (const key of new Set(keysOf(snapshot).filter((text) => text !== '').map(folderName))) {
        const members = groups.get(key)
        if (members === undefined) groups.set(key, [snapshot])
        else members.push(snapshot)
      }
    }
    const entries = [...groups].map(([key, members]): [string, LayoutEntry] => [key, groupFolder(`${path}/${key}`, members, nameOf, nowNs)])
    return folder(path, new Map(entries), newest(snapshots))
  }
  const entries = new Map<string, LayoutEntry>([
    ['snapshots', folder('snapshots', all, newest(snapshots))],
    ['ids', folder('ids', ids, newest(snapshots))],
    ['hosts', sorted('hosts', (snapshot) => [snapshot.host])],
    ['tags', sorted('tags', (snapshot) => snapshot.tags)],
    ['labels', sorted('labels', (snapshot) => [snapshot.label])],
  ])
  const latest = latestOf(snapshots, nowNs)
  if (latest !== undefined) entries.set('latest', { kind: 'link', path: 'latest', timeNs: latest.startNs, target: `snapshots/${nameOf(latest)}` })
  return folder('', entries, newest(snapshots))
}

function groupFolder(path: string, members: readonly Snapshot[], nameOf: (snapshot: Snapshot) => string, nowNs: bigint): LayoutFolder {
  const link = (name: string, snapshot: Snapshot): [string, LayoutEntry] => [name, { kind: 'link', path: `${path}/${name}`, timeNs: snapshot.startNs, target: `../../snapshots/${nameOf(snapshot)}` }]
  const entries = new Map(members.map((snapshot) => link(nameOf(snapshot), snapshot)))
  const latest = latestOf(members, nowNs)
  if (latest !== undefined) entries.set(...link('latest', latest))
  return folder(path, entries, newest(members))
}

function folder(path: string, entries: ReadonlyMap<string, LayoutEntry>, timeNs: bigint): LayoutFolder {
  return { kind: 'folder', path, timeNs, entries }
}

function newest(snapshots: readonly Snapshot[]): bigint {
  return snapshots.at(-1)?.startNs ?? 0n
}

/** Never one that is dated in the future. */
function latestOf(snapshots: readonly Snapshot[], nowNs: bigint): Snapshot | undefined {
  return snapshots.findLast((snapshot) => snapshot.startNs <= nowNs)
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
