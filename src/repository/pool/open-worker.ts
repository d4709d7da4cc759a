/**
 * The role of a reader's workers: open frames, check every blob against its id, and put it where it
 * belongs. Nothing is written that was not checked first.
 */
import { keyedHash, type KeyedHash, runningSha256, type RunningHash } from '../../crypto/hash.ts'
import { createDecompressor, type Decompressor } from '../../codec/zstd.ts'
import { type Arena, createArena } from '../../util/arena.ts'
import { dataView, equalBytes, toHex } from '../../util/bytes.ts'
import { BackupError, isBackupError, messageOf } from '../../util/errors.ts'
import { close } from '../../util/posix/open.ts'
import { unlinkAtIfPresent } from '../../util/posix/create.ts'
import { pwrite, setSize } from '../../util/posix/read-write.ts'
import { PosixError } from '../../util/posix/system-error.ts'
import { pwriteSparse } from '../../util/sparse-write.ts'
import { createTemporary, giveName, setAttributes, temporaryName, type TargetAttributes } from '../../util/target-file.ts'
import { ID_BYTES } from '../format.ts'
import { openFrame } from '../frame.ts'
import { decodePackHeader, decodeTrailer, openPackDirectory, TRAILER_BYTES } from '../pack.ts'
import { BLOB_RECORD_BYTES, encodeFrames } from '../pack-entry.ts'
import { compareBlobs } from './compare-blobs.ts'
import { type FolderCache, folderCache } from './folder-cache.ts'
import { fileAt, fileCount, type WholeFile } from './file-table.ts'
import { openWhole } from './open-whole.ts'
import { BLOB_COLUMNS, DAMAGED, type FrameAt, NAME_TAKEN, NO_FD, type OpenInit, type OpenProblem, type OpenReply, type OpenRequest, type PackStatement, type RestoreRequest, type VerifyRequest } from './open-messages.ts'
import type { Post, Role } from './role.ts'

type Opened = Uint8Array | OpenProblem

/** Holds the frames of a restore request, sealed and open, as many as a reader asks for at once. */
const ARENA_BYTES = 13 * 1024 * 1024

/** What a worker keeps between requests. */
interface Tools {
  readonly init: OpenInit
  readonly decompressor: Decompressor
  readonly memory: Arena
  /** Packs of which a part has been verified. */
  readonly packs: Map<number, BegunPack>
}

export function createRole(init: OpenInit, post: Post<OpenReply>): Role<OpenRequest> {
  const tools: Tools = { init, decompressor: createDecompressor(), memory: createArena(ARENA_BYTES), packs: new Map() }
  return (request) => {
    const reply = answer(tools, request)
    post(reply, buffersOf(reply))
    tools.memory.reset()
  }
}

function answer(tools: Tools, request: OpenRequest): OpenReply {
  switch (request.kind) {
    case 'restore':
      return restore(tools, request)
    case 'verify':
      return verify(tools, request)
    case 'compare':
      return compareBlobs(request, tools.memory, (fd, bytes, position) => writeBlob(tools.init, bytes, fd, position))
    case 'frame':
      return openWhole(tools, request)
  }
}

/** What changes hands with a reply. */
function buffersOf(reply: OpenReply): ArrayBuffer[] {
  if (reply.buffer === undefined) return []
  return reply.kind === 'frame' ? [reply.buffer, reply.into] : [reply.buffer]
}

function tryOpenFrame({ init, decompressor, memory }: Tools, bytes: Uint8Array, frame: FrameAt): Opened {
  try {
    return openFrame(init.repositoryId, frame.dataKey, frame, bytes.subarray(frame.at, frame.at + frame.storedBytes), decompressor, memory)
  } catch (error) {
    if (!isBackupError(error)) throw error
    return { code: DAMAGED, message: error.message }
  }
}

