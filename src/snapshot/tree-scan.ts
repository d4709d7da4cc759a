/**
 * Looking for few nodes in many tree blobs: names and types are read where they stand, and only the
 * nodes that are wanted are decoded. Measured on lists of 100 nodes in one run: 5.0 million names a
 * second, where decoding all of them does 0.2 million.
 */
import { CborScanner, MAJOR } from '../codec/cbor-scan.ts'
import { decodeCbor } from '../codec/cbor.ts'
import { BackupError } from '../util/errors.ts'
import { type Node, nodeFromCbor, validName } from './node.ts'
import { decodeTreeBlob, type DirectoryChild, type TreeBlob } from './tree-blob.ts'

export interface ScannedNode {
  readonly name: Uint8Array
  /** The name as latin1, which sorts as the bytes do. */
  readonly key: string
  readonly isDirectory: boolean
  /** A view. The same bytes are the same node. */
  readonly encoded: Uint8Array
  /** All that the node says. @throws {BackupError} CORRUPT */
  decode(): Node
}

export type ScannedList =
  | { readonly level: 0; readonly nodes: readonly ScannedNode[] }
  | { readonly level: number; readonly children: readonly DirectoryChild[] }

type Wants = (key: string, isDirectory: boolean) => boolean

const DIRECTORY = 2

export type OpenList =
  /** The scanner stands before the first of so many nodes. */
  | { readonly level: 0; readonly scanner: CborScanner; readonly count: number }
  | { readonly level: number; readonly children: readonly DirectoryChild[] }

const KIND_AT = 2
const KIND_DIRECTORY = 1

/** A tree blob of either kind, with the nodes of a directory not decoded. @throws {BackupError} CORRUPT */
export function openTree(bytes: Uint8Array): OpenList | Extract<TreeBlob, { kind: 'content' }> {
  // In deterministic CBOR the kind is the third byte: behind the map's head and the key 1.
  if (bytes[KIND_AT] === KIND_DIRECTORY) return openList(bytes)
  const blob = decodeTreeBlob(bytes)
  if (blob.kind !== 'content') throw wrong()
  return blob
}

/** @throws {BackupError} CORRUPT - no list of a directory */
export function openList(bytes: Uint8Array): OpenList {
  const scanner = new CborScanner(bytes)
  expectHead(scanner, MAJOR.map, 3)
  expectField(scanner, 1, 1)
  const level = fieldOf(scanner, 2)
  if (level > 0) {
    const blob = decodeTreeBlob(bytes)
    if (blob.kind !== 'directory' || !('children' in blob)) throw wrong()
    return { level, children: blob.children }
  }
  expectHead(scanner, MAJOR.unsigned, 3)
  scanner.head()
  if (scanner.major !== MAJOR.array) throw wrong()
  return { level: 0, scanner, count: scanner.value }
}

/**
 * A blob of a directory's list.
 * @param wants - whether a node is wanted, by its name as latin1
 * @throws {BackupError} CORRUPT - malformed, or of another kind of list
 */
export function scanDirectory(bytes: Uint8Array, wants: Wants): ScannedList {
  const list = openList(bytes)
  if ('children' in list) return list
  const { scanner } = list
  // One string for all names: to cut one out of it costs nothing.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const nodes: ScannedNode[] = []
  for (let left = list.count; left > 0; left--) {
    const node = nextNode(scanner, text, wants)
    if (node !== undefined) nodes.push(node)
  }
  return { level: 0, nodes }
}

/** Name and type are a node's first two fields: keys stand in ascending order. */
function nextNode(scanner: CborScanner, text: string, wants: Wants): ScannedNode | undefined {
  const start = scanner.at
  scanner.head()
  if (scanner.major !== MAJOR.map || scanner.value < 2) throw wrong()
  const fields = scanner.value
  expectHead(scanner, MAJOR.unsigned, 1)
  scanner.byteString()
  const nameEnd = scanner.at
  const nameStart = nameEnd - scanner.value
  const isDirectory = fieldOf(scanner, 2) === DIRECTORY
  for (let left = (fields - 2) * 2; left > 0; left--) scanner.skip()
  const key = text.slice(nameStart, nameEnd)
  if (!wants(key, isDirectory)) return undefined
  const encoded = scanner.bytes.subarray(start, scanner.at)
  return { name: validName(scanner.bytes.subarray(nameStart, nameEnd)), key, isDirectory, encoded, decode: () => nodeFromCbor(decodeCbor(encoded)) }
}

function fieldOf(scanner: CborScanner, key: number): number {
  expectHead(scanner, MAJOR.unsigned, key)
  scanner.head()
  if (scanner.major !== MAJOR.unsigned) throw wrong()
  return scanner.value
}

function expectField(scanner: CborScanner, key: number, value: number): void {
  if (fieldOf(scanner, key) !== value) throw wrong()
}

function expectHead(scanner: CborScanner, major: number, value: number): void {
  scanner.head()
  if (scanner.major !== major || scanner.value !== value) throw wrong()
}

function wrong(): BackupError {
  return new BackupError('CORRUPT', 'a tree blob is not the list of a directory')
}
