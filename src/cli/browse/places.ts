/** What is chosen on the screen, as places of snapshots. */
import type { Node, PathVersion, Snapshot } from '../../index.ts'
import { chosen } from './list.ts'
import { type FolderView, type Model, shownView } from './model.ts'
import type { Place } from './place.ts'
import { joinedPath } from './paths.ts'

/** The chosen entry of a folder. */
export function folderEntry(model: Model): Place | undefined {
  const view = shownView(model)
  const node = view.kind === 'folder' && view.window !== undefined ? chosen(view.window) : undefined
  return view.kind === 'folder' && node !== undefined ? entryOf(view, node) : undefined
}

export function entryOf({ snapshot, path }: FolderView, node: Node): Place {
  return { snapshot, path: joinedPath(path, node.name), node }
}

/** A version is taken from the newest snapshot that holds it. */
export function versionPlace(path: Uint8Array, { node, snapshots }: PathVersion<Snapshot>): Place {
  return { snapshot: snapshots.at(-1)!, path, node }
}

const ROOT = Uint8Array.of(0x2f)

/** What a restore takes: what is marked, else what is chosen. */
export function wantedPlaces(model: Model): readonly Place[] {
  if (model.marks.length > 0) return model.marks
  const view = shownView(model)
  if (view.kind === 'snapshots') {
    const snapshot = chosen(view.list)
    return snapshot === undefined ? [] : [{ snapshot, path: ROOT, node: folderNode() }]
  }
  if (view.kind === 'versions') {
    const version = chosen(view.list)
    return version === undefined ? [] : [versionPlace(view.path, version)]
  }
  const entry = folderEntry(model)
  return entry === undefined ? [] : [entry]
}

/** Stands for a snapshot's root, of which nothing is known. */
function folderNode(): Node {
  return { name: new Uint8Array(0), type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 1 }
}
