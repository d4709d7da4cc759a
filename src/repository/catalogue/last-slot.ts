/**
 * Which key slot opened a repository last, by its location: it is asked for at once, instead of a list
 * of slots and then each of them. Only its name is kept, which tells nothing; the slot itself is read
 * from the repository every time, so one that was removed opens nothing.
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../crypto/hash.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { isRepositoryFolder, slotsFolder } from './cache-folder.ts'
import { makeFolders } from './make-folders.ts'

const SLOT_ID = /^[0-9a-f]{64}$/

export interface LastSlot {
  readonly slotId: string
  /** Of the repository that was at the location then. */
  readonly repositoryId: string
}

/** @param cacheFolder - of all repositories: which of them is at the location is not known yet */
export async function lastSlot(cacheFolder: string, location: string): Promise<LastSlot | undefined> {
  for (const repositoryId of await readdir(cacheFolder).catch(() => [])) {
    if (!isRepositoryFolder(repositoryId)) continue
    const slotId = await readFile(join(slotsFolder(join(cacheFolder, repositoryId)), fileOf(location)), 'latin1').catch(() => '')
    if (SLOT_ID.test(slotId)) return { slotId, repositoryId }
  }
  return undefined
}

/** Another repository is there now. */
export async function forgetSlot(cacheFolder: string, location: string, { repositoryId }: LastSlot): Promise<void> {
  await rm(join(slotsFolder(join(cacheFolder, repositoryId)), fileOf(location)), { force: true }).catch(() => undefined)
}

/**
 * A cache that takes no file only costs a request more the next time.
 * @param folder - of this repository
 */
export async function rememberSlot(folder: string, location: string, slotId: string): Promise<void> {
  const path = slotsFolder(folder)
  await makeFolders(path, 0o700).then(() => writeFile(join(path, fileOf(location)), slotId, { mode: 0o600 })).catch(() => undefined)
}

function fileOf(location: string): string {
  return toHex(sha256(utf8(location))).slice(0, 32)
}
