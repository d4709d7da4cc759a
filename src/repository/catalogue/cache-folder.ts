/** The folder of all repositories' catalogues: what is in it, and taking it away. */
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { errnoOf } from '../../util/errors.ts'

export interface CacheEntry {
  readonly repositoryId: string
  readonly bytes: number
  readonly catalogues: number
}

const REPOSITORY_ID = /^[0-9a-f]{32}$/
const CATALOGUE = /^catalogue-\d+$/
/** Tells other backup programs that nothing here is worth keeping (bford.info/cachedir). */
const CACHEDIR_TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds catalogues of nacre repositories; they can be made again.\n'

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}

export async function tagCacheFolder(folder: string): Promise<void> {
  await writeFile(join(folder, 'CACHEDIR.TAG'), CACHEDIR_TAG, { flag: 'wx' }).catch(() => undefined)
}

export async function cacheEntries(folder: string): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = []
  for (const repositoryId of (await names(folder)).filter((name) => REPOSITORY_ID.test(name))) {
    const catalogues = (await names(join(folder, repositoryId))).filter((name) => CATALOGUE.test(name))
    let bytes = 0
    for (const catalogue of catalogues) {
      for (const file of await names(join(folder, repositoryId, catalogue))) bytes += (await stat(join(folder, repositoryId, catalogue, file)).catch(() => ({ size: 0 }))).size
    }
    entries.push({ repositoryId, bytes, catalogues: catalogues.length })
  }
  return entries
}

/** Takes away a repository's catalogues, those aside that another process has open. */
export async function clearCacheEntry(folder: string, repositoryId: string): Promise<{ removed: number; inUse: number }> {
  let removed = 0
  let inUse = 0
  const base = join(folder, repositoryId)
  for (const name of (await names(base)).filter((entry) => CATALOGUE.test(entry))) {
    if (await isInUse(join(base, name))) {
      inUse++
      continue
    }
    await rm(join(base, name), { recursive: true, force: true })
    removed++
  }
  if (inUse === 0) await rm(base, { recursive: true, force: true })
  return { removed, inUse }
}

async function isInUse(path: string): Promise<boolean> {
  const db = new Level(path, { createIfMissing: false })
  try {
    await db.open()
    return false
  } catch (error) {
    return errnoOf(error instanceof Error ? error.cause : undefined) === 'LEVEL_LOCKED'
  } finally {
    await db.close().catch(() => undefined)
  }
}
