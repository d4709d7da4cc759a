/**
 * Whole files written and read: the part of the local backend that knows how many bytes a system
 * call may move, and that a temporary file never outlives the call that made it.
 */
import { constants } from 'node:fs'
import { lstat, open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'

import { BackupError, throwIfAborted } from '../util/errors.ts'
import { unlessErrno } from './local-error.ts'
import { rangeWithin, truncated } from './range.ts'
import type { ByteRange, LoadOptions } from './backend.ts'

/** Linux moves at most 2 GiB − 4 KiB in a call. Below that, a call is also what an abort waits for. */
const bytesPerWrite = 64 * 1024 * 1024
const bytesPerRead = 1024 * 1024 * 1024
/** IOV_MAX of Linux and macOS. */
const partsPerWrite = 1024

/**
 * Writes the parts to a new synced file that nobody may change, calls `use` while it stands, and
 * takes it away, whatever happens. A failed sync is not tried again: the file is thrown away.
 */
export async function withTemporaryFile<T>(
  path: string,
  parts: readonly Uint8Array[],
  signal: AbortSignal | undefined,
  use: () => Promise<T>,
): Promise<T> {
  // Mode 0400 binds those who open it later, not this handle. O_EXCL also refuses a symbolic link.
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o400)
  try {
    try {
      await writeAll(handle, parts, signal)
      await handle.sync()
    } finally {
      await handle.close()
    }
    throwIfAborted(signal)
    const result = await use()
    await unlessErrno(['ENOENT'], () => unlink(path))
    return result
  } catch (error) {
    // What went wrong first is what the caller must know; a file that stays is only litter.
    await unlink(path).catch(() => undefined)
    throw error
  }
}

/**
 * The range of a regular file, in memory that can be transferred.
 * @throws {BackupError} BACKEND_TRUNCATED, BACKEND_FAILED; system errors as they come
 */
export async function readRange(
  path: string,
  range: ByteRange | undefined,
  { key, signal, memory }: { key: string; signal: AbortSignal | undefined; memory?: LoadOptions['memory'] },
): Promise<Uint8Array> {
  // O_NONBLOCK: opening a pipe that somebody put there must not wait for a writer for ever.
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await handle.stat()
    if (!stats.isFile()) throw notRegular(key)
    const { offset, length } = rangeWithin(range, stats.size, key)
    const bytes = memory?.take(length) ?? new Uint8Array(length)
    for (let done = 0; done < length; ) {
      throwIfAborted(signal)
      const wanted = Math.min(length - done, bytesPerRead)
      const { bytesRead } = await handle.read(bytes, done, wanted, offset + done)
      if (bytesRead === 0) throw truncated(key, offset + length, offset + done)
      done += bytesRead
    }
    return bytes
  } finally {
    await handle.close()
  }
}

/** The size of a regular file, or undefined when nothing stands there. */
export async function sizeOf(path: string, key: string): Promise<number | undefined> {
  const stats = await unlessErrno(['ENOENT'], () => lstat(path))
  if (stats && !stats.isFile()) throw notRegular(key)
  return stats?.size
}

/** Whether the other name leads to the same file; false when it has gone meanwhile. */
export async function isSameFile(path: string, other: string): Promise<boolean> {
  const first = await lstat(path, { bigint: true })
  const second = await unlessErrno(['ENOENT'], () => lstat(other, { bigint: true }))
  return first.dev === second?.dev && first.ino === second.ino
}

async function writeAll(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let rest = parts.filter((part) => part.length > 0)
  while (rest.length > 0) {
    throwIfAborted(signal)
    const { bytesWritten } = await handle.writev(firstOf(rest))
    if (bytesWritten === 0) throw new BackupError('BACKEND_FAILED', 'the file system accepts no more bytes')
    rest = after(rest, bytesWritten)
  }
}

/** As many parts as one call takes. */
function firstOf(parts: readonly Uint8Array[]): Uint8Array[] {
  const first: Uint8Array[] = []
  let room = bytesPerWrite
  for (const part of parts) {
    if (first.length === partsPerWrite || room === 0) break
    const piece = part.subarray(0, room)
    first.push(piece)
    room -= piece.length
  }
  return first
}

function after(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let at = 0
  let left = count
  for (let part = parts[at]; part && left >= part.length; part = parts[at]) {
    left -= part.length
    at += 1
  }
  const rest = parts.slice(at)
  const cut = rest[0]
  if (cut && left > 0) rest[0] = cut.subarray(left)
  return rest
}

function notRegular(key: string): BackupError {
  return new BackupError('BACKEND_FAILED', `${key} is not a regular file`, { path: key })
}
