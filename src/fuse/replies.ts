/**
 * What is said to the kernel, from values to bytes. Every reply begins with
 *
 *   0  length u32 (all of it)
 *   4  error i32: 0, or an errno below zero and nothing behind
 *   8  unique u64 of the request
 *
 * and is written to the device by one call.
 */
import { dataView } from '../util/bytes.ts'
import { FUSE_MAJOR, FUSE_MINOR, OPEN_CACHE_DIR, OPEN_KEEP_CACHE } from './opcodes.ts'

export const REPLY_HEADER_BYTES = 16
const ATTRIBUTES_BYTES = 88
const ENTRY_BYTES = 40 + ATTRIBUTES_BYTES
const DIRENT_BYTES = 24

/** Number of an inode as its high and low half: as one number it would be a bigint for each entry. */
export interface InodeNumber {
  readonly high: number
  readonly low: number
}

export interface Attributes {
  readonly inode: InodeNumber
  readonly size: number
  /** Of 512 bytes. */
  readonly blocks: number
  readonly atimeS: number
  readonly atimeNs: number
  readonly mtimeS: number
  readonly mtimeNs: number
  readonly ctimeS: number
  readonly ctimeNs: number
  /** With the bits of the type. */
  readonly mode: number
  readonly links: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
}

/** A node with how long, in seconds, the kernel may believe name and attributes. */
export interface EntryReply {
  readonly node: number
  readonly attributes: Attributes
  readonly nameSeconds: number
  readonly attributeSeconds: number
}

export interface InitReply {
  /** The kernel's, if it is older. */
  readonly minor: number
  readonly maxReadahead: number
  readonly features: number
  readonly maxPages: number
}

/** What programs should read at once. */
const BLOCK_BYTES = 128 * 1024
/** Requests that readers do not wait for, such as read-ahead, that may be under way. */
const BACKGROUND = 64
/** The least that the kernel takes; nothing is ever written. */
const WRITE_BYTES = 4096

/** A header for so many bytes that follow. */
export function replyHeader(unique: bigint, bodyBytes: number): Uint8Array {
  const bytes = new Uint8Array(REPLY_HEADER_BYTES)
  writeHeader(dataView(bytes), unique, bodyBytes, 0)
  return bytes
}

export function errorReply(unique: bigint, errno: number): Uint8Array {
  const bytes = new Uint8Array(REPLY_HEADER_BYTES)
  writeHeader(dataView(bytes), unique, 0, errno)
  return bytes
}

/** Bytes as they are: a link's target, a value, nothing. */
export function bytesReply(unique: bigint, body: Uint8Array): Uint8Array {
  return reply(unique, body.length, (_view, bytes) => bytes.set(body, REPLY_HEADER_BYTES))
}

export function initReply(unique: bigint, init: InitReply): Uint8Array {
  return reply(unique, 64, (view) => {
    const at = REPLY_HEADER_BYTES
    view.setUint32(at, FUSE_MAJOR, true)
    view.setUint32(at + 4, Math.min(init.minor, FUSE_MINOR), true)
    view.setUint32(at + 8, init.maxReadahead, true)
    view.setUint32(at + 12, init.features, true)
    view.setUint16(at + 16, BACKGROUND, true)
    view.setUint16(at + 18, (BACKGROUND * 3) / 4, true)
    view.setUint32(at + 20, WRITE_BYTES, true)
    // Times are exact to the nanosecond.
    view.setUint32(at + 24, 1, true)
    view.setUint16(at + 28, init.maxPages, true)
  })
}

export function entryReply(unique: bigint, entry: EntryReply): Uint8Array {
  return reply(unique, ENTRY_BYTES, (view) => writeEntry(view, REPLY_HEADER_BYTES, entry))
}

/** No such name, and the kernel may believe that as long. */
export function absentReply(unique: bigint, nameSeconds: number): Uint8Array {
  return reply(unique, ENTRY_BYTES, (view) => write64(view, REPLY_HEADER_BYTES + 16, nameSeconds))
}

export function attributesReply(unique: bigint, attributes: Attributes, seconds: number): Uint8Array {
  return reply(unique, 16 + ATTRIBUTES_BYTES, (view) => {
    write64(view, REPLY_HEADER_BYTES, seconds)
    writeAttributes(view, REPLY_HEADER_BYTES + 16, attributes)
  })
}

/** For kernels that do not know how to go without opening: there is no handle, and what was read is kept. */
export function openReply(unique: bigint): Uint8Array {
  return reply(unique, 16, (view) => view.setUint32(REPLY_HEADER_BYTES + 8, OPEN_KEEP_CACHE | OPEN_CACHE_DIR, true))
}

/** Bytes that an attribute or the list of them would take. */
export function sizeReply(unique: bigint, sizeBytes: number): Uint8Array {
  return reply(unique, 8, (view) => view.setUint32(REPLY_HEADER_BYTES, sizeBytes, true))
}

export function offsetReply(unique: bigint, offset: number): Uint8Array {
  return reply(unique, 8, (view) => write64(view, REPLY_HEADER_BYTES, offset))
}

export interface FileSystemSize {
  readonly blockBytes: number
  readonly blocks: number
  readonly files: number
}

/** Nothing is free: nothing can be written. */
export function statfsReply(unique: bigint, { blockBytes, blocks, files }: FileSystemSize): Uint8Array {
  return reply(unique, 80, (view) => {
    const at = REPLY_HEADER_BYTES
    write64(view, at, blocks)
    write64(view, at + 24, files)
    view.setUint32(at + 40, blockBytes, true)
    view.setUint32(at + 44, 255, true)
    view.setUint32(at + 48, blockBytes, true)
  })
}

