/**
 * The folder of all repositories' caches: what is in it, and taking it away. Only what nacre has
 * made is touched: folders that are named like a repository and, in them, frames, and catalogues that
 * nobody has open. LevelDB itself takes these away, under the lock that every user of a catalogue holds.
 */
import { lstat, readdir, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Level } from 'level'
import { BackupError, errnoOf, messageOf } from '../../util/errors.ts'
import { filesBelow } from './take-oldest.ts'

export interface CacheEntry {
  readonly repositoryId: string
  /** Of all that is kept. */
  readonly bytes: number
  readonly catalogues: number
  /** Tree frames of a repository that is far away. */
  readonly frames: number
  readonly frameBytes: number
}

const REPOSITORY_ID = /^[0-9a-f]{32}$/
const CATALOGUE = /^catalogue-\d+$/
const FRAMES = 'frames'
const SLOTS = 'slots'
const TAG = 'CACHEDIR.TAG'
/** Tells other backup programs that nothing here is worth keeping (bford.info/cachedir). */
const CACHEDIR_TAG = 'Signature: 8a477f597d28d172789f06886806bc55\n# This folder holds catalogues of nacre repositories; they can be made again.\n'

/** @param folder - of one repository */
export function framesFolder(folder: string): string {
  return join(folder, FRAMES)
}

export function slotsFolder(folder: string): string {
  return join(folder, SLOTS)
}

export function isRepositoryFolder(name: string): boolean {
  return REPOSITORY_ID.test(name)
}

/** Names in the folder; none when there is no such folder. */
async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw new BackupError('BACKEND_FAILED', `the cache folder ${folder} cannot be read: ${messageOf(error)}`, { cause: error, path: folder })
  }
}

/** A link is none: what it points to is somebody else's. */
async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true
}

async function foldersIn(folder: string, pattern: RegExp): Promise<string[]> {
  const found: string[] = []
  for (const name of (await names(folder)).filter((entry) => pattern.test(entry)).sort()) {
    if (await isFolder(join(folder, name))) found.push(name)
  }
  return found
}

/**
 * Marks the folder as a cache. One that holds anything else is left alone: a home that was named as
 * the cache folder must not vanish from the backups of every program that knows the mark.
 */
export async function tagCacheFolder(folder: string): Promise<void> {
  const found = await names(folder)
  if (!found.every((name) => REPOSITORY_ID.test(name))) return
  // The mark is a courtesy: a folder that takes no file still serves.
  await writeFile(join(folder, TAG), CACHEDIR_TAG, { flag: 'wx', mode: 0o600 }).catch(() => undefined)
}

export async function cacheEntries(folder: string): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = []
  for (const repositoryId of await foldersIn(folder, REPOSITORY_ID)) {
    const base = join(folder, repositoryId)
    const catalogues = await foldersIn(base, CATALOGUE)
    const { frames, frameBytes } = await framesIn(base)
    if (catalogues.length === 0 && frames === 0) continue
    let bytes = frameBytes
    for (const catalogue of catalogues) {
      for (const file of await names(join(base, catalogue))) bytes += (await stat(join(base, catalogue, file)).catch(() => ({ size: 0 }))).size
    }
    entries.push({ repositoryId, bytes, catalogues: catalogues.length, frames, frameBytes })
  }
  return entries
}

async function framesIn(base: string): Promise<{ frames: number; frameBytes: number }> {
  let frames = 0
  let frameBytes = 0
  for await (const { bytes } of filesBelow(framesFolder(base))) {
    frames++
    frameBytes += bytes
  }
  return { frames, frameBytes }
}

/** Takes away a repository's frames and catalogues, those aside that somebody has open. */
export async function clearCacheEntry(folder: string, repositoryId: string): Promise<{ removed: number; inUse: number; frames: number }> {
  const base = join(folder, repositoryId)
  if (!REPOSITORY_ID.test(repositoryId) || !(await isFolder(base))) return { removed: 0, inUse: 0, frames: 0 }
  const { frames } = await framesIn(base)
  // Who is about to read one of them fetches it.
  for (const cleared of [framesFolder(base), slotsFolder(base)]) await removeAll(cleared)
  let removed = 0
  let inUse = 0
  for (const name of await foldersIn(base, CATALOGUE)) {
    if (await destroyUnlessInUse(join(base, name))) removed++
    else inUse++
  }
  await removeIfEmpty(base)
  return { removed, inUse, frames }
}

async function removeAll(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw new BackupError('BACKEND_FAILED', `the cache in ${path} cannot be removed: ${messageOf(error)}`, { cause: error, path })
  }
}

/** The types of `level` leave it out, because browsers have none. */
// Loaded only here: every command would pay for it otherwise, before the password is asked.
async function loadLevel(): Promise<typeof Level & { destroy(location: string): Promise<void> }> {
  return (await import('level')).Level as typeof Level & { destroy(location: string): Promise<void> }
}

/** Whether it is gone. */
async function destroyUnlessInUse(path: string): Promise<boolean> {
  try {
    await (await loadLevel()).destroy(path)
  } catch (error) {
    if (errnoOf(error) === 'LEVEL_LOCKED') return false
    throw new BackupError('BACKEND_FAILED', `the catalogue ${path} cannot be removed: ${messageOf(error)}`, { cause: error, path })
  }
  // What LevelDB does not know as its own stays behind; whoever opens it now begins with nothing.
  if ((await names(path)).length > 0 && (await isInUse(path))) return false
  await rm(path, { recursive: true, force: true })
  return true
}

async function isInUse(path: string): Promise<boolean> {
  const level = await loadLevel()
  const db = new level(path, { createIfMissing: false })
  try {
    await db.open()
    return false
  } catch (error) {
    return errnoOf(error instanceof Error ? error.cause : undefined) === 'LEVEL_LOCKED'
  } finally {
    await db.close().catch(() => undefined)
  }
}

/** Somebody may have begun a new catalogue in it meanwhile. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error
  }
}
