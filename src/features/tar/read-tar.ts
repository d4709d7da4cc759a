/**
 * Tars of every common kind as a stream of entries: POSIX ustar and pax, GNU with long names, and
 * GNU's sparse files in all their forms. What it says is only what the tar says: whether a name may
 * be used is for the caller to judge. Lengths are bounded before anything is read by them.
 */
import { aclAttribute } from '../../codec/acl-text.ts'
import { decodePax, parsePaxTime, type PaxRecord } from '../../codec/pax.ts'
import { decodeTarHeader, TAR_BLOCK, type TarHeader, tarNumber } from '../../codec/tar-header.ts'
import { BackupError } from '../../util/errors.ts'
import { groupId, userId } from '../../util/posix/owners.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import type { ExtendedAttribute, NodeType } from '../../snapshot/node.ts'
import { byteSource, type ByteSource, cutShort } from './byte-source.ts'
import { type Extent, extentsOfMap, gnuExtents, paxExtents } from './tar-sparse.ts'

export interface TarRecord {
  /** As the tar has it. */
  readonly name: Uint8Array
  readonly type: Exclude<NodeType, 'socket'> | 'link'
  readonly header: TarHeader
  readonly mtime: { readonly s: number; readonly ns: number }
  readonly atime: { readonly s: number; readonly ns: number } | undefined
  /** Of a link. */
  readonly target: Uint8Array
  readonly xattrs: readonly ExtendedAttribute[]
  /** Of a file: its length, and where the bytes that follow belong. */
  readonly size: number
  readonly extents: readonly Extent[] | undefined
  /** What follows, once: it must be taken before the next record. */
  readonly content: AsyncIterable<Uint8Array>
}

const TYPES: Readonly<Record<string, TarRecord['type']>> = { 0: 'file', 7: 'file', 1: 'link', 2: 'symlink', 3: 'character', 4: 'block', 5: 'directory', 6: 'fifo', D: 'directory', S: 'file' }
/** A path, a link's target and attributes of 64 KiB each fit many times. */
const EXTRA_BYTES_MOST = 4 * 1024 * 1024

interface Extras {
  longName: Uint8Array | undefined
  longLink: Uint8Array | undefined
  pax: readonly PaxRecord[]
}

/** @throws {BackupError} CORRUPT - not a tar, cut short, or stating what cannot be */
export async function* readTar(stream: AsyncIterable<Uint8Array>): AsyncGenerator<TarRecord, void, undefined> {
  const source = byteSource(stream)
  let global: readonly PaxRecord[] = []
  let extras: Extras = { longName: undefined, longLink: undefined, pax: [] }
  let isFirst = true
  for (;;) {
    const block = await source.take(TAR_BLOCK)
    // Without the blocks of zeros that end it, nobody can know whether something is missing.
    if (block === undefined) throw isFirst ? new BackupError('CORRUPT', 'the tar is empty: not even its end is there') : cutShort()
    isFirst = false
    const header = decodeTarHeader(block)
    if (header === undefined) break
    if (header.type === 'g') global = decodePax(await extraBytes(source, header.size))
    else if (header.type === 'x' || header.type === 'X') extras.pax = decodePax(await extraBytes(source, header.size))
    else if (header.type === 'L') extras.longName = withoutZero(await extraBytes(source, header.size))
    else if (header.type === 'K') extras.longLink = withoutZero(await extraBytes(source, header.size))
    else if (header.type === 'V') await skipAll(padded(source, header.size))
    else {
      yield* entryOf(source, header, block, { ...extras, pax: [...global, ...extras.pax] })
      extras = { longName: undefined, longLink: undefined, pax: [] }
    }
  }
  // Whoever writes the tar into a pipe is to finish in peace.
  await source.drain()
}

async function* entryOf(source: ByteSource, header: TarHeader, block: Uint8Array, extras: Extras): AsyncGenerator<TarRecord, void, undefined> {
  const pax = new Map(extras.pax.map(({ key, value }) => [Buffer.from(key).toString('latin1'), value]))
  const name = pax.get('GNU.sparse.name') ?? pax.get('path') ?? extras.longName ?? header.name
  const type = header.type === '0' && name.at(-1) === 0x2f ? 'directory' : TYPES[header.type]
  if (type === undefined) throw new BackupError('CORRUPT', `${escapeBytes(name)} is of type "${escapeBytes(Buffer.from(header.type, 'latin1'))}" in the tar, which nacre does not know; nothing was imported`)
  const stored = numberOf(pax, 'size') ?? header.size
  const hasContent = type === 'file'
  const content = padded(source, stored)
  let left = stored
  let sparse: { readonly size: number; readonly extents: readonly Extent[] } | undefined
  if (hasContent && header.type === 'S') sparse = await gnuExtents(source, block, (at, length) => tarNumber(block, at, length, 'size'))
  else if (hasContent && pax.get('GNU.sparse.major') !== undefined) {
    const { extents, bytes } = await extentsOfMap(source, stored)
    left = stored - bytes
    sparse = { size: numberOf(pax, 'GNU.sparse.realsize') ?? 0, extents }
  } else if (hasContent) sparse = paxExtents(extras.pax, numberOf(pax, 'GNU.sparse.size') ?? numberOf(pax, 'GNU.sparse.realsize'))
  if (sparse !== undefined) requireExtents(name, sparse, left)
  const data = left === stored ? content : padded(source, left)
  yield {
    name,
    type,
    header: { ...header, uid: numberOf(pax, 'uid') ?? header.uid, gid: numberOf(pax, 'gid') ?? header.gid, user: pax.get('uname') ?? header.user, group: pax.get('gname') ?? header.group },
    mtime: timeOf(pax, 'mtime') ?? { s: header.mtimeS, ns: 0 },
    atime: timeOf(pax, 'atime'),
    target: pax.get('linkpath') ?? extras.longLink ?? header.link,
    xattrs: xattrsOf(extras.pax),
    size: sparse?.size ?? (hasContent ? stored : 0),
    extents: sparse?.extents,
    content: hasContent ? data : EMPTY,
  }
  await skipAll(data)
}

