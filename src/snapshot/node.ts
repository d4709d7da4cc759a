/**
 * A node: one entry of a directory, with everything that a restore gives back. Names and link
 * targets are bytes from end to end.
 *
 * A node is a CBOR map with integer keys; absent is said by leaving the key out.
 */
import { asArray, asBytes, asCount, asInteger, asMap, asText, asU64, type CborMap, optional } from '../codec/cbor.ts'
import { BackupError } from '../util/errors.ts'
import { type Content, contentFromCbor, contentToCbor } from './content.ts'
import type { Extent } from './extents.ts'

export type NodeType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'block' | 'character'

const TYPES: readonly NodeType[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'block', 'character']

export interface ExtendedAttribute {
  readonly name: Uint8Array
  readonly value: Uint8Array
}

/** What tells whether a file is still the one that it was. */
export interface FileTraits {
  readonly type: NodeType
  /** Bytes of a file's content. */
  readonly size: number
  readonly mtimeS: number
  readonly mtimeNs: number
  readonly ctimeS: number
  readonly ctimeNs: number
  readonly inode: number | bigint
}

export interface Node extends FileTraits {
  readonly name: Uint8Array
  /** The low twelve bits: permissions, setuid, setgid, sticky. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly user?: string | undefined
  readonly group?: string | undefined
  readonly atime?: { readonly s: number; readonly ns: number } | undefined
  readonly links: number
  /** Which device, where links matter: numbered from 0 within the snapshot. */
  readonly device?: number | undefined
  readonly content?: Content | undefined
  /** A directory's list of nodes. */
  readonly subtree?: Uint8Array | undefined
  readonly target?: Uint8Array | undefined
  readonly rdev?: { readonly major: number; readonly minor: number } | undefined
  readonly xattrs?: readonly ExtendedAttribute[] | undefined
  /** Each stretch of data in a sparse file; the content is their bytes, and no blob is part of two. */
  readonly extents?: readonly Extent[] | undefined
}

export const KEY = {
  name: 1, type: 2, mode: 3, uid: 4, gid: 5, user: 6, group: 7, size: 8,
  mtimeS: 9, mtimeNs: 10, ctimeS: 11, ctimeNs: 12, atimeS: 13, atimeNs: 14,
  inode: 15, links: 16, device: 17, content: 18, subtree: 19, target: 20,
  rdevMajor: 21, rdevMinor: 22, xattrs: 23, extents: 24,
} as const

const NANOSECONDS = 1_000_000_000
const U32 = 0xffffffff

export function nodeToCbor(node: Node): CborMap {
  const map: CborMap = new Map<number, unknown>([
    [KEY.name, node.name],
    [KEY.type, TYPES.indexOf(node.type) + 1],
    [KEY.mode, node.mode],
    [KEY.uid, node.uid],
    [KEY.gid, node.gid],
  ])
  if (node.user !== undefined) map.set(KEY.user, node.user)
  if (node.group !== undefined) map.set(KEY.group, node.group)
  if (node.type === 'file') map.set(KEY.size, node.size)
  map.set(KEY.mtimeS, node.mtimeS).set(KEY.mtimeNs, node.mtimeNs)
  map.set(KEY.ctimeS, node.ctimeS).set(KEY.ctimeNs, node.ctimeNs)
  if (node.atime !== undefined) map.set(KEY.atimeS, node.atime.s).set(KEY.atimeNs, node.atime.ns)
  map.set(KEY.inode, node.inode).set(KEY.links, node.links)
  if (node.device !== undefined) map.set(KEY.device, node.device)
  if (node.content !== undefined) map.set(KEY.content, contentToCbor(node.content))
  if (node.subtree !== undefined) map.set(KEY.subtree, node.subtree)
  if (node.target !== undefined) map.set(KEY.target, node.target)
  if (node.rdev !== undefined) map.set(KEY.rdevMajor, node.rdev.major).set(KEY.rdevMinor, node.rdev.minor)
  if (node.xattrs !== undefined) map.set(KEY.xattrs, node.xattrs.map((attribute) => [attribute.name, attribute.value]))
  if (node.extents !== undefined) map.set(KEY.extents, node.extents.map((extent) => [extent.offset, extent.length]))
  return map
}