function restore(tools: Tools, request: RestoreRequest): OpenReply {
  const hash = keyedHash(request.blobIdKey)
  const frames = new Map<number, Opened>()
  const blobProblems = new Map<number, OpenProblem>()
  const fileProblems = new Map<number, OpenProblem>()
  const warnings = new Map<number, string>()

  const blobAt = (row: number): Opened => {
    const at = row * BLOB_COLUMNS
    const number = request.blobs[at]!
    const frame = frames.get(number) ?? tryOpenFrame(tools, request.bytes, request.frames[number]!)
    frames.set(number, frame)
    if (!(frame instanceof Uint8Array)) return frame
    const start = request.blobs[at + 1]!
    const blob = frame.subarray(start, start + request.blobs[at + 2]!)
    const isRight = equalBytes(hash(blob), request.ids.subarray(row * ID_BYTES, (row + 1) * ID_BYTES))
    return isRight ? blob : { code: DAMAGED, message: 'its bytes are not those of its id' }
  }

  const rows = request.blobs.length / BLOB_COLUMNS
  for (let row = 0; row < rows; ) {
    const fd = request.blobs[row * BLOB_COLUMNS + 3]!
    if (fd === NO_FD) {
      row++
      continue
    }
    // Neighbours of a frame that are neighbours in the file go in one write: two workers that
    // write to one file wait for each other at every call.
    const first = row
    const start = blobAt(row++)
    let run = start
    while (row < rows && run instanceof Uint8Array && isNext(request.blobs, row - 1, row)) {
      const blob = blobAt(row)
      if (!(blob instanceof Uint8Array)) break
      run = new Uint8Array(run.buffer, run.byteOffset, run.length + blob.length)
      row++
    }
    const problem = writeBlob(tools.init, run, fd, request.blobs[first * BLOB_COLUMNS + 4]!)
    if (problem !== undefined) for (let at = first; at < row; at++) blobProblems.set(at, problem)
  }
  const folders = folderCache(tools.init.targetFd)
  try {
    for (let i = 0; i < fileCount(request.files); i++) {
      const file = fileAt(request.files, i)
      const outcome = makeFile(tools.init, folders, request.folders[file.folder]!, file, blobAt)
      if (typeof outcome === 'string') warnings.set(i, outcome)
      else if (outcome !== undefined) fileProblems.set(i, outcome)
    }
  } finally {
    folders.close()
  }
  return { kind: 'restored', job: request.job, buffer: request.bytes.buffer, fileProblems, blobProblems, warnings }
}

/** Whether the blob of the second row follows that of the first, in its frame and in its file. */
function isNext(blobs: Float64Array, first: number, second: number): boolean {
  const a = first * BLOB_COLUMNS
  const b = second * BLOB_COLUMNS
  const length = blobs[a + 2]!
  return blobs[b] === blobs[a] && blobs[b + 1] === blobs[a + 1]! + length && blobs[b + 3] === blobs[a + 3] && blobs[b + 4] === blobs[a + 4]! + length
}

function systemProblem(error: unknown): OpenProblem {
  const code = error instanceof PosixError || (error instanceof Error && 'code' in error && 'syscall' in error) ? String((error as PosixError).code) : undefined
  if (code === undefined) throw error
  return { code, message: messageOf(error) }
}

function writeBlob(init: OpenInit, blob: Opened, fd: number, position: number): OpenProblem | undefined {
  if (!(blob instanceof Uint8Array)) return blob
  try {
    put(init, fd, blob, position)
    return undefined
  } catch (error) {
    return systemProblem(error)
  }
}

function put(init: OpenInit, fd: number, bytes: Uint8Array, position: number): void {
  if (init.sparse === true) pwriteSparse(fd, bytes, position)
  else pwrite(fd, bytes, 0, bytes.length, position)
}

/** A problem, a warning, or nothing at all. */
function makeFile(init: OpenInit, folders: FolderCache, folder: Uint8Array, file: WholeFile, blobAt: (row: number) => Opened): OpenProblem | string | undefined {
  // Every blob is looked at before the file is begun: a damaged one leaves no trace of it.
  const blobs: Uint8Array[] = []
  for (let row = file.firstBlob; row < file.firstBlob + file.blobCount; row++) {
    const blob = blobAt(row)
    if (!(blob instanceof Uint8Array)) return blob
    blobs.push(blob)
  }
  try {
    const { fd: dirFd, isSetgid } = folders.open(folder)
    const temporary = temporaryName()
    const fd = createTemporary(dirFd, temporary)
    let isNamed = false
    try {
      let position = 0
      for (const blob of blobs) {
        put(init, fd, blob, position)
        position += blob.length
      }
      if (init.sparse === true) setSize(fd, position)
      const warning = setAttributes(fd, isSetgid ? file.attributes : withoutOwnOwner(file.attributes))
      isNamed = giveName(dirFd, temporary, file.name, file.replaces)
      return isNamed ? warning : { code: NAME_TAKEN, message: 'something stands there' }
    } finally {
      close(fd)
      if (!isNamed) unlinkAtIfPresent(dirFd, temporary)
    }
  } catch (error) {
    return systemProblem(error)
  }
}

