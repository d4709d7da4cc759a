/**
 * Walking every snapshot to blobs that are there. A subtree that was found sound is not walked
 * again, whichever snapshot it is met in; one that suffers is, so that each snapshot's files are
 * named. What a snapshot needs outside of its tree is walked like the content of a file.
 */
import { monotonicMs } from '../util/clock.ts'
import { IdSet } from '../util/id-set.ts'
import { toHex } from '../util/bytes.ts'
import { isBackupError } from '../util/errors.ts'
import { type Content, contentBlobs } from '../snapshot/content.ts'
import type { Node } from '../snapshot/node.ts'
import { contentsOutsideTree } from '../snapshot/references.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { joinPath } from '../snapshot/source-paths.ts'
import type { TreeReader } from '../snapshot/tree-reader.ts'
import type { Sufferer } from './finding.ts'

export interface SnapshotTrouble extends Sufferer {
  /** The blob, in hex, that is missing or does not open. */
  readonly blobId: string
  readonly message: string
}

export interface WalkOptions {
  /** Whether some pack gives the blob back. */
  readonly isGood: (blobId: Uint8Array) => boolean
  readonly signal?: AbortSignal | undefined
}

const ROOT = Buffer.from('/')
const DEPTH_LIMIT = 4096
const TURN_MS = 5

export async function* walkSnapshots(trees: TreeReader, snapshots: readonly Snapshot[], options: WalkOptions): AsyncGenerator<SnapshotTrouble> {
  /** Roots of lists, of folders and of contents, below which all is well. */
  const sound = new IdSet()
  let turnBegan = monotonicMs()

  const isQuicklySound = (node: Node): boolean => {
    if (node.subtree !== undefined) return sound.has(node.subtree)
    if (node.content === undefined) return true
    if (node.content.kind === 'list') return sound.has(node.content.root)
    for (const data of contentBlobs(node.content.records)) if (!options.isGood(data.id)) return false
    return true
  }

  async function* list(snapshotId: string, id: Uint8Array, path: Uint8Array, depth: number): AsyncGenerator<SnapshotTrouble> {
    if (sound.has(id)) return
    options.signal?.throwIfAborted()
    // Trees come from the local catalogue without a pause; packs that are read beside must have their turn.
    if (monotonicMs() - turnBegan > TURN_MS) {
      await new Promise((resolve) => setImmediate(resolve))
      turnBegan = monotonicMs()
    }
    const trouble = (blobId: Uint8Array, message: string): SnapshotTrouble => ({ snapshotId, path, blobId: toHex(blobId), message })
    let isSound = true
    if (!options.isGood(id)) {
      isSound = false
      yield trouble(id, 'a tree blob is missing or damaged')
    }
    let blob
    try {
      blob = await trees.blob(id)
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      if (isSound) yield trouble(id, error.message)
      return
    }
    if ('records' in blob) {
      for (const data of contentBlobs(blob.records)) {
        if (options.isGood(data.id)) continue
        isSound = false
        yield trouble(data.id, 'a data blob is missing or damaged')
      }
    } else if ('nodes' in blob) {
      for (const node of blob.nodes) {
        // Most are files with a few blobs, and sound: no generator for those.
        if (isQuicklySound(node)) continue
        for await (const below of entry(snapshotId, node, path, depth)) {
          isSound = false
          yield below
        }
      }
    } else {
      for (const child of blob.children) {
        for await (const below of list(snapshotId, child.id, path, depth)) {
          isSound = false
          yield below
        }
      }
    }
    if (isSound) sound.add(id)
  }

  async function* entry(snapshotId: string, node: Node, folder: Uint8Array, depth: number): AsyncGenerator<SnapshotTrouble> {
    if (node.type === 'directory' && node.subtree !== undefined && depth < DEPTH_LIMIT) {
      if (!sound.has(node.subtree)) yield* list(snapshotId, node.subtree, joinPath(folder, node.name), depth + 1)
    } else if (node.content !== undefined) {
      yield* contentOf(snapshotId, node.content, joinPath(folder, node.name), depth)
    }
  }

  async function* contentOf(snapshotId: string, content: Content, path: Uint8Array, depth: number): AsyncGenerator<SnapshotTrouble> {
    if (content.kind === 'list') return yield* list(snapshotId, content.root, path, depth)
    for (const data of contentBlobs(content.records)) {
      if (options.isGood(data.id)) continue
      yield { snapshotId, path, blobId: toHex(data.id), message: 'a data blob is missing or damaged' }
    }
  }

  for (const snapshot of snapshots) {
    yield* list(snapshot.id, snapshot.tree, ROOT, 0)
    for (const content of contentsOutsideTree(snapshot)) {
      for await (const trouble of contentOf(snapshot.id, content, ROOT, 0)) yield { ...trouble, part: 'skipped' }
    }
  }
}