/** @throws {BackupError} CORRUPT - also for names that no directory can hold */
export function nodeFromCbor(value: unknown): Node {
  const map = asMap(value, 'node')
  const type = nodeTypeOf(asCount(map.get(KEY.type), 'node type', TYPES.length))
  const atimeS = optional(map, KEY.atimeS, asInteger, 'atime')
  const rdevMajor = optional(map, KEY.rdevMajor, (v, w) => asCount(v, w, U32), 'device number')
  return requireExtentsWithin({
    name: validName(asBytes(map.get(KEY.name), 'name')),
    type,
    mode: asCount(map.get(KEY.mode), 'mode', 0o7777),
    uid: asCount(map.get(KEY.uid), 'uid', U32),
    gid: asCount(map.get(KEY.gid), 'gid', U32),
    user: optional(map, KEY.user, asText, 'user'),
    group: optional(map, KEY.group, asText, 'group'),
    size: type === 'file' ? asCount(map.get(KEY.size), 'size') : 0,
    mtimeS: asInteger(map.get(KEY.mtimeS), 'mtime'),
    mtimeNs: nanoseconds(map.get(KEY.mtimeNs)),
    ctimeS: asInteger(map.get(KEY.ctimeS), 'ctime'),
    ctimeNs: nanoseconds(map.get(KEY.ctimeNs)),
    atime: atimeS === undefined ? undefined : { s: atimeS, ns: nanoseconds(map.get(KEY.atimeNs)) },
    inode: asU64(map.get(KEY.inode), 'inode'),
    links: asCount(map.get(KEY.links), 'links', U32),
    device: optional(map, KEY.device, asCount, 'device'),
    content: optional(map, KEY.content, contentFromCbor, 'content'),
    subtree: optional(map, KEY.subtree, (v, w) => asBytes(v, w, 32), 'subtree'),
    target: optional(map, KEY.target, linkTarget, 'link target'),
    rdev: rdevMajor === undefined ? undefined : { major: rdevMajor, minor: asCount(map.get(KEY.rdevMinor), 'device number', U32) },
    xattrs: optional(map, KEY.xattrs, xattrs, 'extended attributes'),
    extents: optional(map, KEY.extents, extents, 'extents'),
  })
}

/** @throws {BackupError} CORRUPT */
export function nodeTypeOf(number: number): NodeType {
  const type = TYPES[number - 1]
  if (type === undefined) throw new BackupError('CORRUPT', 'a node is of no known type')
  return type
}

function nanoseconds(value: unknown): number {
  return asCount(value, 'nanoseconds', NANOSECONDS - 1)
}

const NAME_LIMIT = 255
const SLASH = 0x2f
const DOT = 0x2e

/**
 * The one place that decides what may be a name: everything that is read from a repository passes
 * here, so no path that is put together of names can leave its folder.
 */
export function validName(name: Uint8Array): Uint8Array {
  const isDots = name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))
  if (name.length === 0 || name.length > NAME_LIMIT || isDots || name.includes(SLASH) || name.includes(0)) {
    throw new BackupError('CORRUPT', `a tree holds the name ${JSON.stringify(Buffer.from(name.subarray(0, 80)).toString('latin1'))}, which no folder can hold`)
  }
  return name
}

function linkTarget(value: unknown, what: string): Uint8Array {
  const target = asBytes(value, what)
  if (target.length === 0 || target.includes(0)) throw new BackupError('CORRUPT', 'a link has a target that no link can have')
  return target
}

function pair(value: unknown, what: string): readonly [unknown, unknown] {
  const list = asArray(value, what)
  return [list[0], list[1]]
}

/** What Linux takes at most. */
const VALUE_LIMIT = 65_536

function xattrs(value: unknown, what: string): ExtendedAttribute[] {
  return asArray(value, what).map((item) => {
    const [name, bytes] = pair(item, what)
    const attribute = { name: asBytes(name, what), value: asBytes(bytes, what) }
    const isName = attribute.name.length > 0 && attribute.name.length <= NAME_LIMIT && !attribute.name.includes(0)
    if (!isName || attribute.value.length > VALUE_LIMIT) throw new BackupError('CORRUPT', 'a node has an extended attribute that no file can have')
    return attribute
  })
}

function extents(value: unknown, what: string): Extent[] {
  let end = 0
  return asArray(value, what).map((item) => {
    const [first, second] = pair(item, what)
    const extent = { offset: asCount(first, what), length: asCount(second, what) }
    if (extent.length === 0 || extent.offset < end || !Number.isSafeInteger(extent.offset + extent.length)) throw new BackupError('CORRUPT', 'the extents of a file are out of order')
    end = extent.offset + extent.length
    return extent
  })
}

function requireExtentsWithin(node: Node): Node {
  const last = node.extents?.at(-1)
  if (last !== undefined && last.offset + last.length > node.size) throw new BackupError('CORRUPT', 'an extent reaches beyond the end of its file')
  return node
}
