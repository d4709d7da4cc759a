/**
 * One walk over the source into a tree: scan, read, assemble. Batches are read in parallel and
 * assembled in the order of the scan, so the tree does not depend on how many workers there are.
 */
import { keyedHash } from '../crypto/hash.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { type BlobStore, BATCH_BYTES, SMALL_FILE_BYTES } from '../repository/blob-store.ts'
import type { Repository } from '../repository/repository.ts'
import { contentBlobs } from './content.ts'
import type { Excluder } from './exclude.ts'
import type { Extent } from './extents.ts'
import { extentsOf, type FileOutcome, readLargeFile, readSmallFiles, type SourceFile } from './file-content.ts'
import type { Node } from './node.ts'
import { scan, type ScanEntry, type ScanProblem } from './scan.ts'
import type { SourceBranch } from './source-paths.ts'
import { createTreeAssembler } from './tree-assembler.ts'
import type { TreeReader } from './tree-reader.ts'

export interface ArchiveEvents {
  /** A file is being read. */
  onFile(path: Uint8Array): void
  /** So many bytes of source were read or found unchanged. */
  onBytes(bytes: number): void
  onProblem(problem: ScanProblem): void
  /** The file was read, but was not the same before and after. */
  onChangedWhileRead(path: Uint8Array): void
  onOwnFolder(path: Uint8Array, what: string): void
}

export interface ArchiveOptions extends ArchiveEvents {
  readonly root: SourceBranch
  readonly parentTree: Uint8Array | undefined
  /** Whether all that the parent's tree reaches is known to be live. */
  readonly trustsParent: boolean
  readonly excluder: Excluder
  readonly ownFolders: ReadonlyMap<string, string>
  readonly signal?: AbortSignal | undefined
}

export interface ArchiveCounts {
  filesNew: number
  filesChanged: number
  filesUnmodified: number
  totalFiles: number
  totalBytes: number
}

export interface Archived {
  readonly tree: Uint8Array
  readonly counts: Readonly<ArchiveCounts>
}

export async function archive(repository: Repository, store: BlobStore, trees: TreeReader, options: ArchiveOptions): Promise<Archived> {
  const { keyring } = repository
  const counts: ArchiveCounts = { filesNew: 0, filesChanged: 0, filesUnmodified: 0, totalFiles: 0, totalBytes: 0 }
  const saveTree = (blob: Uint8Array): Uint8Array => {
    const id = store.saveTree(blob)
    trees.remember(id, blob)
    return id
  }
  const assembler = createTreeAssembler(trees, keyedHash(keyring.blobId(keyring.group, 'tree')), saveTree)
  const batches = scan({
    root: options.root,
    parentTree: options.parentTree,
    trees,
    excluder: options.excluder,
    ownFolders: options.ownFolders,
    trustsTrees: options.trustsParent,
    isLive: options.trustsParent ? () => true : (node) => isNodeLive(store, trees, node),
    onProblem: options.onProblem,
    onOwnFolder: options.onOwnFolder,
    smallFileBytes: SMALL_FILE_BYTES,
    batchBytes: BATCH_BYTES,
    signal: options.signal,
  })
  // Every slot busy, and as many batches walked ahead.
  const concurrency = 4 * store.workers + 2
  const read = (batch: readonly ScanEntry[]): Promise<ReadBatch> => readBatch(store, batch, saveTree, options)

  for await (const { entries, outcomes } of mapOrdered(batches, { concurrency, signal: options.signal }, read)) {
    for (const [i, entry] of entries.entries()) {
      const pending = assemble(entry, outcomes.get(i))
      if (pending !== undefined) await pending
    }
  }
  if (assembler.root === undefined) throw new Error('the scan ended before its outermost folder')
  return { tree: assembler.root, counts }

  function assemble(entry: ScanEntry, outcome: FileOutcome | undefined): void | Promise<void> {
    switch (entry.kind) {
      case 'enter':
        return assembler.enter(entry.node, entry.parent)
      case 'leave':
        return assembler.leave(entry.isIdentical, entry.isSame, entry.isAligned)
      case 'same':
        counts.filesUnmodified++
        counts.totalFiles++
        counts.totalBytes += entry.node.size
        options.onBytes(entry.node.size)
        return assembler.same(entry.node, entry.isAligned)
      case 'node':
        count(entry.isNew, 0)
        return assembler.add(entry.node)
      case 'file':
        return addFile(entry, outcome)
    }
  }

  function addFile(entry: Extract<ScanEntry, { kind: 'file' }>, outcome: FileOutcome | undefined): void | Promise<void> {
    if (outcome === undefined) throw new Error('a file was not read')
    if ('problem' in outcome) return options.onProblem({ path: entry.path, ...outcome.problem })
    if (outcome.hasChanged) options.onChangedWhileRead(entry.path)
    count(entry.isNew, outcome.size)
    return assembler.add({ ...entry.node, size: outcome.size, content: outcome.content, extents: outcome.extents })
  }

  function count(isNew: boolean, size: number): void {
    if (isNew) counts.filesNew++
    else counts.filesChanged++
    counts.totalFiles++
    counts.totalBytes += size
  }
}

interface ReadBatch {
  readonly entries: readonly ScanEntry[]
  /** By position in the batch. */
  readonly outcomes: ReadonlyMap<number, FileOutcome>
}

async function readBatch(store: BlobStore, entries: readonly ScanEntry[], saveTree: (blob: Uint8Array) => Uint8Array, options: ArchiveOptions): Promise<ReadBatch> {
  const outcomes = new Map<number, FileOutcome>()
  const small: { file: SourceFile; at: number }[] = []
  const large: { file: SourceFile; at: number; extents?: readonly Extent[] | undefined }[] = []
  for (const [at, entry] of entries.entries()) {
    if (entry.kind !== 'file') continue
    const extents = entry.mayHaveHoles ? extentsOf(entry) : undefined
    if (entry.node.size <= SMALL_FILE_BYTES && extents === undefined) small.push({ file: entry, at })
    else large.push({ file: entry, at, extents })
  }
  if (small.length > 0) {
    options.onFile(small[0]!.file.path)
    const read = await readSmallFiles(store, small.map((item) => item.file), saveTree)
    for (const [i, outcome] of read.entries()) {
      // It grew beyond what the slot holds: it is read again, in segments.
      if ('problem' in outcome && outcome.problem.code === 'NO_ROOM') large.push(small[i]!)
      else outcomes.set(small[i]!.at, outcome)
      if ('size' in outcome) options.onBytes(outcome.size)
    }
  }
  for (const { file, at, extents } of large) {
    options.onFile(file.path)
    outcomes.set(at, await readLargeFile(store, file, extents, saveTree, options.onBytes))
  }
  return { entries, outcomes }
}

/** Whether every blob of the node's content may be referred to. */
async function isNodeLive(store: BlobStore, trees: TreeReader, node: Node): Promise<boolean> {
  if (node.content === undefined) return true
  if (node.content.kind === 'inline') {
    for (const blob of contentBlobs(node.content.records)) if (!store.has(blob.id)) return false
    return true
  }
  return isListLive(store, trees, node.content.root)
}

async function isListLive(store: BlobStore, trees: TreeReader, id: Uint8Array): Promise<boolean> {
  if (!store.has(id)) return false
  const tree = await trees.blob(id)
  if ('records' in tree) {
    for (const blob of contentBlobs(tree.records)) if (!store.has(blob.id)) return false
    return true
  }
  if (tree.kind !== 'content') return false
  for (const child of tree.children) if (!(await isListLive(store, trees, child.id))) return false
  return true
}
