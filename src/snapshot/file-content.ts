/** Content of source files by the store's workers: many small ones in one job, or a large one in segments. */
import { concatBytes } from '../util/bytes.ts'
import { AT_FDCWD, close, openAt, OPEN_TO_READ } from '../util/posix/open.ts'
import { type FileStat, fstat, statAtIfPresent } from '../util/posix/stat.ts'
import { PosixError } from '../util/posix/system-error.ts'
import type { BlobStore } from '../repository/blob-store.ts'
import type { FileProblem, PackedFiles } from '../repository/pool/store-messages.ts'
import { STAT_FIELDS } from '../repository/pool/store-messages.ts'
import type { ReadResult } from '../repository/store-scheduler.ts'
import { CONTENT_RECORD_BYTES, type Content, contentBlobs, INLINE_BLOBS } from './content.ts'
import { type Extent, findExtents } from './extents.ts'
import { createListBuilder } from './list-builder.ts'
import type { Node } from './node.ts'
import type { FileEntry } from './scan-types.ts'
import { CONTENT_SHAPE } from './tree-blob.ts'

export type SourceFile = Pick<FileEntry, 'node' | 'path' | 'folder' | 'name' | 'mayHaveHoles'>

export interface FileContent {
  readonly content: Content
  readonly size: number
  readonly extents?: readonly Extent[] | undefined
  /** Whether the file was another one after reading than the scan saw. */
  readonly hasChanged: boolean
  /** What the file was when it was read, where that is not what the scan saw. */
  readonly stat?: FileTimes | undefined
}

/** What tells that a file has changed, besides its size. */
export type FileTimes = Pick<Node, 'mtimeS' | 'mtimeNs' | 'ctimeS' | 'ctimeNs' | 'inode'>

export function timesOf({ mtimeS, mtimeNs, ctimeS, ctimeNs, inode }: FileStat): FileTimes {
  return { mtimeS, mtimeNs, ctimeS, ctimeNs, inode }
}

/** The file as it is now; undefined when it is gone. */
export function statOf(file: SourceFile): FileStat | undefined {
  const { dirFd, name } = reached(file)
  return statAtIfPresent(dirFd, name)
}

export type FileOutcome = FileContent | { readonly problem: Omit<FileProblem, 'file'> }

type SaveTree = (blob: Uint8Array) => Uint8Array

export async function readSmallFiles(store: BlobStore, files: readonly SourceFile[], saveTree: SaveTree): Promise<FileOutcome[]> {
  const result = await store.readFiles(packFiles(files))
  const outcomes: FileOutcome[] = []
  let at = 0
  for (const [i, file] of files.entries()) {
    const end = at + result.counts[i]! * CONTENT_RECORD_BYTES
    outcomes.push({ ...contentOf(result.records.subarray(at, end), saveTree), hasChanged: hasChanged(file.node, result.stats.subarray(i * STAT_FIELDS, (i + 1) * STAT_FIELDS)) })
    at = end
  }
  for (const { file, ...problem } of result.problems) outcomes[file] = { problem }
  return outcomes
}

function packFiles(files: readonly SourceFile[]): PackedFiles {
  const nameEnds = new Uint32Array(files.length)
  const folders = new Int32Array(files.length)
  const sizes = new Float64Array(files.length)
  const named = files.map(reached)
  let length = 0
  for (const [i, { dirFd, name }] of named.entries()) {
    length += name.length
    nameEnds[i] = length
    folders[i] = dirFd
    sizes[i] = files[i]!.node.size
  }
  const names = new Uint8Array(length)
  for (const [i, { name }] of named.entries()) names.set(name, i === 0 ? 0 : nameEnds[i - 1]!)
  return { names, nameEnds, folders, sizes }
}

/** By what a file is opened. Where descriptors are stood for by paths, other threads do not know them. */
function reached(file: SourceFile): { readonly dirFd: number; readonly name: Uint8Array } {
  if (process.platform === 'linux') return { dirFd: file.folder.fd, name: file.name }
  return { dirFd: AT_FDCWD, name: file.path }
}

function openSource(file: SourceFile): number {
  const { dirFd, name } = reached(file)
  return openAt(dirFd, name, OPEN_TO_READ)
}

function contentOf(records: Uint8Array, saveTree: SaveTree): { content: Content; size: number } {
  const gathered = createContentGatherer(saveTree)
  gathered.add(records)
  return gathered.finish()
}

function hasChanged(node: Node, stat: Float64Array): boolean {
  const [size, mtimeS, mtimeNs, ctimeS, ctimeNs, inode] = stat
  return size !== node.size || mtimeS !== node.mtimeS || mtimeNs !== node.mtimeNs || ctimeS !== node.ctimeS || ctimeNs !== node.ctimeNs || inode !== Number(node.inode)
}

