/**
 * How much there is and what was saved. Each subtree is walked once, whatever number of snapshots
 * holds it: its totals are remembered by its id.
 */
import { IdSet } from '../util/id-set.ts'
import { toHex } from '../util/bytes.ts'
import { throwIfAborted } from '../util/errors.ts'
import type { BlobLocation, Catalogue } from '../repository/catalogue/catalogue.ts'
import { loadReadableIndex } from '../repository/index-loader.ts'
import { listObjects } from '../repository/objects.ts'
import type { Repository } from '../repository/repository.ts'
import { type Content, contentBlobs } from '../snapshot/content.ts'
import type { Node } from '../snapshot/node.ts'
import { contentsOutsideTree } from '../snapshot/references.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { openTreeReader, type TreeReader } from '../snapshot/tree-reader.ts'

export interface RepositoryStats {
  readonly snapshots: number
  readonly files: number
  readonly folders: number
  /** What restoring all of the snapshots would write; each name of a linked file counts, as in a snapshot's summary. */
  readonly logicalBytes: number
  /** Plaintext of the blobs, each counted once. */
  readonly uniqueBytes: number
  /** Their share of the frames that hold them. */
  readonly compressedBytes: number
  /** Of the whole repository: its objects; of chosen snapshots: the frames' share again. */
  readonly storedBytes: number
  readonly dataBlobs: number
  readonly treeBlobs: number
  readonly packs: number
  /** Blobs that the chosen snapshots reach and no index object states: they are in none of the sums. */
  readonly missingBlobs: number
}

export interface StatsOptions {
  readonly signal?: AbortSignal | undefined
}

interface Totals {
  files: number
  folders: number
  bytes: number
}

interface Blobs {
  unique: number
  compressed: number
  data: number
  tree: number
  missing: number
  readonly packs: Set<string>
}

/** @param chosen - true counts only what these snapshots reach, false the whole repository */
export async function repositoryStats(repository: Repository, snapshots: readonly Snapshot[], chosen: boolean, options: StatsOptions = {}): Promise<RepositoryStats> {
  const { signal } = options
  const { catalogue } = await loadReadableIndex(repository, { signal })
  const trees = await openTreeReader(repository)
  const blobs: Blobs = { unique: 0, compressed: 0, data: 0, tree: 0, missing: 0, packs: new Set() }
  const walker = createWalker(trees, signal, chosen ? (id) => countBlob(blobs, catalogue.locate(id)[0]) : undefined)
  const totals: Totals = { files: 0, folders: 0, bytes: 0 }
  for (const snapshot of snapshots) {
    add(totals, await walker.tree(snapshot.tree))
    for (const content of contentsOutsideTree(snapshot)) await walker.content(content)
  }
  if (!chosen) await countAll(catalogue, blobs, signal)
  return {
    snapshots: snapshots.length,
    files: totals.files,
    folders: totals.folders,
    logicalBytes: totals.bytes,
    uniqueBytes: blobs.unique,
    compressedBytes: Math.round(blobs.compressed),
    storedBytes: chosen ? Math.round(blobs.compressed) : await objectBytes(repository, signal),
    dataBlobs: blobs.data,
    treeBlobs: blobs.tree,
    packs: blobs.packs.size,
    missingBlobs: blobs.missing,
  }
}

function countBlob(blobs: Blobs, at: BlobLocation | undefined): void {
  if (at === undefined) {
    blobs.missing++
    return
  }
  blobs.unique += at.length
  blobs.compressed += at.plainBytes === 0 ? 0 : (at.length / at.plainBytes) * at.storedBytes
  blobs[at.blobType]++
  blobs.packs.add(at.pack.packId)
}

async function countAll(catalogue: Catalogue, blobs: Blobs, signal: AbortSignal | undefined): Promise<void> {
  for await (const { locations } of catalogue.blobs()) {
    throwIfAborted(signal)
    countBlob(blobs, locations[0])
  }
}

async function objectBytes(repository: Repository, signal: AbortSignal | undefined): Promise<number> {
  let bytes = 0
  for (const type of ['packs', 'index', 'snapshots', 'keys', 'config'] as const) {
    for (const info of await listObjects(repository.backend, type, signal)) bytes += info.sizeBytes
  }
  return bytes
}

function add(into: Totals, more: Totals): void {
  into.files += more.files
  into.folders += more.folders
  into.bytes += more.bytes
}

/** @param onBlob - called once for each blob; without it, files' lists of blobs are not even read */
function createWalker(trees: TreeReader, signal: AbortSignal | undefined, onBlob: ((id: Uint8Array) => void) | undefined): { tree(root: Uint8Array): Promise<Totals>; content(content: Content): Promise<void> } {
  const known = new Map<string, Totals>()
  const seen = new IdSet()
  const visit = (id: Uint8Array): boolean => {
    if (onBlob === undefined) return false
    const isNew = seen.add(id)
    if (isNew) onBlob(id)
    return isNew
  }

  const contentList = async (root: Uint8Array): Promise<void> => {
    if (!visit(root)) return
    const blob = await trees.blob(root)
    if ('records' in blob) for (const data of contentBlobs(blob.records)) visit(data.id)
    else if (blob.kind === 'content') for (const child of blob.children) await contentList(child.id)
  }

  const content = async (of: Content): Promise<void> => {
    if (onBlob === undefined) return
    if (of.kind === 'list') await contentList(of.root)
    else for (const data of contentBlobs(of.records)) visit(data.id)
  }

  const node = async (item: Node, totals: Totals): Promise<void> => {
    if (item.type === 'directory') {
      totals.folders++
      if (item.subtree !== undefined) add(totals, await list(item.subtree))
      return
    }
    totals.files++
    totals.bytes += item.size
    if (item.content !== undefined) await content(item.content)
  }

  const list = async (id: Uint8Array): Promise<Totals> => {
    const key = toHex(id)
    const before = known.get(key)
    if (before !== undefined) return before
    throwIfAborted(signal)
    visit(id)
    const totals: Totals = { files: 0, folders: 0, bytes: 0 }
    const blob = await trees.blob(id)
    if ('nodes' in blob) for (const item of blob.nodes) await node(item, totals)
    else if (blob.kind === 'directory') for (const child of blob.children) add(totals, await list(child.id))
    known.set(key, totals)
    return totals
  }
  return { tree: list, content }
}
