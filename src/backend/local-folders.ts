/**
 * The folders of a local repository and their durability. A file's name lasts through a power cut
 * only once the folder that holds it is synced, and so on up to the root; a folder that another
 * process made a moment ago may not be there yet in that sense, so each folder's own name is synced
 * once per process, whoever made it.
 *
 * The root is known by its device and inode: a mount that went away leaves an empty folder of the
 * same path, and taking that for an empty repository would be the worst of mistakes.
 */
import { constants } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { BackupError } from '../util/errors.ts'
import { flushBarrier } from './barrier.ts'
import { unlessErrno } from './local-error.ts'
import { onceEach, parentOf } from './folder-names.ts'

/** Folders are given relative to the root, which is `''` itself. */
export interface LocalFolders {
  /** Makes the folder where it is missing, and its name durable. */
  make(folder: string): Promise<void>
  /** Makes the name of an existing folder durable. */
  anchor(folder: string): Promise<void>
  /** Makes what stands in the folder at the time of the call durable. */
  sync(folder: string): Promise<void>
  /** @throws {BackupError} BACKEND_FAILED when another folder, or none, stands at the root's path now */
  confirmRoot(): Promise<void>
}

export async function openLocalFolders(root: string): Promise<LocalFolders> {
  const identity = await identityOf(root)
  const made = onceEach(makeFolder)
  const anchored = onceEach(anchorFolder)
  const poisoned = new Map<string, unknown>()
  const sync = flushBarrier(flush)
  return { make: made, anchor: anchored, sync, confirmRoot }

  async function makeFolder(folder: string): Promise<void> {
    if (folder === '') return
    await made(parentOf(folder))
    await unlessErrno(['EEXIST'], () => mkdir(join(root, folder), 0o700))
    await anchored(folder)
  }

  async function anchorFolder(folder: string): Promise<void> {
    if (folder === '') return
    await anchored(parentOf(folder))
    await sync(parentOf(folder))
  }

  /**
   * A flush that failed may have dropped what it should have written, and a later one would succeed
   * without it. So a failure stands for as long as the backend is open.
   */
  async function flush(folder: string): Promise<void> {
    if (poisoned.has(folder)) throw poisoned.get(folder)
    await syncFolder(join(root, folder), (error) => poisoned.set(folder, error))
  }

  async function confirmRoot(): Promise<void> {
    const now = await unlessErrno(['ENOENT', 'ENOTDIR'], () => identityOf(root))
    if (now === identity) return
    const found = now === undefined ? 'it is gone' : 'another folder stands there now'
    throw new BackupError('BACKEND_FAILED', `the folder ${root} was replaced while in use: ${found}`, { path: root })
  }
}

/**
 * Syncs one folder. File systems that have no such thing for folders say EINVAL or ENOTSUP, and
 * EROFS has nothing to sync: there is no more to be had from them.
 */
export async function syncFolder(path: string, onFailure?: (error: unknown) => void): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await unlessErrno(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EROFS'], () => handle.sync())
  } catch (error) {
    onFailure?.(error)
    throw error
  } finally {
    await handle.close()
  }
}

async function identityOf(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true })
  return `${dev}:${ino}`
}
