/**
 * What the backend asks of a server in more than one request: files that are new and synced, names
 * that are given once, folders that are read whole.
 */
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import type { CreateResult } from '../backend.ts'
import type { SftpClient } from './client.ts'
import type { NamedEntry } from './replies.ts'
import { isStatus, STATUS, unlessStatus } from './status.ts'
import { writeParts } from './transfer.ts'
import { OPEN_NEW, OPEN_READ } from './wire.ts'

const FILE_MODE = 0o400
const FOLDER_MODE = 0o700

/** More names than a folder of a repository can hold. */
const NAMES_LIMIT = 4_000_000

export const HARDLINK = 'hardlink@openssh.com'
const FSYNC = 'fsync@openssh.com'
const STATVFS = 'statvfs@openssh.com'

/** Makes the file anew, with these bytes, as durable as the server can. Throws with the file gone. */
export async function writeNewFile(client: SftpClient, path: string, parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<void> {
  const handle = await client.handle({ kind: 'open', path, flags: OPEN_NEW, mode: FILE_MODE }).catch(async (error: unknown) => {
    throw await whenFull(client, path, 1, error)
  })
  let isClosed = false
  try {
    await writeParts(client, handle, parts, signal)
    if (client.extensions.has(FSYNC)) await client.done({ kind: 'fsync', handle })
    isClosed = true
    // Some servers store the file only now, so this may fail as well.
    await client.done({ kind: 'close', handle })
    throwIfAborted(signal)
  } catch (error) {
    const told = await whenFull(client, path, parts.reduce((sum, part) => sum + part.length, 0), error)
    if (!isClosed) closeQuietly(client, handle)
    await removeQuietly(client, path)
    throw told
  }
}

/** Gives the file another name instead that nobody has; of any number of racers one gets `created`. */
export async function linkNew(client: SftpClient, path: string, newPath: string): Promise<CreateResult> {
  try {
    return await link(client, path, newPath)
  } finally {
    await removeQuietly(client, path)
  }
}

async function link(client: SftpClient, path: string, newPath: string): Promise<CreateResult> {
  try {
    await client.done({ kind: 'hardlink', path, newPath })
    return 'created'
  } catch (error) {
    // The protocol has no word for "it is there": look.
    if (isStatus(error, STATUS.failure) && (await exists(client, newPath))) return 'exists'
    const told = await whenFull(client, newPath, 1, error)
    if (!isStatus(told, STATUS.failure, STATUS.permissionDenied, STATUS.unsupported)) throw told
    throw new BackupError('BACKEND_FAILED', `the server refuses a hard link (${told.message}): its file system may have none, and without them nacre cannot create an object without the danger of overwriting another`, { cause: error, path: newPath })
  }
}

/** Where there are no links. Who creates the same name at the same time may overwrite, and be overwritten. */
export async function renameNew(client: SftpClient, path: string, newPath: string): Promise<CreateResult> {
  try {
    if (!(await exists(client, newPath))) {
      await client.done({ kind: 'rename', path, newPath })
      // The old name is left alone: a server that remembers it might remove the file under its new one.
      return 'created'
    }
  } catch (error) {
    if (!isStatus(error, STATUS.failure, STATUS.permissionDenied) || !(await exists(client, newPath))) {
      await removeQuietly(client, path)
      throw error
    }
  }
  await removeQuietly(client, path)
  return 'exists'
}

export async function removeQuietly(client: SftpClient, path: string): Promise<void> {
  // What went wrong first is what the caller must know; a file that stays is only litter.
  await client.done({ kind: 'remove', path }).catch(() => undefined)
}

export async function makeFolder(client: SftpClient, path: string): Promise<void> {
  try {
    await client.done({ kind: 'mkdir', path, mode: FOLDER_MODE })
  } catch (error) {
    if (!isStatus(error, STATUS.failure) || (await unlessStatus([STATUS.noSuchFile], () => client.attributes({ kind: 'stat', path }))) === undefined) throw await whenFull(client, path, 1, error)
  }
}

/**
 * Makes the names in a folder durable, where the server lets a folder be opened as a file, as OpenSSH
 * does on Unix. Elsewhere there is no more to be had.
 */
export async function syncFolder(client: SftpClient, path: string, onFailure?: (error: unknown) => void): Promise<void> {
  if (!client.extensions.has(FSYNC)) return
  const handle = await unlessStatus([STATUS.failure, STATUS.permissionDenied, STATUS.unsupported], () => client.handle({ kind: 'open', path, flags: OPEN_READ }))
  if (handle === undefined) return
  try {
    // EINVAL of a file system that knows no such thing for folders comes as a bad message.
    await unlessStatus([STATUS.badMessage, STATUS.unsupported], () => client.done({ kind: 'fsync', handle }))
  } catch (error) {
    onFailure?.(error)
    throw error
  } finally {
    closeQuietly(client, handle)
  }
}

/** All entries of a folder but `.` and `..`, each once; undefined when there is no such folder. */
export async function readFolder(client: SftpClient, path: string, signal: AbortSignal | undefined): Promise<NamedEntry[] | undefined> {
  const handle = await unlessStatus([STATUS.noSuchFile], () => client.handle({ kind: 'opendir', path }))
  if (handle === undefined) return undefined
  const entries = new Map<string, NamedEntry>()
  try {
    for (let isEnd = false; !isEnd; ) {
      throwIfAborted(signal)
      // Two at once: most folders end with the second.
      const answers = await Promise.all([0, 1].map(() => unlessStatus([STATUS.eof], () => client.entries({ kind: 'readdir', handle }))))
      for (const answer of answers) for (const entry of answer ?? []) entries.set(entry.name, entry)
      isEnd = answers.includes(undefined)
      if (entries.size > NAMES_LIMIT) throw new BackupError('BACKEND_FAILED', `the server lists more than ${NAMES_LIMIT} names in one folder`, { path })
    }
  } finally {
    closeQuietly(client, handle)
  }
  entries.delete('.')
  entries.delete('..')
  return [...entries.values()]
}

/** Nobody waits for it: what was read is there, and what fails now changes nothing. */
export function closeQuietly(client: SftpClient, handle: Uint8Array): void {
  void client.done({ kind: 'close', handle }).catch(() => undefined)
}

export async function exists(client: SftpClient, path: string): Promise<boolean> {
  return (await unlessStatus([STATUS.noSuchFile], () => client.attributes({ kind: 'lstat', path }))) !== undefined
}

/**
 * OpenSSH says no more than "failure" when a disk is full: ask for the room that is left there.
 * @param bytes - that were to be stored
 */
async function whenFull(client: SftpClient, path: string, bytes: number, error: unknown): Promise<unknown> {
  if (!isStatus(error, STATUS.failure) || !client.extensions.has(STATVFS)) return error
  const folder = path.slice(0, Math.max(1, path.lastIndexOf('/')))
  const [, blockBytes, , , freeBlocks, files, , freeFiles] = await client.numbers({ kind: 'statvfs', path: path.includes('/') ? folder : '.' }).catch(() => [])
  if (blockBytes === undefined || freeBlocks === undefined) return error
  // Some file systems count no files.
  if (blockBytes * freeBlocks >= BigInt(bytes) && (freeFiles !== 0n || files === 0n)) return error
  return new BackupError('BACKEND_FULL', 'the disk of the server is full', { cause: error, path })
}
