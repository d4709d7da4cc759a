/**
 * Answers of the SSH file transfer protocol, version 3. The server is taken for hostile: every length
 * is held against the bytes that are there before anything is made of it.
 *
 *     type                 fields after the id
 *     2 VERSION            (version instead of the id) pairs of name and value, to the end
 *     101 STATUS           code u32, message, language (both may be missing)
 *     102 HANDLE           handle, at most 256 bytes
 *     103 DATA             bytes
 *     104 NAME             count u32, of each: name, long name, attributes
 *     105 ATTRS            attributes
 *     201 EXTENDED_REPLY   by extension; of those used here numbers u64
 *
 *     attributes: flags u32; size u64 (1); uid, gid u32 (2); mode u32 (4); atime, mtime u32 (8);
 *     count u32 and pairs of type and data (0x80000000)
 */
import { dataView } from '../../util/bytes.ts'

export interface Attributes {
  readonly sizeBytes: number | undefined
  readonly kind: 'file' | 'folder' | 'link' | 'other' | undefined
}

export interface NamedEntry extends Attributes {
  /** A character for each byte: names of nacre's objects are ASCII, others only have to differ. */
  readonly name: string
}

export type SftpReply =
  | { readonly kind: 'status'; readonly id: number; readonly code: number; readonly message: string }
  | { readonly kind: 'handle'; readonly id: number; readonly handle: Uint8Array }
  /** A view of the message. */
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'name'; readonly id: number; readonly entries: readonly NamedEntry[] }
  | { readonly kind: 'attrs'; readonly id: number; readonly attributes: Attributes }
  | { readonly kind: 'extended'; readonly id: number; readonly numbers: readonly bigint[] }

/** What the server offers: the names of its extensions. */
export interface ServerVersion {
  readonly version: number
  readonly extensions: ReadonlySet<string>
}

/** The stream is no answer of an SFTP server, or not to what was asked. */
export class SftpProtocolError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SftpProtocolError'
  }
}

const HANDLE_BYTES_LIMIT = 256
const MESSAGE_LIMIT = 300
const EXTENSIONS_LIMIT = 100

/** @param message - without its length. @throws {SftpProtocolError} */
export function decodeVersion(message: Uint8Array): ServerVersion {
  const read = reader(message)
  if (read.u8() !== 2) throw new SftpProtocolError('it does not begin with the version of the protocol')
  const version = read.u32()
  const extensions = new Set<string>()
  while (read.left() > 0 && extensions.size < EXTENSIONS_LIMIT) {
    extensions.add(textOf(read.string()))
    read.string()
  }
  return { version, extensions }
}

/** @param message - without its length. @throws {SftpProtocolError} */
export function decodeReply(message: Uint8Array): SftpReply {
  const read = reader(message)
  const type = read.u8()
  const id = read.u32()
  switch (type) {
    case 101: {
      const code = read.u32()
      return { kind: 'status', id, code, message: read.left() >= 4 ? textOf(read.string()).slice(0, MESSAGE_LIMIT) : '' }
    }
    case 102: {
      const handle = read.string()
      if (handle.length > HANDLE_BYTES_LIMIT) throw new SftpProtocolError(`a handle of ${handle.length} bytes`)
      return { kind: 'handle', id, handle: handle.slice() }
    }
    case 103:
      return { kind: 'data', id, bytes: read.string() }
    case 104:
      return { kind: 'name', id, entries: entriesOf(read) }
    case 105:
      return { kind: 'attrs', id, attributes: attributesOf(read) }
    case 201: {
      const numbers: bigint[] = []
      while (read.left() >= 8) numbers.push(read.u64())
      return { kind: 'extended', id, numbers }
    }
    default:
      throw new SftpProtocolError(`a message of the unknown type ${type}`)
  }
}

type Reader = ReturnType<typeof reader>

function entriesOf(read: Reader): NamedEntry[] {
  const count = read.u32()
  const entries: NamedEntry[] = []
  // Each takes its bytes from the message, so a count that lies ends in an error and not in memory.
  for (let i = 0; i < count; i++) {
    const name = latin1(read.string())
    read.string()
    entries.push({ name, ...attributesOf(read) })
  }
  return entries
}

function attributesOf(read: Reader): Attributes {
  const flags = read.u32()
  const size = (flags & 0x01) !== 0 ? read.u64() : undefined
  if (size !== undefined && size > BigInt(Number.MAX_SAFE_INTEGER)) throw new SftpProtocolError(`a file of ${size} bytes`)
  if ((flags & 0x02) !== 0) read.skip(8)
  const mode = (flags & 0x04) !== 0 ? read.u32() : undefined
  if ((flags & 0x08) !== 0) read.skip(8)
  if ((flags & 0x8000_0000) !== 0) {
    const count = read.u32()
    for (let i = 0; i < count; i++) {
      read.string()
      read.string()
    }
  }
  return { sizeBytes: size === undefined ? undefined : Number(size), kind: kindOf(mode) }
}

/** The type in a mode of Unix; servers of other systems may give none. */
function kindOf(mode: number | undefined): Attributes['kind'] {
  switch ((mode ?? 0) & 0o170000) {
    case 0:
      return undefined
    case 0o100000:
      return 'file'
    case 0o040000:
      return 'folder'
    case 0o120000:
      return 'link'
    default:
      return 'other'
  }
}

function reader(message: Uint8Array): { left(): number; u8(): number; u32(): number; u64(): bigint; string(): Uint8Array; skip(count: number): void } {
  const view = dataView(message)
  let at = 0
  const take = (count: number): number => {
    if (count > message.length - at) throw new SftpProtocolError('a message ends before what it announces')
    at += count
    return at - count
  }
  const u32 = (): number => view.getUint32(take(4))
  return {
    left: () => message.length - at,
    u8: () => view.getUint8(take(1)),
    u32,
    u64: () => view.getBigUint64(take(8)),
    string: () => {
      const length = u32()
      const start = take(length)
      return message.subarray(start, start + length)
    },
    skip: (count) => void take(count),
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
