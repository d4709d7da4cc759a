/** What of a snapshot is restored, and where to: a walk that yields folders, their entries and their ends. */
import { compareBytes } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { escapeBytes } from '../util/posix/system-error.ts'
import { createExcluder } from './exclude.ts'
import type { Node } from './node.ts'
import { joinPath, splitPath } from './source-paths.ts'
import type { TreeReader } from './tree-reader.ts'

export type RestoreStep =
  | { readonly kind: 'enter'; readonly path: Uint8Array; readonly node: Node }
  | { readonly kind: 'entry'; readonly path: Uint8Array; readonly folder: Uint8Array; readonly node: Node }
  | { readonly kind: 'leave'; readonly path: Uint8Array; readonly node: Node }

export interface Selection {
  readonly tree: Uint8Array
  readonly path: Uint8Array | undefined
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

const ROOT = Buffer.from('/')
const EMPTY = new Uint8Array(0)
const DEPTH_LIMIT = 4096

/** Paths of the steps are relative to the target, without a leading slash. */
export async function* walkSelection(trees: TreeReader, selection: Selection): AsyncGenerator<RestoreStep> {
  const excluder = createExcluder(selection.exclude)
  const includer = selection.include.length === 0 ? undefined : createExcluder(selection.include)
  // A folder is made when the first thing in it is wanted.
  const waiting: { path: Uint8Array; node: Node }[] = []

  async function* folder(tree: Uint8Array, shown: Uint8Array, path: Uint8Array, depth: number): AsyncGenerator<RestoreStep> {
    if (depth > DEPTH_LIMIT) throw new BackupError('CORRUPT', `${escapeBytes(shown)} lies deeper than ${DEPTH_LIMIT} folders`)
    for await (const nodes of trees.nodes(tree)) for (const node of nodes) yield* entry(node, shown, path, depth)
  }

  async function* entry(node: Node, shownFolder: Uint8Array, folderPath: Uint8Array, depth: number): AsyncGenerator<RestoreStep> {
    const shown = joinPath(shownFolder, node.name)
    const path = joinPath(folderPath, node.name)
    const isFolder = node.type === 'directory'
    if (excluder.excludes(shown, isFolder)) return
    const isWanted = includer === undefined || includer.excludes(shown, isFolder)
    if (!isFolder && !isWanted) return
    if (!isFolder) {
      for (const step of waiting.splice(0)) yield { kind: 'enter', ...step }
      yield { kind: 'entry', path, folder: folderPath, node }
      return
    }
    const step = { path, node }
    waiting.push(step)
    if (isWanted) for (const above of waiting.splice(0)) yield { kind: 'enter', ...above }
    if (node.subtree !== undefined) yield* folder(node.subtree, shown, path, depth + 1)
    const at = waiting.indexOf(step)
    if (at === -1) yield { kind: 'leave', path, node }
    else waiting.splice(at, 1)
  }

  const start = await findNode(trees, selection.tree, selection.path ?? ROOT)
  if (start.node === undefined) yield* folder(selection.tree, ROOT, EMPTY, 0)
  else if (start.node.type !== 'directory') yield* entry(start.node, start.folder, EMPTY, 0)
  else if (start.node.subtree !== undefined) yield* folder(start.node.subtree, joinPath(start.folder, start.node.name), EMPTY, 0)
}

/**
 * The node at an absolute path, with the folder that holds it; no node for the root itself.
 * @throws {BackupError} PATH_NOT_FOUND
 */
export async function findNode(trees: TreeReader, tree: Uint8Array, path: Uint8Array): Promise<{ node: Node | undefined; folder: Uint8Array }> {
  let folder: Uint8Array = ROOT
  let at: Uint8Array | undefined = tree
  let node: Node | undefined
  for (const name of splitPath(path)) {
    if (node !== undefined) folder = joinPath(folder, node.name)
    node = at === undefined ? undefined : await trees.find(at, name)
    if (node === undefined || compareBytes(node.name, name) !== 0) {
      throw new BackupError('PATH_NOT_FOUND', `${escapeBytes(path)} is not in the snapshot; ${escapeBytes(folder)} is the last folder of it that is`, { path: escapeBytes(path) })
    }
    at = node.subtree
  }
  return { node, folder }
}
