/**
 * Answers the kernel: each request by what the view says, in the terms of the protocol. Whatever goes
 * wrong is one request's error, and a line for the log where the repository is to blame.
 */
import { ERRNO, FEATURE, FUSE_MAJOR, FUSE_MINOR_LEAST } from '../../fuse/opcodes.ts'
import { absentReply, attributesReply, bytesReply, createEntryList, entryReply, type EntryReply, errorReply, type FileSystemSize, initReply, offsetReply, openReply, replyHeader, sizeReply, statfsReply } from '../../fuse/replies.ts'
import { decodeRequest, type Request } from '../../fuse/requests.ts'
import { concatBytes, equalBytes, utf8 } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { attributesOf } from './attributes.ts'
import { seekIn } from './content-range.ts'
import type { MountView, ViewEntry } from './view.ts'

export interface ServerOptions {
  readonly view: MountView
  readonly size: () => FileSystemSize
  /** Let the kernel go by access lists too. */
  readonly accessLists: boolean
  readonly ownedByRoot: boolean
  /** Writes one reply. */
  readonly reply: (parts: readonly Uint8Array[]) => void
  /** A request failed by no fault of who asked. */
  readonly onError: (error: unknown, node: number) => void
}

export interface Server {
  /** @param bytes - one request, looked at before this returns and not after */
  handle(bytes: Uint8Array): void
}

/** Snapshots never change: ten years are for ever, and no overflow anywhere. */
const FOR_EVER_S = 315_360_000
/** Above the snapshots; what is asked for again every second costs nothing. */
const SOON_S = 1
const PAGES_MOST = 256
const PAGE_BYTES = 4096
const READAHEAD_BYTES = PAGES_MOST * PAGE_BYTES
/** What Linux gives at most; a list of names that is longer cannot be told. */
const XATTR_BYTES_MOST = 65_536
const SELF_COOKIE = 1n
const PARENT_COOKIE = 2n
const WANTED = FEATURE.asyncRead | FEATURE.autoInvalidate | FEATURE.readdirplus | FEATURE.noOpen | FEATURE.parallelFolders | FEATURE.maxPages | FEATURE.cacheLinks | FEATURE.noOpendir

/** What is answered instead. */
class Refusal extends Error {
  readonly errno: number

  constructor(errno: number) {
    super('refused')
    this.errno = errno
  }
}

