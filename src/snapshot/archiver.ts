/**
 * One walk over the source into a tree: scan, read, assemble. Batches are read in parallel and
 * assembled in the order of the scan, so the tree does not depend on how many workers there are.
 */
import { keyedHash } from '../crypto/hash.ts'
import { mapOrdered } from '../util/map-ordered.ts'
import { type BlobStore, BATCH_BYTES, SMALL_FILE_BYTES } from '../repository/blob-store.ts'
import type { Repository } from '../repository/repository.ts'
import { contentBlobs } from './content.ts'
import { type Extent, mayHaveHoles } from './extents.ts'
import { extentsOf, type FileOutcome, readLargeFile, readSmallFiles, statOf, timesOf } from './file-content.ts'
import type { Tolerance } from './file-node.ts'
import type { Filter, Taken } from './filter.ts'
import type { Journal } from './journal.ts'
import type { Node } from './node.ts'
import { scan } from './scan.ts'
import type { FileEntry, ScanEntry, ScanProblem } from './scan-types.ts'
import type { SourceBranch } from './source-paths.ts'
import { createStreamReader, type StreamReader } from './stream-content.ts'
import { createTreeAssembler } from './tree-assembler.ts'
import type { TreeReader } from './tree-reader.ts'

export interface ArchiveEvents {
  /** A file is being read. */
  onFile(path: Uint8Array): void
  /** So many bytes of source were read or found unchanged. */
  onBytes(bytes: number): void
  /** So many more are in the tree, of those that `totalFiles` counts. */
  onDone(files: number): void
  onProblem(problem: ScanProblem): void
  /** The file was read twice, and was not the same before and after either time. */
  onChangedWhileRead(path: Uint8Array): void
  onOwnFolder(path: Uint8Array, what: string): void
  /** The filter has taken it, and all below it. */
  onTaken(path: Uint8Array, taken: Taken): void
}

export interface ArchiveOptions extends ArchiveEvents, Tolerance {
  readonly root: SourceBranch
  readonly parentTree: Uint8Array | undefined
  /** Whether all that the parent's tree reaches is known to be live. */
  readonly trustsParent: boolean
  readonly filter: Filter
  readonly withAtime?: boolean | undefined
  /** What interrupted backups have left, and where this one notes what it knows. */
  readonly journal?: Journal | undefined
  readonly ownFolders: ReadonlyMap<string, string>
  readonly signal?: AbortSignal | undefined
}

export interface ArchiveCounts {
  /** Files that an interrupted backup had read: they were not read again. */
  filesResumed: number
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
  const counts: ArchiveCounts = { filesResumed: 0, filesNew: 0, filesChanged: 0, filesUnmodified: 0, totalFiles: 0, totalBytes: 0 }
  const save = (blob: Uint8Array): Uint8Array => saveTree(store, trees, blob)
  const assembler = createTreeAssembler(trees, keyedHash(keyring.blobId(keyring.group, 'tree')), save)
  const batches = scan({
    root: options.root,
    parentTree: options.parentTree,
    trees,
    filter: options.filter,
    withAtime: options.withAtime,
    ignoreInode: options.ignoreInode,
    ignoreCtime: options.ignoreCtime,
    known: options.journal === undefined ? undefined : (path) => options.journal!.find(path),
    ownFolders: options.ownFolders,
    trustsParent: options.trustsParent,
    isLive: (node) => isContentLive(store, trees, node),
    isKnownLive: (known) => isContentLive(store, trees, known),
    onProblem: options.onProblem,
    onOwnFolder: options.onOwnFolder,
    onTaken: options.onTaken,
    smallFileBytes: SMALL_FILE_BYTES,
    batchBytes: BATCH_BYTES,
    signal: options.signal,
  })
  // Every slot busy, and as many batches walked ahead.
  const concurrency = 4 * store.workers + 2
  const streams = createStreamReader({ repository, store, saveTree: save, isLive: (read) => isContentLive(store, trees, read) })
  const read = (batch: readonly ScanEntry[]): Promise<ReadBatch> => readBatch({ store, saveTree: save, streams, options }, batch)

  for await (const { entries, outcomes } of mapOrdered(batches, { concurrency, signal: options.signal }, read)) {
    for (const [i, entry] of entries.entries()) {
      const pending = assemble(entry, outcomes.get(i))
      if (pending !== undefined) await pending
    }
    options.journal?.endBatch()
  }
  if (assembler.root === undefined) throw new Error('the scan ended before its outermost folder')
  return { tree: assembler.root, counts }

  function assemble(entry: ScanEntry, outcome: FileOutcome | undefined): void | Promise<void> {
    switch (entry.kind) {
      case 'enter':
        return assembler.enter(entry.node, entry.parent)
      case 'leave':
        return assembler.leave(entry.isIdentical, entry.isSame, entry.isAligned)
      case 'alike':
        countUnmodified(entry.count, entry.bytes)
        return assembler.alike(entry.count)
      case 'same':
        countUnmodified(1, entry.node.size)
        return assembler.add(entry.node)
      case 'node':
        count(entry.isNew, 0)
        return assembler.add(entry.node)
      case 'known':
        return addKnown(entry)
      case 'file':
      case 'stream':
        return addRead(entry, outcome)
    }
  }