const ourUid = process.geteuid?.()
const ourGid = process.getegid?.()

/** What we make is ours already, unless the folder gives its group to what is made in it. */
function withoutOwnOwner(attributes: TargetAttributes): TargetAttributes {
  return attributes.uid === ourUid && attributes.gid === ourGid ? { ...attributes, uid: -1, gid: -1 } : attributes
}

function verify(tools: Tools, request: VerifyRequest): OpenReply {
  const { bytes } = request
  const packProblems: string[] = []
  const frameProblems = new Map<number, string>()
  const pack = tools.packs.get(request.pack) ?? beginPack(bytes)
  tools.packs.set(request.pack, pack)
  pack.hash.update(bytes)
  const hashes = { data: keyedHash(request.blobIdKeys.data), tree: keyedHash(request.blobIdKeys.tree) }
  const view = dataView(request.records)
  let record = 0
  for (const [number, frame] of request.frames.entries()) {
    const end = record + request.blobCounts[number]! * BLOB_RECORD_BYTES
    const opened = tryOpenFrame(tools, bytes, frame)
    const problem = opened instanceof Uint8Array ? wrongBlob(hashes[frame.blobType], opened, request.records, view, record, end) : opened.message
    if (problem !== undefined) frameProblems.set(number, problem)
    tools.memory.reset()
    record = end
  }
  if (request.end !== undefined) {
    tools.packs.delete(request.pack)
    if (toHex(pack.hash.digest()) !== request.end.packId) packProblems.push('its bytes are not those that gave it its name')
    try {
      requireSameDirectory(pack, bytes, request.end)
    } catch (error) {
      packProblems.push(messageOf(error))
    }
  }
  return { kind: 'verified', job: request.job, buffer: bytes.buffer as ArrayBuffer, packProblems, frameProblems }
}

/** A pack of which a part has come. */
interface BegunPack {
  readonly hash: RunningHash
  /** Header and envelopes, or why they cannot be had. */
  readonly header: Uint8Array | Error
}

function beginPack(bytes: Uint8Array): BegunPack {
  try {
    return { hash: runningSha256(), header: decodePackHeader(bytes, 'it').headerBytes.slice() }
  } catch (error) {
    if (!isBackupError(error)) throw error
    return { hash: runningSha256(), header: error }
  }
}

function wrongBlob(hash: KeyedHash, frame: Uint8Array, records: Uint8Array, view: DataView, from: number, to: number): string | undefined {
  let at = 0
  for (let record = from; record < to; record += BLOB_RECORD_BYTES) {
    const end = at + view.getUint32(record + ID_BYTES, true)
    const id = records.subarray(record, record + ID_BYTES)
    if (!equalBytes(hash(frame.subarray(at, end)), id)) return `blob ${toHex(id).slice(0, 16)} has other bytes than its id says`
    at = end
  }
  return undefined
}

/**
 * The pack must say of itself what the index says of it.
 * @param tail - the last stretch of the pack
 */
function requireSameDirectory(pack: BegunPack, tail: Uint8Array, stated: PackStatement): void {
  const what = `pack ${stated.packId.slice(0, 16)}`
  if (pack.header instanceof Error) throw pack.header
  const length = decodeTrailer(tail.subarray(-TRAILER_BYTES), stated.sizeBytes, what)
  if (length + TRAILER_BYTES > tail.length) throw new BackupError('CORRUPT', `${what} states a directory that would lie over its frames`)
  const sealed = tail.subarray(tail.length - TRAILER_BYTES - length, tail.length - TRAILER_BYTES)
  const own = openPackDirectory(pack.header, stated.directory, sealed, what)
  if (!equalBytes(own.blobs, stated.records) || !equalBytes(encodeFrames(own.frames), encodeFrames(stated.frames))) {
    throw new BackupError('CORRUPT', 'its directory and the index do not agree')
  }
}
