/**
 * Every blob that a snapshot refers to: the one walk that decides what prune keeps. Whatever a
 * snapshot or a tree can hold that names a blob must be met here.
 */
import { throwIfAborted } from '../util/errors.ts'
import { type Content, CONTENT_RECORD_BYTES } from './content.ts'
import { NodeScanner } from './node-scanner.ts'
import { contentsOutsideTree } from './references.ts'
import type { Snapshot } from './snapshot.ts'
import type { TreeReader } from './tree-reader.ts'
import { openTree } from './tree-scan.ts'

export interface BlobVisitor {
  /** A data blob's id stands at that offset of the bytes. */
  data(bytes: Uint8Array, offset: number): void
  /** @returns whether this tree blob is met for the first time: only then what lies below is walked */
  tree(id: Uint8Array): boolean
}

const ID_BYTES = 32

/**
 * A tree blob that was visited before is not read again, in whichever snapshot it is met; so many
 * snapshots of nearly the same cost little more than one, and no list, however hostile, is endless.
 * Memory holds the ids that wait, not trees.
 * @throws {BackupError} BLOB_MISSING, CORRUPT - a tree blob cannot be read
 */
export async function walkUsedBlobs(trees: TreeReader, snapshot: Pick<Snapshot, 'tree' | 'skippedAll'>, visitor: BlobVisitor, signal?: AbortSignal): Promise<void> {
  const waiting: Uint8Array[] = []
  const enter = (bytes: Uint8Array): void => {
    // A copy: a view would keep the whole tree blob.
    if (visitor.tree(bytes)) waiting.push(bytes.slice())
  }
  const records = (bytes: Uint8Array): void => {
    for (let at = 0; at + ID_BYTES <= bytes.length; at += CONTENT_RECORD_BYTES) visitor.data(bytes, at)
  }

  // The last goes in first, so that blobs are read in the order they were written in.
  const enterAll = (ids: readonly Uint8Array[]): void => {
    for (let i = ids.length - 1; i >= 0; i--) enter(ids[i]!)
  }

  const enterContent = (content: Content): void => {
    if (content.kind === 'list') enter(content.root)
    else records(content.records)
  }

  enter(snapshot.tree)
  contentsOutsideTree(snapshot).forEach(enterContent)
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    throwIfAborted(signal)
    const tree = openTree(await trees.bytes(id))
    if ('records' in tree) records(tree.records)
    else if ('children' in tree) enterAll(tree.children.map((child) => child.id))
    else {
      const below: Uint8Array[] = []
      for (const node = new NodeScanner(tree.scanner, tree.count); node.next(); ) {
        if (node.subtree !== undefined) below.push(node.subtree)
        if (node.content?.kind === 'list') below.push(node.content.root)
        else if (node.content !== undefined) records(node.content.records)
      }
      enterAll(below)
    }
  }
}
