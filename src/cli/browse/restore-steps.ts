/**
 * What is marked, as calls of `restore`: each thing comes to lie in the target under its own name.
 * Neighbours of one folder go together, by patterns; a name that a pattern cannot hold goes alone.
 */
import { escapedPath, type Snapshot } from '../../index.ts'
import { folderOf, joinedPath, nameOf } from './paths.ts'
import type { Place } from './place.ts'

export interface RestoreStep {
  readonly snapshot: Snapshot
  /** undefined: everything, under its absolute path. */
  readonly path: Uint8Array | undefined
  readonly include: readonly string[]
  readonly target: Uint8Array
}

export function restoreSteps(places: readonly Place[], target: Uint8Array): RestoreStep[] {
  const groups = new Map<string, Place[]>()
  for (const place of places) {
    const key = `${place.snapshot.id} ${isPatternName(place) ? latin1(folderOf(place.path)) : latin1(place.path)}`
    groups.set(key, [...(groups.get(key) ?? []), place])
  }
  return [...groups.values()].map((group) => (group.length === 1 ? alone(group[0]!, target) : together(group, target)))
}

function alone({ snapshot, path, node }: Place, target: Uint8Array): RestoreStep {
  if (path.length === 1) return { snapshot, path: undefined, include: [], target }
  // Of a folder, what is in it goes into the target.
  return { snapshot, path, include: [], target: node.type === 'directory' ? joinedPath(target, nameOf(path)) : target }
}

function together(group: readonly Place[], target: Uint8Array): RestoreStep {
  const [{ snapshot, path }] = group as readonly [Place, ...Place[]]
  const folder = folderOf(path)
  const include = group.map((place) => escapedPath(Buffer.from(place.path).toString('utf8')))
  return { snapshot, path: folder.length === 1 ? undefined : folder, include, target }
}

/** Spaces at its end would not count, and what no terminal shows nobody could copy. */
function isPatternName({ path }: Place): boolean {
  const text = Buffer.from(path).toString('utf8')
  return path.length > 1 && Buffer.from(text).equals(path) && !/[\p{C}\p{Zl}\p{Zp}]|\s$/u.test(text)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
