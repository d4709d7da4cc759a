/**
 * What differs between two snapshots. A folder whose list has the same id on both sides is passed
 * over unread, so the cost is that of the change, whatever the snapshots hold.
 */
import { equalBytes } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { openTreeReader, type TreeReader } from '../../snapshot/tree-reader.ts'
import { createPathGuard } from '../../snapshot/path-guard.ts'
import { findPath, normalPath } from '../../snapshot/tree-walk.ts'
import { differingFields } from './compare-nodes.ts'
import type { DiffRecord } from './difference.ts'
import { mergeLists } from './merge-lists.ts'
import { type Sides, walkPairs } from './walk-pairs.ts'

/** A snapshot, or what lies at one path of it. */
export interface SnapshotSide {
  readonly snapshot: Pick<Snapshot, 'tree' | 'group'>
  readonly path?: Uint8Array | undefined
}

export interface DiffOptions {
  /** Whether a folder's time counts, which changes with every name in it; false by default. */
  readonly folderTimes?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * @returns differences in byte order of the paths, a folder before what is in it
 * @throws {BackupError} PATH_NOT_FOUND - neither side has its path; BLOB_MISSING, CORRUPT
 */
export async function* diffSnapshots(repository: Repository, before: SnapshotSide, after: SnapshotSide, options: DiffOptions = {}): AsyncGenerator<DiffRecord, void, undefined> {
  const trees = await openTreeReader(repository)
  const comparesIds = before.snapshot.group === after.snapshot.group
  const path = normalPath(before.path ?? new Uint8Array(0))
  const [left, right] = [await nodeOf(trees, before), await nodeOf(trees, after)]
  if (left === undefined && right === undefined) await findPath(trees, before.snapshot.tree, path)
  const guard = createPathGuard(trees, [left?.subtree, right?.subtree], options)
  yield* walkPairs({ ...snapshotSides(trees, comparesIds, options), guard }, path, { left, right }, options.signal)
}

async function nodeOf(trees: TreeReader, { snapshot, path }: SnapshotSide): Promise<Node | undefined> {
  try {
    return await findPath(trees, snapshot.tree, path ?? new Uint8Array(0))
  } catch (error) {
    if (!isBackupError(error, 'PATH_NOT_FOUND')) throw error
    return undefined
  }
}

function snapshotSides(trees: TreeReader, comparesIds: boolean, options: DiffOptions): Omit<Sides, 'guard'> {
  const compare = { comparesIds, folderTimes: options.folderTimes ?? false }
  return {
    open: (_path, { left, right }) => mergeLists(trees, left?.subtree, right?.subtree),
    compare: (_path, left, right) => ({ fields: differingFields(left, right, compare) }),
    mayDiffer: (left, right) => left.subtree === undefined || right.subtree === undefined || !equalBytes(left.subtree, right.subtree),
    takeProblems: () => [],
  }
}
