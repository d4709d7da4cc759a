/**
 * The paths of a backup as a tree of names. Snapshots hold absolute paths, so the folders above
 * what was asked for are in it too, each with nothing but the way down.
 */
import { concatBytes, compareBytes } from '../util/bytes.ts'

export interface SourceBranch {
  readonly name: Uint8Array
  /** All of it is wanted; its children, if any, are then part of it. */
  isWhole: boolean
  /** It leads to something that is shown in a folder of which all is wanted. */
  isWithin: boolean
  readonly children: Map<string, SourceBranch>
  /** Where it really lies, if not in the folder above, under its name. */
  real?: Uint8Array | undefined
  /** A file whose content comes from elsewhere. */
  stream?: SourceStream | undefined
}

/** A file that is no file: its bytes come once, from a pipe. */
export interface SourceStream {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Resolves when all that gave the bytes has ended well. */
  readonly finish: () => Promise<void>
}

/** What is to be backed up. */
export interface SourcePath {
  /** Absolute and normal, as the snapshot has it. */
  readonly path: Uint8Array
  readonly real?: Uint8Array | undefined
  readonly stream?: SourceStream | undefined
}

const SLASH = 0x2f

export function emptyBranch(name: Uint8Array): SourceBranch {
  return { name, isWhole: false, isWithin: false, children: new Map() }
}

/** @param paths - absolute and normal: no `.`, `..` or doubled slashes */
export function branchesOf(paths: readonly SourcePath[]): SourceBranch {
  const root = emptyBranch(new Uint8Array(0))
  for (const { path, real, stream } of paths) {
    let branch = root
    for (const name of splitPath(path)) {
      const key = Buffer.from(name).toString('latin1')
      const next = branch.children.get(key) ?? emptyBranch(name)
      branch.children.set(key, next)
      branch = next
    }
    branch.isWhole = true
    branch.real = real
    branch.stream = stream
  }
  settle(root, { shown: ROOT, real: root.real ?? ROOT, isWhole: root.isWhole })
  return root
}

const ROOT = Uint8Array.of(0x2f)

interface Above {
  readonly shown: Uint8Array
  readonly real: Uint8Array
  readonly isWhole: boolean
}

/** What a branch is depends on those above it: below one that lies elsewhere, a path of its own does too. */
function settle(branch: SourceBranch, above: Above): void {
  for (const child of branch.children.values()) {
    const shown = joinPath(above.shown, child.name)
    const expected = joinPath(above.real, child.name)
    const real = child.real ?? (child.isWhole ? shown : expected)
    child.isWithin = above.isWhole && !child.isWhole
    child.real = child.stream !== undefined || compareBytes(real, expected) === 0 ? undefined : real
    settle(child, { shown, real, isWhole: above.isWhole || child.isWhole })
  }
}

/** Whether the path itself was asked for, also where it lies below another that was. */
export function isNamed(root: SourceBranch, path: Uint8Array): boolean {
  let branch: SourceBranch | undefined = root
  for (const name of splitPath(path)) branch = branch?.children.get(Buffer.from(name).toString('latin1'))
  return branch?.isWhole === true
}

/** Whether something that does not lie there is shown below: the folders above it need not exist. */
export function leadsElsewhere(branch: SourceBranch): boolean {
  return branch.real !== undefined || branch.stream !== undefined || [...branch.children.values()].some(leadsElsewhere)
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
