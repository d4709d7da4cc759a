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

/** Nothing but folders of repositories is touched. */
export async function clearCache(folder: string): Promise<{ removed: number; inUse: number }> {
  let removed = 0
  let inUse = 0
  for (const { repositoryId } of await cacheEntries(folder)) {
    const cleared = await clearCacheEntry(folder, repositoryId)
    removed += cleared.removed
    inUse += cleared.inUse
  }
  return { removed, inUse }
}