const EMPTY: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) }

/** The bytes and, unseen, what fills their last block. */
async function* padded(source: ByteSource, length: number): AsyncGenerator<Uint8Array, void, undefined> {
  yield* source.pieces(length)
  const rest = (TAR_BLOCK - (length % TAR_BLOCK)) % TAR_BLOCK
  for await (const _ of source.pieces(rest)) void _
}

async function skipAll(pieces: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
  while ((await pieces.next()).done !== true);
}

async function extraBytes(source: ByteSource, length: number): Promise<Uint8Array> {
  if (length > EXTRA_BYTES_MOST) throw new BackupError('CORRUPT', `a header of the tar states ${length} bytes of names and attributes, more than any file has`)
  const parts: Uint8Array[] = []
  for await (const piece of padded(source, length)) parts.push(piece.slice())
  return Buffer.concat(parts)
}

function withoutZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

function requireExtents(name: Uint8Array, { size, extents }: { readonly size: number; readonly extents: readonly Extent[] }, bytes: number): void {
  let end = 0
  let sum = 0
  for (const { offset, length } of extents) {
    if (offset < end) sum = Number.NaN
    end = offset + length
    sum += length
  }
  if (sum !== bytes || end > size) throw new BackupError('CORRUPT', `${escapeBytes(name)} is a sparse file in the tar whose pieces do not fit together`)
}

function textOf(pax: ReadonlyMap<string, Uint8Array>, key: string): string | undefined {
  const value = pax.get(key)
  return value === undefined ? undefined : Buffer.from(value).toString('latin1')
}

function numberOf(pax: ReadonlyMap<string, Uint8Array>, key: string): number | undefined {
  const text = textOf(pax, key)
  if (text === undefined) return undefined
  const value = /^\d{1,20}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new BackupError('CORRUPT', `a pax header of the tar states a ${key} that nothing has`)
  return value
}

function timeOf(pax: ReadonlyMap<string, Uint8Array>, key: string): { s: number; ns: number } | undefined {
  const text = textOf(pax, key)
  return text === undefined ? undefined : parsePaxTime(text)
}

const SCHILY = 'SCHILY.xattr.'
const LIBARCHIVE = 'LIBARCHIVE.xattr.'

const ACLS: readonly (readonly [key: string, attribute: string])[] = [
  ['SCHILY.acl.access', 'system.posix_acl_access'],
  ['SCHILY.acl.default', 'system.posix_acl_default'],
]

function idOfName(kind: 'user' | 'group', name: string): number | undefined {
  return kind === 'user' ? userId(name) : groupId(name)
}

/**
 * GNU tar writes values as they are, bsdtar besides that in base 64: the former counts. An ACL comes
 * as text; where it comes as its attribute too, that counts, which holds numbers alone.
 */
function xattrsOf(records: readonly PaxRecord[]): ExtendedAttribute[] {
  const found = new Map<string, Uint8Array>()
  for (const [key, attribute] of ACLS) {
    const text = records.findLast((record) => Buffer.from(record.key).toString('latin1') === key)?.value
    const acl = text === undefined ? undefined : aclAttribute(Buffer.from(text).toString('utf8'), key.endsWith('default'), idOfName)
    if (acl !== undefined) found.set(attribute, acl)
  }
  for (const { key, value } of records) {
    const text = Buffer.from(key).toString('latin1')
    if (text.startsWith(LIBARCHIVE)) found.set(unescaped(text.slice(LIBARCHIVE.length)), Buffer.from(Buffer.from(value).toString('latin1'), 'base64'))
  }
  for (const { key, value } of records) {
    const text = Buffer.from(key).toString('latin1')
    if (text.startsWith(SCHILY)) found.set(unescaped(text.slice(SCHILY.length)), value)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name: Buffer.from(name, 'latin1'), value }))
}

function unescaped(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