  function addKnown(entry: Extract<ScanEntry, { kind: 'known' }>): void | Promise<void> {
    const { node } = entry
    if (entry.from === 'parent') {
      countUnmodified(1, node.size)
    } else {
      options.onBytes(node.size)
      counts.filesResumed++
      count(entry.isNew, node.size)
      options.journal?.note(entry.path, node)
    }
    return assembler.add(node)
  }

  function addRead(entry: Extract<ScanEntry, { kind: 'file' | 'stream' }>, outcome: FileOutcome | undefined): void | Promise<void> {
    if (outcome === undefined) throw new Error('a file was not read')
    if ('problem' in outcome) return options.onProblem({ path: entry.path, ...outcome.problem })
    if (outcome.hasChanged) options.onChangedWhileRead(entry.path)
    count(entry.isNew, outcome.size)
    const node = { ...entry.node, ...outcome.stat, size: outcome.size, content: outcome.content, extents: outcome.extents }
    if (entry.kind === 'file' && !outcome.hasChanged) options.journal?.note(entry.path, node)
    return assembler.add(node)
  }

  function countUnmodified(files: number, bytes: number): void {
    counts.filesUnmodified += files
    countDone(files, bytes)
    options.onBytes(bytes)
  }

  function count(isNew: boolean, size: number): void {
    if (isNew) counts.filesNew++
    else counts.filesChanged++
    countDone(1, size)
  }

  function countDone(files: number, bytes: number): void {
    counts.totalFiles += files
    counts.totalBytes += bytes
    options.onDone(files)
  }
}

/** Stores a tree blob, and remembers it for whoever reads the tree next. */
export function saveTree(store: BlobStore, trees: TreeReader, blob: Uint8Array): Uint8Array {
  const id = store.saveTree(blob)
  trees.remember(id, blob)
  return id
}

interface ReadBatch {
  readonly entries: readonly ScanEntry[]
  /** By position in the batch. */
  readonly outcomes: ReadonlyMap<number, FileOutcome>
}

interface Reading {
  readonly store: BlobStore
  readonly saveTree: (blob: Uint8Array) => Uint8Array
  readonly streams: StreamReader
  readonly options: ArchiveOptions
}

interface Large {
  readonly entry: FileEntry
  readonly at: number
  readonly extents?: readonly Extent[] | undefined
}

async function readBatch(reading: Reading, entries: readonly ScanEntry[]): Promise<ReadBatch> {
  try {
    return { entries, outcomes: await readEntries(reading, entries) }
  } finally {
    for (const entry of entries) if (entry.kind === 'file') entry.folder.release()
  }
}

async function readEntries(reading: Reading, entries: readonly ScanEntry[]): Promise<ReadBatch['outcomes']> {
  const { store, saveTree, options } = reading
  const outcomes = new Map<number, FileOutcome>()
  const small: Large[] = []
  const large: Large[] = []
  for (const [at, entry] of entries.entries()) {
    if (entry.kind === 'stream') {
      options.onFile(entry.path)
      outcomes.set(at, await reading.streams.read(entry.stream, options.onBytes))
    }
    if (entry.kind !== 'file') continue
    const extents = entry.mayHaveHoles ? extentsOf(entry) : undefined
    const isSmall = entry.node.size <= SMALL_FILE_BYTES && extents === undefined
    ;(isSmall ? small : large).push({ entry, at, extents })
  }
  if (small.length > 0) {
    options.onFile(small[0]!.entry.path)
    const read = await readSmallFiles(store, small.map((item) => item.entry), saveTree)
    for (const [i, outcome] of read.entries()) {
      // It grew beyond what the slot holds: it is read again, in segments.
      if ('problem' in outcome && outcome.problem.code === 'NO_ROOM') large.push(small[i]!)
      else outcomes.set(small[i]!.at, outcome)
      if ('size' in outcome) options.onBytes(outcome.size)
    }
  }
  for (const { entry, at, extents } of large) {
    options.onFile(entry.path)
    outcomes.set(at, await readLargeFile(store, entry, extents, saveTree, options.onBytes))
  }
  for (const { entry, at } of [...small, ...large]) {
    const outcome = outcomes.get(at)!
    if ('hasChanged' in outcome && outcome.hasChanged) outcomes.set(at, await readAgain(reading, entry, outcome))
  }
  return outcomes
}

/** A file that changed while it was read is read once more, and often it is then at rest. */
async function readAgain(reading: Reading, entry: FileEntry, first: FileOutcome): Promise<FileOutcome> {
  const { store, saveTree, options } = reading
  const stat = statOf(entry)
  if (stat?.type !== 'file') return first
  const node = { ...entry.node, ...timesOf(stat), size: stat.size }
  const again = { ...entry, node, mayHaveHoles: mayHaveHoles(stat.size, stat.blocks) }
  options.onFile(entry.path)
  const outcome = await readLargeFile(store, again, again.mayHaveHoles ? extentsOf(again) : undefined, saveTree, () => undefined)
  return 'problem' in outcome ? first : { ...outcome, stat: timesOf(stat) }
}

/** Whether every blob of the content may be referred to. */
async function isContentLive(store: BlobStore, trees: TreeReader, node: Pick<Node, 'content'>): Promise<boolean> {
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
