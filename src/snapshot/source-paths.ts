/**
 * The paths of a backup as a tree of names. Snapshots hold absolute paths, so the folders above
 * what was asked for are in it too, each with nothing but the way down.
 */
import { concatBytes, compareBytes } from '../util/bytes.ts'

export interface SourceBranch {
  readonly name: Uint8Array
  /** All of it is wanted; its children, if any, are then part of it. */
  isWhole: boolean
  readonly children: Map<string, SourceBranch>
}

const SLASH = 0x2f

export function emptyBranch(name: Uint8Array): SourceBranch {
  return { name, isWhole: false, children: new Map() }
}

/** @param paths - absolute and normal: no `.`, `..` or doubled slashes */
export function branchesOf(paths: readonly Uint8Array[]): SourceBranch {
  const root = emptyBranch(new Uint8Array(0))
  for (const path of paths) {
    let branch = root
    for (const name of splitPath(path)) {
      const key = Buffer.from(name).toString('latin1')
      const next = branch.children.get(key) ?? emptyBranch(name)
      branch.children.set(key, next)
      branch = next
    }
    branch.isWhole = true
  }
  return root
}

export function sortedChildren(branch: SourceBranch): SourceBranch[] {
  return [...branch.children.values()].sort((a, b) => compareBytes(a.name, b.name))
}

export function splitPath(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = []
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start)
    const end = slash === -1 ? path.length : slash
    if (end > start) names.push(path.subarray(start, end))
    start = end + 1
  }
  return names
}

export function joinPath(folder: Uint8Array, name: Uint8Array): Uint8Array {
  if (folder.length === 0 || folder[folder.length - 1] === SLASH) return concatBytes(folder, name)
  const path = new Uint8Array(folder.length + 1 + name.length)
  path.set(folder)
  path[folder.length] = SLASH
  path.set(name, folder.length + 1)
  return path
}
