/**
 * What snapshots need and cannot have, and where they need it. Each list is walked once, whichever
 * snapshots hold it, the newest of them first: there a path is most likely still that of a source file.
 * So neither many snapshots nor a tree that contains the same folder a thousandfold takes long.
 */
import { IdSet } from '../../util/id-set.ts'
import { isBackupError, throwIfAborted } from '../../util/errors.ts'
import { type Content, contentBlobs } from '../../snapshot/content.ts'
import type { Node } from '../../snapshot/node.ts'
import { contentsOutsideTree } from '../../snapshot/references.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { joinPath } from '../../snapshot/source-paths.ts'
import type { TreeReader } from '../../snapshot/tree-reader.ts'
import { DEPTH_LIMIT } from '../../snapshot/tree-walk.ts'
import type { Sufferer } from '../finding.ts'

export interface Loss extends Sufferer {
  readonly blobId: Uint8Array
  /** What the snapshot was made of: folders above those are lists of the way there alone. */
  readonly paths: readonly Uint8Array[]
}

const ROOT = Uint8Array.of(0x2f)

/** @param isGood - whether some pack gives the blob back */
export async function* findLosses(trees: TreeReader, snapshots: readonly Snapshot[], isGood: (id: Uint8Array) => boolean, signal?: AbortSignal): AsyncGenerator<Loss> {
  const seen = new IdSet()

  async function* list(id: Uint8Array, at: Omit<Loss, 'blobId'>, depth: number): AsyncGenerator<Loss> {
    if (!seen.add(id)) return
    throwIfAborted(signal)
    const isLost = !isGood(id)
    if (isLost) yield { ...at, blobId: id.slice() }
    let blob
    try {
      blob = await trees.blob(id)
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      if (!isLost) yield { ...at, blobId: id.slice() }
      return
    }
    if ('records' in blob) yield* data(blob.records, at)
    else if ('children' in blob) for (const child of blob.children) yield* list(child.id, at, depth)
    else for (const node of blob.nodes) if (!isQuicklySound(node)) yield* entry(node, { ...at, path: joinPath(at.path, node.name) }, depth + 1)
  }

  function isQuicklySound({ subtree, content }: Node): boolean {
    if (subtree !== undefined) return seen.has(subtree)
    if (content === undefined) return true
    if (content.kind === 'list') return seen.has(content.root)
    for (const blob of contentBlobs(content.records)) if (!isGood(blob.id)) return false
    return true
  }

  async function* entry(node: Node, at: Omit<Loss, 'blobId'>, depth: number): AsyncGenerator<Loss> {
    if (node.subtree !== undefined && depth < DEPTH_LIMIT) yield* list(node.subtree, at, depth)
    if (node.content !== undefined) yield* contentOf(node.content, at, depth)
  }

  async function* contentOf(content: Content, at: Omit<Loss, 'blobId'>, depth: number): AsyncGenerator<Loss> {
    if (content.kind === 'list') yield* list(content.root, at, depth)
    else yield* data(content.records, at)
  }

  function* data(records: Uint8Array, at: Omit<Loss, 'blobId'>): Generator<Loss> {
    for (const { id } of contentBlobs(records)) if (!isGood(id)) yield { ...at, blobId: id.slice() }
  }

  for (const snapshot of snapshots.toReversed()) {
    const at = { snapshotId: snapshot.id, path: ROOT, paths: snapshot.paths }
    yield* list(snapshot.tree, at, 0)
    for (const content of contentsOutsideTree(snapshot)) yield* contentOf(content, { ...at, part: 'skipped' }, 0)
  }
}

/** Each path that suffers, once. */
export function sufferersOf(losses: readonly Loss[]): Sufferer[] {
  const byPath = new Map<string, Sufferer>()
  for (const { snapshotId, path, part } of losses) byPath.set(`${part ?? ''}:${Buffer.from(path).toString('latin1')}`, part === undefined ? { snapshotId, path } : { snapshotId, path, part })
  return [...byPath.values()]
}

export async function collectLosses(trees: TreeReader, snapshots: readonly Snapshot[], isGood: (id: Uint8Array) => boolean, signal?: AbortSignal): Promise<{ ids: IdSet; losses: readonly Loss[] }> {
  const ids = new IdSet()
  const losses: Loss[] = []
  for await (const loss of findLosses(trees, snapshots, isGood, signal)) {
    ids.add(loss.blobId)
    losses.push(loss)
  }
  return { ids, losses }
}
