/**
 * The folders of a repository on a server, and their durability: as with a local folder each folder's
 * own name is synced once in a process, whoever made it.
 *
 * A protocol without inodes cannot tell that another folder stands at the root's path. What has been
 * seen there and is gone later tells it: the config, and each folder that was used.
 */
import { BackupError } from '../../util/errors.ts'
import { flushBarrier } from '../barrier.ts'
import type { SftpClient } from './client.ts'
import { exists, makeFolder, syncFolder } from './server-files.ts'
import { onceEach, parentOf } from '../folder-names.ts'

/** Folders are given relative to the root, which is `''` itself. */
export interface ServerFolders {
  path(key: string): string
  /** Makes the folder where it is missing, and its name durable. */
  make(folder: string): Promise<void>
  /** Makes the name of an existing folder durable. */
  anchor(folder: string): Promise<void>
  /** Makes what stands in the folder at the time of the call durable. */
  sync(folder: string): Promise<void>
  /** @throws {BackupError} BACKEND_FAILED - what was there once is gone: nothing can be said to be absent */
  confirmRoot(): Promise<void>
}

export interface ServerRoot {
  readonly root: string
  readonly location: string
  readonly hasConfig: boolean
  connect(): Promise<SftpClient>
}

export function serverFolders({ root, location, hasConfig, connect }: ServerRoot): ServerFolders {
  const made = onceEach(makeOne)
  const anchored = onceEach(anchorOne)
  const poisoned = new Map<string, unknown>()
  const sync = flushBarrier(flush)
  let isUsed = false
  return { path, make: made, anchor: anchored, sync, confirmRoot }

  function path(key: string): string {
    if (key === '') return root
    return root === '/' ? `/${key}` : `${root}/${key}`
  }

  async function makeOne(folder: string): Promise<void> {
    if (folder === '') return
    await made(parentOf(folder))
    await makeFolder(await connect(), path(folder))
    isUsed = true
    await anchored(folder)
  }

  async function anchorOne(folder: string): Promise<void> {
    if (folder === '') return
    await anchored(parentOf(folder))
    await sync(parentOf(folder))
  }

  /** A flush that failed may have dropped what it should have written, and a later one would succeed without it. */
  async function flush(folder: string): Promise<void> {
    if (poisoned.has(folder)) throw poisoned.get(folder)
    const client = await connect()
    await syncFolder(client, path(folder), (error) => {
      if (client.isOpen) poisoned.set(folder, error)
    })
  }

  async function confirmRoot(): Promise<void> {
    const client = await connect()
    const gone = hasConfig ? !(await exists(client, path('config'))) : isUsed && !(await exists(client, root))
    if (gone) throw new BackupError('BACKEND_FAILED', `the folder ${location} was replaced while in use: what was there is gone`, { path: location })
  }
}