export interface ListedEntry extends EntryReply {
  readonly name: Uint8Array
  /** Where a list that is asked for goes on behind this entry. */
  readonly cookie: bigint
}

/** A folder's entries, as many as fit into what was asked for. */
export interface EntryList {
  /** false when there is no room for it. */
  add(entry: ListedEntry): boolean
  /** `.` and `..`, which are in the list and are not looked up by it. */
  addSelf(name: '.' | '..', cookie: bigint, inode: InodeNumber): boolean
  reply(unique: bigint): Uint8Array
}

const FIRST_LIST_BYTES = 4096

/** @param isPlus - READDIRPLUS: with attributes, and each entry counts as looked up */
export function createEntryList(sizeBytes: number, isPlus: boolean): EntryList {
  const end = REPLY_HEADER_BYTES + sizeBytes
  // Kernels ask for as much as they take, and most folders are small.
  let bytes = new Uint8Array(Math.min(end, FIRST_LIST_BYTES))
  let view = dataView(bytes)
  const before = isPlus ? ENTRY_BYTES : 0
  let at = REPLY_HEADER_BYTES
  const grow = (): void => {
    const larger = new Uint8Array(Math.min(end, bytes.length * 4))
    larger.set(bytes)
    bytes = larger
    view = dataView(bytes)
  }
  const addName = (name: Uint8Array, cookie: bigint, inode: InodeNumber, mode: number): boolean => {
    const length = (before + DIRENT_BYTES + name.length + 7) & ~7
    if (at + length > end) return false
    while (at + length > bytes.length) grow()
    const dirent = at + before
    writeInode(view, dirent, inode)
    view.setBigUint64(dirent + 8, cookie, true)
    view.setUint32(dirent + 16, name.length, true)
    view.setUint32(dirent + 20, mode >>> 12, true)
    bytes.set(name, dirent + DIRENT_BYTES)
    at += length
    return true
  }
  return {
    add(entry) {
      const start = at
      if (!addName(entry.name, entry.cookie, entry.attributes.inode, entry.attributes.mode)) return false
      if (isPlus) writeEntry(view, start, entry)
      return true
    },
    addSelf: (name, cookie, inode) => addName(name === '.' ? DOT : DOTS, cookie, inode, 0o040000),
    reply(unique) {
      writeHeader(view, unique, at - REPLY_HEADER_BYTES, 0)
      return bytes.subarray(0, at)
    },
  }
}

const DOT = Uint8Array.of(0x2e)
const DOTS = Uint8Array.of(0x2e, 0x2e)

function reply(unique: bigint, bodyBytes: number, write: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(REPLY_HEADER_BYTES + bodyBytes)
  const view = dataView(bytes)
  writeHeader(view, unique, bodyBytes, 0)
  write(view, bytes)
  return bytes
}

function writeHeader(view: DataView, unique: bigint, bodyBytes: number, errno: number): void {
  view.setUint32(0, REPLY_HEADER_BYTES + bodyBytes, true)
  view.setInt32(4, -errno, true)
  view.setBigUint64(8, unique, true)
}

/** 0 node ‖ 8 generation ‖ 16 name seconds ‖ 24 attribute seconds ‖ 32, 36 their nanoseconds u32 ‖ 40 attributes */
function writeEntry(view: DataView, at: number, entry: EntryReply): void {
  write64(view, at, entry.node)
  write64(view, at + 16, entry.nameSeconds)
  write64(view, at + 24, entry.attributeSeconds)
  writeAttributes(view, at + 40, entry.attributes)
}

/**
 * 0 inode u64 ‖ 8 size u64 ‖ 16 blocks u64 ‖ 24 atime ‖ 32 mtime ‖ 40 ctime i64 ‖ 48, 52, 56 their
 * nanoseconds u32 ‖ 60 mode ‖ 64 links ‖ 68 uid ‖ 72 gid ‖ 76 rdev ‖ 80 block bytes ‖ 84 zero
 */
function writeAttributes(view: DataView, at: number, attributes: Attributes): void {
  writeInode(view, at, attributes.inode)
  write64(view, at + 8, attributes.size)
  write64(view, at + 16, attributes.blocks)
  write64(view, at + 24, attributes.atimeS)
  write64(view, at + 32, attributes.mtimeS)
  write64(view, at + 40, attributes.ctimeS)
  view.setUint32(at + 48, attributes.atimeNs, true)
  view.setUint32(at + 52, attributes.mtimeNs, true)
  view.setUint32(at + 56, attributes.ctimeNs, true)
  view.setUint32(at + 60, attributes.mode, true)
  view.setUint32(at + 64, attributes.links, true)
  view.setUint32(at + 68, attributes.uid, true)
  view.setUint32(at + 72, attributes.gid, true)
  view.setUint32(at + 76, attributes.rdev, true)
  view.setUint32(at + 80, BLOCK_BYTES, true)
}

function writeInode(view: DataView, at: number, inode: InodeNumber): void {
  view.setUint32(at, inode.low, true)
  view.setUint32(at + 4, inode.high, true)
}

/** A whole number, perhaps below zero, as 64 bits. */
function write64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32)
  view.setUint32(at, value - high * 2 ** 32, true)
  view.setInt32(at + 4, high, true)
}
