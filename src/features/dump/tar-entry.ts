/**
 * A node as a tar entry: a ustar header, with a pax header before it for what that has no room for.
 * GNU tar and bsdtar both read it all: nanoseconds, attributes as SCHILY.xattr, ACLs as SCHILY.acl, holes as GNU.sparse
 * 1.0, names of any bytes.
 */
import { isUtf8 } from 'node:buffer'
import { aclText } from '../../codec/acl-text.ts'
import { encodePax, paxTime } from '../../codec/pax.ts'
import { encodeTarHeader, fitsLink, fitsName, fitsOwner, octalLimit, TAR_BLOCK, type TarHeader } from '../../codec/tar-header.ts'
import { concatBytes, utf8 } from '../../util/bytes.ts'
import type { Node } from '../../snapshot/node.ts'
import type { DumpEntry } from './dump-items.ts'

const NONE = new Uint8Array(0)
const SLASH = Uint8Array.of(0x2f)
const TYPES = { file: '0', directory: '5', symlink: '2', fifo: '6', block: '4', character: '3' } as const

/** Whether a tar can hold it: there are no sockets in one. */
export function hasTarType(node: Node): node is Node & { type: keyof typeof TYPES } {
  return node.type !== 'socket'
}

export interface TarEntry {
  /** All that stands before the content. */
  readonly head: Uint8Array
  /** Bytes behind the head that are followed by padding. */
  readonly contentBytes: number
}

export function encodeTarEntry({ name, node, linkOf }: DumpEntry & { readonly node: Node & { type: keyof typeof TYPES } }): TarEntry {
  const path = node.type === 'directory' ? concatBytes(name.length === 0 ? utf8('.') : name, SLASH) : name
  const isFile = node.type === 'file' && linkOf === undefined
  const map = isFile && node.extents !== undefined ? sparseMap(node) : NONE
  const dataBytes = !isFile ? 0 : node.extents === undefined ? node.size : node.extents.reduce((sum, { length }) => sum + length, 0)
  const size = map.length + dataBytes
  const header: TarHeader = {
    name: map.length > 0 ? sparseName(path) : path,
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    size,
    mtimeS: node.mtimeS,
    type: linkOf === undefined ? TYPES[node.type] : '1',
    link: linkOf ?? node.target ?? NONE,
    user: utf8(node.user ?? ''),
    group: utf8(node.group ?? ''),
    major: node.rdev?.major ?? 0,
    minor: node.rdev?.minor ?? 0,
  }
  const records = [...paxRecords(path, header, node), ...(map.length > 0 ? sparseRecords(path, node.size) : []), ...(linkOf === undefined ? xattrRecords(node) : [])]
  return { head: concatBytes(...(records.length > 0 ? paxHeader(concatBytes(...records)) : []), encodeTarHeader(header), map), contentBytes: size }
}

/** Zeros up to the next block. */
export function tarPadding(length: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK - (length % TAR_BLOCK)) % TAR_BLOCK)
}

/** What ends a tar. GNU tar reads blocks of 20, and says so when a pipe gives it less. */
export function tarEnd(length: number): Uint8Array {
  const record = 20 * TAR_BLOCK
  return new Uint8Array(2 * TAR_BLOCK + ((record - ((length + 2 * TAR_BLOCK) % record)) % record))
}

function paxHeader(records: Uint8Array): Uint8Array[] {
  const header = encodeTarHeader({ name: utf8('PaxHeaders/entry'), mode: 0o644, uid: 0, gid: 0, size: records.length, mtimeS: 0, type: 'x', link: NONE, user: NONE, group: NONE, major: 0, minor: 0 })
  return [header, records, tarPadding(records.length)]
}

function paxRecords(path: Uint8Array, header: TarHeader, node: Node): Uint8Array[] {
  const records: Uint8Array[] = []
  const pathFits = isPlain(path) ? fitsName(path) : !isUtf8(path) && fitsName(path)
  const linkFits = isPlain(header.link) ? fitsLink(header.link) : !isUtf8(header.link) && fitsLink(header.link)
  // Pax values are UTF-8 unless it is said that they are bytes.
  if ((!pathFits && !isUtf8(path)) || (!linkFits && !isUtf8(header.link))) records.push(encodePax('hdrcharset', 'BINARY'))
  if (!pathFits) records.push(encodePax('path', path))
  if (!linkFits) records.push(encodePax('linkpath', header.link))
  if (header.size > octalLimit(11)) records.push(encodePax('size', String(header.size)))
  if (header.uid > octalLimit(7)) records.push(encodePax('uid', String(header.uid)))
  if (header.gid > octalLimit(7)) records.push(encodePax('gid', String(header.gid)))
  if (!isPlain(header.user) || !fitsOwner(header.user)) records.push(encodePax('uname', header.user))
  if (!isPlain(header.group) || !fitsOwner(header.group)) records.push(encodePax('gname', header.group))
  if (node.mtimeNs !== 0 || node.mtimeS < 0 || node.mtimeS > octalLimit(11)) records.push(encodePax('mtime', paxTime(node.mtimeS, node.mtimeNs)))
  if (node.atime !== undefined) records.push(encodePax('atime', paxTime(node.atime.s, node.atime.ns)))
  return records
}

function isPlain(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80)
}

/** Attributes that are ACLs, and the keys under which tars carry these as text. */
const ACL_KEYS: Readonly<Record<string, string>> = { 'system.posix_acl_access': 'SCHILY.acl.access', 'system.posix_acl_default': 'SCHILY.acl.default' }

/** In the key of a record `=` ends it, so GNU tar writes `%3D`, and `%25` for `%`. */
function xattrRecords(node: Node): Uint8Array[] {
  return (node.xattrs ?? []).map(({ name, value }) => {
    const text = Buffer.from(name).toString('latin1')
    const aclKey = ACL_KEYS[text]
    const acl = aclKey === undefined ? undefined : aclText(value)
    if (aclKey !== undefined && acl !== undefined) return encodePax(aclKey, acl)
    const key = text.replaceAll('%', '%25').replaceAll('=', '%3D')
    return encodePax(Buffer.from(`SCHILY.xattr.${key}`, 'latin1'), value)
  })
}

/** GNU's sparse format 1.0: the content begins with the number of extents and each one's place. */
function sparseMap(node: Node): Uint8Array {
  const extents = node.extents ?? []
  const last = extents.at(-1)
  // An empty extent at the end says how long the file is.
  const all = last !== undefined && last.offset + last.length === node.size ? extents : [...extents, { offset: node.size, length: 0 }]
  const map = utf8(`${[all.length, ...all.flatMap(({ offset, length }) => [offset, length])].join('\n')}\n`)
  return concatBytes(map, tarPadding(map.length))
}

function sparseName(path: Uint8Array): Uint8Array {
  const slash = path.lastIndexOf(SLASH[0]!)
  return concatBytes(path.subarray(0, slash + 1), utf8('GNUSparseFile.0/'), path.subarray(slash + 1))
}

function sparseRecords(path: Uint8Array, size: number): Uint8Array[] {
  return [encodePax('GNU.sparse.major', '1'), encodePax('GNU.sparse.minor', '0'), encodePax('GNU.sparse.name', path), encodePax('GNU.sparse.realsize', String(size))]
}
