/**
 * The walk that every comparison shares: pairs of what stands under one name, depth first, a folder
 * before what is in it. What the two sides are, and how they are compared, is the caller's.
 */
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import type { Node } from '../../snapshot/node.ts'
import type { PathGuard } from '../../snapshot/path-guard.ts'
import { joinPath } from '../../snapshot/source-paths.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'
import { isContentChange } from './compare-nodes.ts'
import type { Difference, DiffRecord, Field } from './difference.ts'
import type { Pair } from './merge-lists.ts'

export interface Compared {
  readonly fields: readonly Field[]
  readonly isSilent?: boolean
}

export interface Sides {
  /** Of the trees that are walked. */
  readonly guard: PathGuard
  /** What is in the folders of a pair; of one side alone where the other has no folder there. */
  open(path: Uint8Array, pair: Pair): AsyncGenerator<readonly Pair[], void, undefined>
  /** What two nodes of one type differ in. */
  compare(path: Uint8Array, left: Node, right: Node): Compared
  /** Whether two folders may hold something that differs. */
  mayDiffer(left: Node, right: Node): boolean
  /** What could not be looked at since the last call. */
  takeProblems(): readonly DiffRecord[]
}

interface Open {
  readonly path: Uint8Array
  readonly lists: AsyncGenerator<readonly Pair[], void, undefined>
  pairs: readonly Pair[]
  next: number
}

/** @param path - of the pair itself */
export async function* walkPairs(sides: Sides, path: Uint8Array, first: Pair, signal: AbortSignal | undefined): AsyncGenerator<DiffRecord, void, undefined> {
  const stack: Open[] = []
  const step = function* (at: Uint8Array, pair: Pair): Generator<DiffRecord, void, undefined> {
    const difference = differenceOf(sides, at, pair)
    yield* sides.takeProblems()
    if (difference !== undefined) yield { kind: 'difference', ...difference }
    const inside = foldersOf(pair)
    if (inside === undefined || (inside.left !== undefined && inside.right !== undefined && !sides.mayDiffer(inside.left, inside.right))) return
    if (stack.length >= DEPTH_LIMIT) throw new BackupError('CORRUPT', `a tree is deeper than ${DEPTH_LIMIT} folders`)
    stack.push({ path: at, lists: sides.open(at, inside), pairs: [], next: 0 })
  }
  try {
    yield* step(path, first)
    for (let folder = stack.at(-1); folder !== undefined; folder = stack.at(-1)) {
      const pair = folder.pairs[folder.next++]
      if (pair !== undefined) {
        const depth = stack.length
        yield* step(joinPath(folder.path, (pair.left ?? pair.right!).name), pair)
        if (stack.length > depth) await sides.guard.entered()
        continue
      }
      throwIfAborted(signal)
      const list = await folder.lists.next()
      yield* sides.takeProblems()
      if (list.done === true) stack.pop()
      else Object.assign(folder, { pairs: list.value, next: 0 })
    }
  } finally {
    for (const { lists } of stack.reverse()) await lists.return()
  }
}

function foldersOf({ left, right }: Pair): Pair | undefined {
  const inside = { left: left?.type === 'directory' ? left : undefined, right: right?.type === 'directory' ? right : undefined }
  return inside.left === undefined && inside.right === undefined ? undefined : inside
}

function differenceOf(sides: Sides, path: Uint8Array, { left, right }: Pair): Difference | undefined {
  const base = { path, before: left, after: right, fields: [], isSilent: false }
  if (left === undefined) return { ...base, change: 'added' }
  if (right === undefined) return { ...base, change: 'removed' }
  if (left.type !== right.type) return { ...base, change: 'type' }
  const { fields, isSilent = false } = sides.compare(path, left, right)
  if (fields.length === 0) return undefined
  return { ...base, change: isContentChange(fields) ? 'content' : 'metadata', fields, isSilent }
}
