/** The local cache as a whole: it may be cleared at any time and costs only time. */
import { type CacheEntry, cacheEntries, clearCacheEntry } from '../repository/catalogue/cache-folder.ts'

export type { CacheEntry } from '../repository/catalogue/cache-folder.ts'

export interface CacheInfo {
  readonly folder: string
  readonly repositories: readonly CacheEntry[]
}

export async function cacheInfo(folder: string): Promise<CacheInfo> {
  return { folder, repositories: await cacheEntries(folder) }
}

export interface ClearedCache {
  /** Catalogues that are gone. */
  readonly removed: number
  /** Catalogues that somebody has open: they were left. */
  readonly inUse: number
  /** Tree frames that are gone. */
  readonly frames: number
}

/**
 * Removes catalogues, frames and nothing else: what this machine remembers of its last snapshots stays, since
 * no repository can tell it again.
 * @param repositoryId - only this repository's; by default all
 */
export async function clearCache(folder: string, repositoryId?: string): Promise<ClearedCache> {
  let removed = 0
  let inUse = 0
  let frames = 0
  for (const entry of await cacheEntries(folder)) {
    if (repositoryId !== undefined && entry.repositoryId !== repositoryId) continue
    const cleared = await clearCacheEntry(folder, entry.repositoryId)
    removed += cleared.removed
    inUse += cleared.inUse
    frames += cleared.frames
  }
  return { removed, inUse, frames }
}
