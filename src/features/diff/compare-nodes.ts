/** What differs between two nodes. Pure: what they say is all that is looked at. */
import { compareBytes } from '../../util/bytes.ts'
import type { Node } from '../../snapshot/node.ts'
import type { Field } from './difference.ts'

/** Those after which a node holds other bytes than before. */
const CONTENT_FIELDS: readonly Field[] = ['content', 'size', 'target', 'device']

export function isContentChange(fields: readonly Field[]): boolean {
  return fields.some((field) => CONTENT_FIELDS.includes(field))
}

export interface CompareOptions {
  /** Whether equal contents have equal ids; between groups of writers they have not. */
  readonly comparesIds: boolean
  /** Whether a folder's time counts, which changes with every name in it. */
  readonly folderTimes: boolean
}

/** What two nodes of one type differ in, what is in a folder aside. */
export function differingFields(a: Node, b: Node, options: CompareOptions): Field[] {
  const fields: Field[] = []
  if (a.type === 'file') {
    if (a.size !== b.size) fields.push('size')
    if (options.comparesIds ? !hasSameContent(a, b) : a.size !== b.size || hasOtherTime(a, b)) fields.push('content')
  }
  if (!sameBytes(a.target, b.target)) fields.push('target')
  if (a.rdev?.major !== b.rdev?.major || a.rdev?.minor !== b.rdev?.minor) fields.push('device')
  if (a.mode !== b.mode) fields.push('mode')
  if (a.uid !== b.uid || a.gid !== b.gid || a.user !== b.user || a.group !== b.group) fields.push('owner')
  if ((a.type !== 'directory' || options.folderTimes) && hasOtherTime(a, b)) fields.push('mtime')
  if (!hasSameXattrs(a, b)) fields.push('xattrs')
  return fields
}

export function hasOtherTime(a: Node, b: Node): boolean {
  return a.mtimeNs !== b.mtimeNs || a.mtimeS !== b.mtimeS
}

/** Whether both hold the same blobs in the same places. */
export function hasSameContent(a: Node, b: Node): boolean {
  const [bytesA, bytesB] = [contentBytes(a), contentBytes(b)]
  if (a.content?.kind !== b.content?.kind && (bytesA.length > 0 || bytesB.length > 0)) return false
  return compareBytes(bytesA, bytesB) === 0 && extentsText(a) === extentsText(b)
}

const NOTHING = new Uint8Array(0)

function contentBytes(node: Node): Uint8Array {
  if (node.content === undefined) return NOTHING
  return node.content.kind === 'list' ? node.content.root : node.content.records
}

function extentsText(node: Node): string {
  return node.extents === undefined ? '' : node.extents.map(({ offset, length }) => `${offset}+${length}`).join()
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : compareBytes(a, b) === 0
}

function hasSameXattrs(a: Node, b: Node): boolean {
  if (a.xattrs === undefined && b.xattrs === undefined) return true
  return xattrsText(a) === xattrsText(b)
}

/** The same text for the same attributes, in whatever order they were listed. */
function xattrsText(node: Node): string {
  return (node.xattrs ?? []).map(({ name, value }) => `${latin1(name)}\0${latin1(value)}`).sort().join('\0\0')
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
