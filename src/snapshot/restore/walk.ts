/** What of a snapshot is restored, and where to: a walk that yields folders, their entries and their ends. */
import { compareBytes } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { createExcluder } from '../exclude.ts'
import type { Node } from '../node.ts'
import { createPathGuard } from '../path-guard.ts'
import { joinPath, splitPath } from '../source-paths.ts'
import type { TreeReader } from '../tree-reader.ts'

export type RestoreStep =
  | { readonly kind: 'enter'; readonly path: Uint8Array; readonly node: Node }
  /** `shownFolder` is the folder in the snapshot, absolute. */
  | { readonly kind: 'entry'; readonly folder: Uint8Array; readonly shownFolder: Uint8Array; readonly node: Node }
  | { readonly kind: 'leave'; readonly path: Uint8Array; readonly node: Node }
  /** What has no place of its own when components are taken off its path. */
  | { readonly kind: 'lost'; readonly shown: Uint8Array; readonly message: string }

export function pathOf(step: Extract<RestoreStep, { kind: 'entry' }>): Uint8Array {
  return joinPath(step.folder, step.node.name)
}

export interface Selection {
  readonly tree: Uint8Array
  readonly path: Uint8Array | undefined
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** So many names are taken off the beginning of each path. */
  readonly stripComponents: number
}

const ROOT = Buffer.from('/')
const EMPTY = new Uint8Array(0)
const DEPTH_LIMIT = 4096
const BATCH_STEPS = 512

interface Open {
  /** undefined for the outermost folder, which is the target itself, and for one whose name is taken off. */
  readonly node: Node | undefined
  readonly shown: Uint8Array
  readonly path: Uint8Array
  readonly lists: AsyncIterator<readonly Node[]>
  nodes: readonly Node[]
  next: number
  /** A folder is made when it, or something in it, is wanted. */
  isEntered: boolean
}

/**
 * Steps in batches, since a turn of the event loop for each would cost more than the step. Paths
 * are relative to the target, without a leading slash.
 * @param isWalked - folders for which it says no are passed over
 */
export async function* walkSelection(trees: TreeReader, selection: Selection, isWalked: (path: Uint8Array) => boolean = () => true): AsyncGenerator<readonly RestoreStep[]> {
  const excluder = selection.exclude.length === 0 ? undefined : createExcluder(selection.exclude)
  const includer = selection.include.length === 0 ? undefined : createExcluder(selection.include)
  const hasPatterns = excluder !== undefined || includer !== undefined
  const { stripComponents } = selection
  const guard = createPathGuard(trees, [selection.tree])
  /** Names in the target's own folder, where several folders may meet there. */
  const first = new Set<string>()
  const stack: Open[] = []
  let steps: RestoreStep[] = []

  const open = (node: Node | undefined, tree: Uint8Array | undefined, shown: Uint8Array, path: Uint8Array): void => {
    if (stack.length > DEPTH_LIMIT) throw new BackupError('CORRUPT', `${escapeBytes(shown)} lies deeper than ${DEPTH_LIMIT} folders`)
    const lists = tree === undefined ? nothing() : trees.nodes(tree)
    stack.push({ node, shown, path, lists, nodes: [], next: 0, isEntered: false })
  }

  const enterAll = (): void => {
    for (const folder of stack) {
      if (folder.isEntered) continue
      folder.isEntered = true
      if (folder.node !== undefined) steps.push({ kind: 'enter', path: folder.path, node: folder.node })
    }
  }

  const visit = (node: Node, shownFolder: Uint8Array, folder: Uint8Array): void => {
    const isFolder = node.type === 'directory'
    const shown = hasPatterns || isFolder ? joinPath(shownFolder, node.name) : EMPTY
    if (excluder?.excludes(shown, isFolder) === true) return
    const isWanted = includer === undefined || includer.excludes(shown, isFolder)
    const place = placeOf(node, shownFolder, isWanted)
    if (place === 'nowhere') return
    if (isFolder && place === 'above') return open(undefined, node.subtree, shown, EMPTY)
    if (isFolder) {
      const path = joinPath(folder, node.name)
      if (!isWalked(path)) return
      open(node, node.subtree, shown, path)
    }
    if (isWanted) enterAll()
    if (isWanted && !isFolder) steps.push({ kind: 'entry', folder, shownFolder, node })
  }

  /** `above`: its name is taken off, and what is in it comes into the target. */
  const placeOf = (node: Node, shownFolder: Uint8Array, isWanted: boolean): 'here' | 'above' | 'nowhere' => {
    const depth = Math.max(1, stack.length)
    if (depth > stripComponents + 1 || stripComponents === 0) return 'here'
    if (depth <= stripComponents && node.type === 'directory') return 'above'
    const key = Buffer.from(node.name).toString('latin1')
    const message = depth <= stripComponents ? 'no name is left of its path' : first.has(key) ? 'its path is that of another when components are taken off' : undefined
    if (message === undefined) {
      if (isWanted || node.type === 'directory') first.add(key)
      return 'here'
    }
    if (isWanted || node.type === 'directory') steps.push({ kind: 'lost', shown: joinPath(shownFolder, node.name), message })
    return 'nowhere'
  }

  const start = await findNode(trees, selection.tree, selection.path ?? ROOT)
  if (start.node === undefined) open(undefined, selection.tree, ROOT, EMPTY)
  else if (start.node.type === 'directory') open(undefined, start.node.subtree, joinPath(start.folder, start.node.name), EMPTY)
  else visit(start.node, start.folder, EMPTY)

  while (stack.length > 0) {
    const folder = stack.at(-1)!
    if (folder.next < folder.nodes.length) {
      const depth = stack.length
      visit(folder.nodes[folder.next++]!, folder.shown, folder.path)
      if (stack.length > depth) await guard.entered()
    } else {
      const list = await folder.lists.next()
      folder.nodes = list.done === true ? [] : list.value
      folder.next = 0
      if (list.done === true) {
        stack.pop()
        if (folder.isEntered && folder.node !== undefined) steps.push({ kind: 'leave', path: folder.path, node: folder.node })
      }
    }
    if (steps.length >= BATCH_STEPS) {
      yield steps
      steps = []
    }
  }
  yield steps
}

async function* nothing(): AsyncGenerator<readonly Node[]> {
  // A folder that could not be read when it was backed up has no list.
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
