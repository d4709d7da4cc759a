/**
 * Folders with those above them. Node's own recursive mkdir tries for ever where a folder takes none,
 * as below /proc or a link that leads nowhere.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../util/errors.ts'

/**
 * @param mode - of the folders that are made
 * @throws system errors as they come; what stands there already, be it a folder or not, is none
 */
export async function makeFolders(path: string, mode = 0o777): Promise<void> {
  if (await tryMake(path, mode)) return
  const above = dirname(path)
  if (above !== path) await makeFolders(above, mode)
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
}

/** False when what is above it is missing. */
async function tryMake(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    if (errnoOf(error) !== 'EEXIST') throw error
  }
  return true
}

/** Whether the folder has been made before. */
export function isMade(path: string): boolean {
  return existsSync(path)
}
