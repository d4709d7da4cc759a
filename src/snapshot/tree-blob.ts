/**
 * Tree blobs: a CBOR map {1: kind, 2: level, 3: entries}. Level 0 holds entries, higher levels hold
 * children. Of a directory (kind 1) the entries are nodes in byte order of their names and the
 * children [first name, id]; of a file's content (kind 2) they are records of bytes, id ‖ length
 * u32, and id ‖ total length u64.
 */
import type { KeyedHash } from '../crypto/hash.ts'
import { asArray, asBytes, asCount, asMap, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { compareBytes, dataView, readSafeU64 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { CONTENT_RECORD_BYTES, type ContentBlob } from './content.ts'
import type { ListShape } from './list-builder.ts'
import { type Node, nodeFromCbor, nodeToCbor, validName } from './node.ts'

const KIND_DIRECTORY = 1
const KIND_CONTENT = 2
const ID_BYTES = 32
const CHILD_RECORD_BYTES = 40
/** Far more than 2^64 entries can need. */
const LEVELS_LIMIT = 32

export interface DirectoryChild {
  readonly firstName: Uint8Array
  readonly id: Uint8Array
}

export interface ContentChild {
  readonly id: Uint8Array
  /** Bytes of content below it. */
  readonly bytes: number
}

export type TreeBlob =
  | { readonly kind: 'directory'; readonly level: 0; readonly nodes: readonly Node[] }
  | { readonly kind: 'directory'; readonly level: number; readonly children: readonly DirectoryChild[] }
  | { readonly kind: 'content'; readonly level: 0; readonly records: Uint8Array }
  | { readonly kind: 'content'; readonly level: number; readonly children: readonly ContentChild[] }

const INNER_RULE = { least: 32, most: 1024, bits: 8, mostBytes: Number.POSITIVE_INFINITY }
/** About 256 names a blob, as measured to be small enough to rewrite and large enough to compress. */
const NAMES_RULE = { least: 32, most: 1024, bits: 8, mostBytes: 512 * 1024 }
const IDS_RULE = { least: 128, most: 4096, bits: 10, mostBytes: Number.POSITIVE_INFINITY }

function lowBits(hash: Uint8Array): number {
  return hash[0]! | (hash[1]! << 8)
}

function encodeBlob(kind: number, level: number, entries: unknown): Uint8Array {
  return encodeCbor(new Map<number, unknown>([[1, kind], [2, level], [3, entries]]))
}

/** What a node weighs besides its name and what hangs on it; only a bound is wanted. */
const NODE_BYTES = 160

export function directoryShape(hash: KeyedHash): ListShape<Node, DirectoryChild> {
  return {
    leaf: NAMES_RULE,
    inner: INNER_RULE,
    hashEntry: (node) => lowBits(hash(node.name)),
    hashInner: (child) => lowBits(child.id),
    sizeOf: (node) => {
      const xattrs = node.xattrs?.reduce((sum, attribute) => sum + attribute.name.length + attribute.value.length, 0) ?? 0
      return NODE_BYTES + node.name.length + (node.target?.length ?? 0) + xattrs + 20 * (node.extents?.length ?? 0) + (node.content?.kind === 'inline' ? node.content.records.length : 0)
    },
    encodeLeaf: (nodes) => encodeBlob(KIND_DIRECTORY, 0, nodes.map(nodeToCbor)),
    encodeInner: (level, children) => encodeBlob(KIND_DIRECTORY, level, children.map((child) => [child.firstName, child.id])),
    innerOfLeaf: (nodes, id) => ({ firstName: nodes[0]!.name, id }),
    innerOfInner: (children, id) => ({ firstName: children[0]!.firstName, id }),
  }
}

export const CONTENT_SHAPE: ListShape<ContentBlob, ContentChild> = {
  leaf: IDS_RULE,
  inner: INNER_RULE,
  // Ids are keyed hashes themselves.
  hashEntry: (blob) => lowBits(blob.id),
  hashInner: (child) => lowBits(child.id),
  sizeOf: () => CONTENT_RECORD_BYTES,
  encodeLeaf(blobs) {
    const records = new Uint8Array(blobs.length * CONTENT_RECORD_BYTES)
    const view = dataView(records)
    blobs.forEach((blob, i) => {
      records.set(blob.id, i * CONTENT_RECORD_BYTES)
      view.setUint32(i * CONTENT_RECORD_BYTES + ID_BYTES, blob.length, true)
    })
    return encodeBlob(KIND_CONTENT, 0, records)
  },
  encodeInner(level, children) {
    const records = new Uint8Array(children.length * CHILD_RECORD_BYTES)
    const view = dataView(records)
    children.forEach((child, i) => {
      records.set(child.id, i * CHILD_RECORD_BYTES)
      view.setBigUint64(i * CHILD_RECORD_BYTES + ID_BYTES, BigInt(child.bytes), true)
    })
    return encodeBlob(KIND_CONTENT, level, records)
  },
  innerOfLeaf: (blobs, id) => ({ id, bytes: blobs.reduce((sum, blob) => sum + blob.length, 0) }),
  innerOfInner: (children, id) => ({ id, bytes: children.reduce((sum, child) => sum + child.bytes, 0) }),
}

/** @throws {BackupError} CORRUPT - malformed, or names that are not in order or not unique */
export function decodeTreeBlob(bytes: Uint8Array): TreeBlob {
  const map = asMap(decodeCbor(bytes), 'tree blob')
  const kind = asCount(map.get(1), 'kind of tree blob')
  const level = asCount(map.get(2), 'level of tree blob', LEVELS_LIMIT)
  if (kind === KIND_DIRECTORY) return directoryBlob(level, asArray(map.get(3), 'entries'))
  if (kind === KIND_CONTENT) return contentBlob(level, asBytes(map.get(3), 'records'))
  throw new BackupError('CORRUPT', `a tree blob is of kind ${kind}, which this nacre does not know`)
}

function directoryBlob(level: number, entries: readonly unknown[]): TreeBlob {
  if (level > 0) {
    const children = entries.map((entry): DirectoryChild => {
      const fields = asArray(entry, 'child')
      return { firstName: validName(asBytes(fields[0], 'name')), id: asBytes(fields[1], 'id', ID_BYTES) }
    })
    requireOrder(children.map((child) => child.firstName))
    return { kind: 'directory', level, children }
  }
  const nodes = entries.map(nodeFromCbor)
  requireOrder(nodes.map((node) => node.name))
  return { kind: 'directory', level: 0, nodes }
}

function requireOrder(names: readonly Uint8Array[]): void {
  for (let i = 1; i < names.length; i++) {
    if (compareBytes(names[i - 1]!, names[i]!) >= 0) throw new BackupError('CORRUPT', 'a directory has names that are out of order or twice there')
  }
}

function contentBlob(level: number, records: Uint8Array): TreeBlob {
  if (level === 0) {
    if (records.length % CONTENT_RECORD_BYTES !== 0) throw new BackupError('CORRUPT', 'a list of blobs is broken')
    return { kind: 'content', level, records }
  }
  if (records.length % CHILD_RECORD_BYTES !== 0) throw new BackupError('CORRUPT', 'a list of blobs is broken')
  const view = dataView(records)
  const children: ContentChild[] = []
  for (let at = 0; at < records.length; at += CHILD_RECORD_BYTES) {
    if (view.getUint32(at + ID_BYTES + 4, true) >= 2 ** 21) throw new BackupError('CORRUPT', 'a list of blobs states a length beyond 2^53')
    children.push({ id: records.subarray(at, at + ID_BYTES), bytes: readSafeU64(view, at + ID_BYTES) })
  }
  return { kind: 'content', level, children }
}