export function createServer(options: ServerOptions): Server {
  const { view, reply, ownedByRoot } = options
  /** Requests under way; one that was interrupted has had its answer. */
  const open = new Set<bigint>()
  let features = 0

  const answer = (unique: bigint, parts: readonly Uint8Array[]): void => {
    if (open.delete(unique)) reply(parts)
  }

  const entryOf = async (number: number): Promise<ViewEntry> => {
    const entry = await view.entry(number)
    if (entry === undefined) throw new Refusal(ERRNO.ESTALE)
    return entry
  }

  const folderOf = async (number: number): Promise<ViewEntry> => {
    const entry = await entryOf(number)
    if (entry.node.type !== 'directory') throw new Refusal(ERRNO.ENOTDIR)
    return entry
  }

  const told = (entry: ViewEntry): EntryReply => ({
    node: entry.number,
    attributes: attributesOf(entry, ownedByRoot),
    nameSeconds: entry.isNameFixed ? FOR_EVER_S : SOON_S,
    attributeSeconds: entry.isFixed ? FOR_EVER_S : SOON_S,
  })

  const init = (request: Extract<Request, { kind: 'init' }>): Uint8Array => {
    if (request.major !== FUSE_MAJOR || request.minor < FUSE_MINOR_LEAST) throw new Refusal(ERRNO.EPROTO)
    features = request.features & (WANTED | (options.accessLists ? FEATURE.accessLists : 0))
    return initReply(request.unique, { minor: request.minor, maxReadahead: Math.min(request.maxReadahead, READAHEAD_BYTES), features, maxPages: PAGES_MOST })
  }

  const look = async ({ unique, node, name }: Extract<Request, { kind: 'lookup' }>): Promise<Uint8Array> => {
    const folder = await folderOf(node)
    const entry = await view.look(folder, name)
    if (entry === undefined) return absentReply(unique, folder.node.subtree === undefined ? 0 : FOR_EVER_S)
    if (open.has(unique)) view.count(entry.number)
    return entryReply(unique, told(entry))
  }

  const list = async ({ kind, unique, node, cookie, size }: Extract<Request, { kind: 'readdir' | 'readdirplus' }>): Promise<Uint8Array> => {
    const folder = await folderOf(node)
    const isPlus = kind === 'readdirplus'
    const entries = createEntryList(Math.min(size, READAHEAD_BYTES), isPlus)
    if (cookie === 0n && !entries.addSelf('.', SELF_COOKIE, folder.inode)) throw new Refusal(ERRNO.EINVAL)
    if (cookie <= SELF_COOKIE && !entries.addSelf('..', PARENT_COOKIE, await view.parentInode(folder))) return entries.reply(unique)
    const counted: number[] = []
    const add = (entry: ViewEntry, next: bigint): boolean => {
      if (!entries.add({ ...told(entry), name: entry.node.name, cookie: next })) return false
      // At once: a node that is counted cannot be forgotten while the rest is being read.
      if (isPlus) view.count(entry.number)
      if (isPlus) counted.push(entry.number)
      return true
    }
    let hasRoom = true
    for await (const piece of view.list(folder, cookie > PARENT_COOKIE ? cookie : undefined)) {
      for (let place = piece.from; hasRoom && place < piece.to; place++) hasRoom = add(piece.entry(place), piece.cookieBehind(place))
      if (!hasRoom) break
    }
    if (!open.has(unique)) for (const number of counted) view.forget(number, 1)
    return entries.reply(unique)
  }

  const attribute = async ({ unique, node, name, size }: Extract<Request, { kind: 'getxattr' }>): Promise<Uint8Array> => {
    const { xattrs = [] } = (await entryOf(node)).node
    const found = xattrs.find((one) => equalBytes(one.name, name))
    if (found === undefined) throw new Refusal(ERRNO.ENODATA)
    return sized(unique, found.value, size)
  }

  const attributeNames = async ({ unique, node, size }: Extract<Request, { kind: 'listxattr' }>): Promise<Uint8Array> => {
    const { xattrs = [] } = (await entryOf(node)).node
    return sized(unique, concatBytes(...xattrs.flatMap(({ name }) => [name, NUL])), size)
  }

  const readTo = async ({ unique, node, offset, size }: Extract<Request, { kind: 'read' }>): Promise<void> => {
    const file = await entryOf(node)
    if (file.node.type === 'directory') throw new Refusal(ERRNO.EISDIR)
    await view.read(file, offset, Math.min(size, READAHEAD_BYTES), (parts) => {
      const length = parts.reduce((sum, part) => sum + part.length, 0)
      answer(unique, [replyHeader(unique, length), ...parts])
    })
  }

  const seek = async ({ unique, node, offset, wants }: Extract<Request, { kind: 'lseek' }>): Promise<Uint8Array> => {
    if (wants === undefined) throw new Refusal(ERRNO.EINVAL)
    const at = seekIn((await entryOf(node)).node, offset, wants)
    if (at === undefined) throw new Refusal(ERRNO.ENXIO)
    return offsetReply(unique, at)
  }

  const linkTarget = async ({ unique, node }: Request): Promise<Uint8Array> => {
    const { target } = (await entryOf(node)).node
    if (target === undefined) throw new Refusal(ERRNO.EINVAL)
    if (target.length >= PAGE_BYTES) throw new Refusal(ERRNO.ENAMETOOLONG)
    return bytesReply(unique, target)
  }

  const attributes = async ({ unique, node }: Request): Promise<Uint8Array> => {
    const entry = await entryOf(node)
    return attributesReply(unique, attributesOf(entry, ownedByRoot), entry.isFixed ? FOR_EVER_S : SOON_S)
  }

  const replyTo = (request: Request): Uint8Array | Promise<Uint8Array | void> => {
    const { unique } = request
    switch (request.kind) {
      case 'init': return init(request)
      case 'lookup': return look(request)
      case 'getattr': return attributes(request)
      case 'readlink': return linkTarget(request)
      case 'read': return readTo(request)
      case 'readdir': return list(request)
      case 'readdirplus': return list(request)
      case 'getxattr': return attribute(request)
      case 'listxattr': return attributeNames(request)
      case 'lseek': return seek(request)
      case 'statfs': return statfsReply(unique, options.size())
      // Told once that it is not needed, the kernel opens without asking.
      case 'open': return (features & FEATURE.noOpen) === 0 ? openReply(unique) : errorReply(unique, ERRNO.ENOSYS)
      case 'opendir': return (features & FEATURE.noOpendir) === 0 ? openReply(unique) : errorReply(unique, ERRNO.ENOSYS)
      case 'release': return bytesReply(unique, NOTHING)
      case 'releasedir': return bytesReply(unique, NOTHING)
      case 'destroy': return bytesReply(unique, NOTHING)
      case 'writing': return errorReply(unique, ERRNO.EROFS)
      case 'broken': return errorReply(unique, ERRNO.EINVAL)
      default: return errorReply(unique, ERRNO.ENOSYS)
    }
  }

  const fail = (request: Request, error: unknown): void => {
    if (!(error instanceof Refusal)) options.onError(error, request.node)
    answer(request.unique, [errorReply(request.unique, error instanceof Refusal ? error.errno : ERRNO.EIO)])
  }

  const handle = async (request: Request): Promise<void> => {
    open.add(request.unique)
    try {
      const bytes = await replyTo(request)
      if (bytes instanceof Uint8Array) answer(request.unique, [bytes])
    } catch (error) {
      fail(request, error)
    }
  }

  return {
    handle(bytes) {
      const request = decodeRequest(bytes)
      if (request === undefined) return
      // These two are never answered.
      if (request.kind === 'forget') for (const { node, lookups } of request.forgotten) view.forget(node, lookups)
      else if (request.kind === 'interrupt') answer(request.interrupted, [errorReply(request.interrupted, ERRNO.EINTR)])
      else void handle(request)
    },
  }
}

const NOTHING = new Uint8Array(0)
const NUL = utf8('\0')

/** A value, or how long it is when nothing was given to put it in. */
function sized(unique: bigint, value: Uint8Array, room: number): Uint8Array {
  if (value.length > XATTR_BYTES_MOST) throw new Refusal(ERRNO.ERANGE)
  if (room === 0) return sizeReply(unique, value.length)
  if (value.length > room) throw new Refusal(ERRNO.ERANGE)
  return bytesReply(unique, value)
}

/** Whether the repository is to blame, rather than the storage that it lies in. */
export function isDamage(error: unknown): boolean {
  return isBackupError(error, 'CORRUPT') || isBackupError(error, 'BLOB_MISSING')
}
