/**
 * From a range of a file to the blobs that hold it. A file that states more than its blobs hold is
 * damaged where they end; holes are zeros that nothing is asked for.
 */
import { dataView, toHex } from '../../util/bytes.ts'
import { BackupError } from '../../util/errors.ts'
import { CONTENT_RECORD_BYTES, type Content, type ContentBlob, contentBlobs } from '../../snapshot/content.ts'
import type { Node } from '../../snapshot/node.ts'
import { requireKind } from '../../snapshot/tree-reader.ts'
import type { TreeCache } from './tree-cache.ts'

export type Piece =
  | { readonly kind: 'zeros'; readonly length: number }
  | { readonly kind: 'blob'; readonly blob: ContentBlob; readonly from: number; readonly length: number }

/** Of one range; a hostile list of tiny blobs would keep everyone waiting. */
const PIECES_MOST = 8192

/**
 * @param end - not beyond the file's size
 * @throws {BackupError} CORRUPT
 */
export async function piecesOfRange(trees: TreeCache, node: Node, start: number, end: number): Promise<Piece[]> {
  const pieces: Piece[] = []
  let at = start
  let before = 0
  for (const { offset, length } of node.extents ?? [{ offset: 0, length: node.size }]) {
    if (at >= end || offset >= end) break
    if (offset + length > at) {
      if (offset > at) pieces.push({ kind: 'zeros', length: offset - at })
      const from = Math.max(at, offset)
      const to = Math.min(end, offset + length)
      await collect(trees, node.content, { start: before + from - offset, end: before + to - offset }, pieces)
      at = to
    }
    before += length
  }
  if (at < end) pieces.push({ kind: 'zeros', length: end - at })
  return pieces
}

interface Range {
  readonly start: number
  readonly end: number
}

async function collect(trees: TreeCache, content: Content | undefined, range: Range, into: Piece[]): Promise<void> {
  const found = await (content === undefined ? 0 : content.kind === 'inline' ? collectRecords(content.records, 0, range, into) : collectList(trees, { id: content.root, level: Number.POSITIVE_INFINITY, start: 0 }, range, into))
  if (found !== range.end - range.start) throw new BackupError('CORRUPT', 'the file states more bytes than it lists')
}

/** @returns how many bytes of the range it gave */
function collectRecords(records: Uint8Array, start: number, range: Range, into: Piece[]): number {
  let found = 0
  let at = start
  for (const blob of contentBlobs(records)) {
    const from = Math.max(range.start, at)
    const to = Math.min(range.end, at + blob.length)
    if (to > from) {
      if (into.length >= PIECES_MOST) throw new BackupError('CORRUPT', 'the file lists more blobs for a range than any backup makes')
      into.push({ kind: 'blob', blob, from: from - at, length: to - from })
      found += to - from
    }
    at += blob.length
    if (at >= range.end) break
  }
  return found
}

interface ListAt {
  readonly id: Uint8Array
  readonly level: number
  /** Where in the content it begins. */
  readonly start: number
}

async function collectList(trees: TreeCache, at: ListAt, range: Range, into: Piece[]): Promise<number> {
  const blob = await trees.blob(at.id)
  requireKind(blob, 'content', at.level, at.id)
  if (blob.kind !== 'content') throw new BackupError('CORRUPT', `tree blob ${toHex(at.id).slice(0, 16)} is no list of blobs`)
  if ('records' in blob) return collectRecords(blob.records, at.start, range, into)
  let found = 0
  let start = at.start
  for (const child of blob.children) {
    if (start >= range.end) break
    if (start + child.bytes > range.start) {
      const wanted = Math.min(range.end, start + child.bytes) - Math.max(range.start, start)
      const got = await collectList(trees, { id: child.id, level: blob.level, start }, { start: Math.max(range.start, start), end: Math.min(range.end, start + child.bytes) }, into)
      if (got !== wanted) throw new BackupError('CORRUPT', `the list ${toHex(child.id).slice(0, 16)} of a file holds fewer bytes than it states`)
      found += got
    }
    start += child.bytes
  }
  return found
}

/** Where data, or a hole, begins from there on; undefined when there is none. */
export function seekIn(node: Node, offset: number, wants: 'data' | 'hole'): number | undefined {
  if (!(offset >= 0 && offset < node.size)) return undefined
  const extents = node.extents ?? [{ offset: 0, length: node.size }]
  if (wants === 'data') {
    const extent = extents.find((one) => one.offset + one.length > offset)
    return extent === undefined ? undefined : Math.max(offset, extent.offset)
  }
  let at = offset
  for (const extent of extents) if (extent.offset <= at && at < extent.offset + extent.length) at = extent.offset + extent.length
  return at
}

const SECTOR_BYTES = 512
const BLOCK_BYTES = 4096

/** What a file takes, in sectors, as a file system of blocks of 4 KiB would store it. */
export function sectorsOf(node: Node): number {
  if (node.type !== 'file') return 0
  const extents = node.extents ?? [{ offset: 0, length: node.size }]
  return extents.reduce((sum, { length }) => sum + Math.ceil(length / BLOCK_BYTES), 0) * (BLOCK_BYTES / SECTOR_BYTES)
}

/** How many blobs an inline content has. */
export function firstBlobs(node: Node, most: number): ContentBlob[] {
  if (node.content?.kind !== 'inline') return []
  const { records } = node.content
  const count = Math.min(most, dataView(records).byteLength / CONTENT_RECORD_BYTES)
  return [...contentBlobs(records.subarray(0, count * CONTENT_RECORD_BYTES))]
}