function packStat({ size, mtimeS, mtimeNs, ctimeS, ctimeNs, inode }: FileStat): Float64Array {
  return Float64Array.of(size, mtimeS, mtimeNs, ctimeS, ctimeNs, Number(inode))
}

/** Where a file that may be sparse has its data; undefined also where that cannot be found out. */
export function extentsOf(file: SourceFile): readonly Extent[] | undefined {
  let fd: number | undefined
  try {
    fd = openSource(file)
    const stat = fstat(fd)
    return stat.type === 'file' ? findExtents(fd, stat.size) : undefined
  } catch (error) {
    // Reading it will tell.
    if (!(error instanceof PosixError)) throw error
    return undefined
  } finally {
    if (fd !== undefined) close(fd)
  }
}

/**
 * Reads one file with all workers: each segment's start is known as soon as the one before it has
 * been cut, long before that is hashed and compressed. The list of its blobs is built as they come.
 * @param extents - where a sparse file has its data
 */
export async function readLargeFile(store: BlobStore, file: SourceFile, extents: readonly Extent[] | undefined, saveTree: SaveTree, onBytes: (bytes: number) => void): Promise<FileOutcome> {
  let fd: number
  try {
    fd = openSource(file)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return { problem: { code: String(error.code), message: error.message } }
  }
  try {
    return await readSegments(store, file, { fd, extents }, saveTree, onBytes)
  } finally {
    close(fd)
  }
}

const WHOLE: readonly Extent[] = [{ offset: 0, length: Number.POSITIVE_INFINITY }]

async function readSegments(store: BlobStore, file: SourceFile, open: { readonly fd: number; readonly extents: readonly Extent[] | undefined }, saveTree: SaveTree, onBytes: (bytes: number) => void): Promise<FileOutcome> {
  const { fd, extents } = open
  const gathered = createContentGatherer(saveTree)
  let problem: FileProblem | undefined
  let changed = false
  const take = async (segment: Promise<ReadResult>): Promise<void> => {
    const result = await segment
    problem ??= result.problems[0]
    if (problem !== undefined) return
    changed ||= hasChanged(file.node, result.stats)
    const before = gathered.size()
    gathered.add(result.records)
    onBytes(gathered.size() - before)
  }
  // Bytes that had come when each extent was at its end.
  const ends: number[] = []
  // Results are taken in order; the last of them is awaited before the descriptor is closed.
  let taking: Promise<void> = Promise.resolve()
  try {
    for (const { offset: start, length } of extents ?? WHOLE) {
      for (let offset = start, isEnd = false; !isEnd && problem === undefined; ) {
        const segment = await store.readSegment(fd, offset, start + length)
        taking = taking.then(() => take(segment.result))
        taking.catch(() => undefined)
        offset += segment.consumed
        isEnd = segment.isEnd
      }
      taking = taking.then(() => void ends.push(gathered.size()))
      taking.catch(() => undefined)
    }
  } finally {
    await taking
  }
  if (problem !== undefined) return { problem: { code: problem.code, message: problem.message } }
  if (extents === undefined) return { ...gathered.finish(), hasChanged: changed }
  const now = fstat(fd)
  const found = extents.map((extent, i) => ({ offset: extent.offset, length: ends[i]! - (ends[i - 1] ?? 0) })).filter(({ length }) => length > 0)
  const end = found.reduce((most, { offset, length }) => Math.max(most, offset + length), 0)
  const size = Math.max(end, Math.min(file.node.size, now.size))
  const { content, size: dataBytes } = gathered.finish()
  onBytes(size - dataBytes)
  return { content, size, extents: found, hasChanged: changed || hasChanged(file.node, packStat(now)) }
}

/** Blob records, in order, to a content: up to so many stand in it, more become a list. */
export function createContentGatherer(saveTree: SaveTree): { add(records: Uint8Array): void; size(): number; finish(): { content: Content; size: number } } {
  let first: Uint8Array = new Uint8Array(0)
  let size = 0
  const builder = createListBuilder(CONTENT_SHAPE, saveTree)
  let isLong = false
  const addAll = (records: Uint8Array): void => {
    for (const blob of contentBlobs(records)) builder.add(blob)
  }
  return {
    size: () => size,
    add(records) {
      for (const blob of contentBlobs(records)) size += blob.length
      if (isLong) return addAll(records)
      first = concatBytes(first, records)
      if (first.length <= INLINE_BLOBS * CONTENT_RECORD_BYTES) return
      isLong = true
      addAll(first)
    },
    finish() {
      if (!isLong) return { content: { kind: 'inline', records: first }, size }
      return { content: { kind: 'list', root: builder.finish() }, size }
    },
  }
}
