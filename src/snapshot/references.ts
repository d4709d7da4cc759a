/**
 * What a snapshot needs besides its tree. Whoever decides what is used (check, prune, copy) walks the
 * tree and asks here for the rest: a blob that is forgotten here is a blob that prune takes away.
 */
import type { BlobType } from '../repository/format.ts'
import { type Content, contentBlobs } from './content.ts'
import type { Snapshot } from './snapshot.ts'
import { requireKind, type TreeReader } from './tree-reader.ts'

export interface BlobReference {
  readonly type: BlobType
  readonly id: Uint8Array
}

/** Contents, as a file has them, that hang on the snapshot's record and not on its tree. */
export function contentsOutsideTree(snapshot: Pick<Snapshot, 'skippedAll'>): readonly Content[] {
  return snapshot.skippedAll === undefined ? [] : [snapshot.skippedAll]
}

/**
 * Every blob that the snapshot needs and that its tree does not reach, lists included. The ids are
 * views of the blobs they stand in; one may come twice.
 * @throws {BackupError} BLOB_MISSING, CORRUPT - a list cannot be read, so what it names is not known
 */
export async function* blobsOutsideTree(trees: TreeReader, snapshot: Pick<Snapshot, 'skippedAll'>): AsyncGenerator<BlobReference> {
  for (const content of contentsOutsideTree(snapshot)) {
    if (content.kind === 'list') yield* blobsOfList(trees, content.root, Number.POSITIVE_INFINITY)
    else yield* dataOf(content.records)
  }
}

async function* blobsOfList(trees: TreeReader, id: Uint8Array, below: number): AsyncGenerator<BlobReference> {
  yield { type: 'tree', id }
  const blob = await trees.blob(id)
  requireKind(blob, 'content', below, id)
  if ('records' in blob) yield* dataOf(blob.records)
  else if (blob.kind === 'content') for (const child of blob.children) yield* blobsOfList(trees, child.id, blob.level)
}

function* dataOf(records: Uint8Array): Generator<BlobReference> {
  for (const { id } of contentBlobs(records)) yield { type: 'data', id }
}
