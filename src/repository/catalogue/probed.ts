/**
 * Each way of reaching a repository is tried before the first commit that goes by it: another mount
 * or gateway of the same storage may keep other promises. What was found is remembered in the cache.
 */
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { requireSuitable } from '../../backend/probe.ts'
import { sha256 } from '../../crypto/hash.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { makeFolders } from './make-folders.ts'
import type { Repository } from '../repository.ts'

/** @throws {BackupError} BACKEND_UNSUITABLE */
export async function probeOnce(repository: Repository, signal?: AbortSignal): Promise<void> {
  const folder = join(repository.cacheFolder, 'probed')
  const mark = join(folder, toHex(sha256(utf8(repository.backend.location))).slice(0, 32))
  if ((await stat(mark).catch(() => undefined)) !== undefined) return
  const { leftBehind, unguarded, location } = await requireSuitable(repository.backend, { signal })
  if (leftBehind !== undefined) repository.notice(`objects that were made to try the storage stay in probes/ (${leftBehind}); they do no harm`)
  if (repository.config.objectLock !== undefined && repository.backend.lockOf === undefined) repository.notice('this storage has no Object Lock: what is stored here is not locked, unlike in the bucket that the repository was made in')
  if (unguarded !== undefined) repository.notice(`${unguarded}: backups need nothing more, and prune will ask for --exclusive`)
  // A cache that takes no file still serves: it is tried again next time.
  await makeFolders(folder, 0o700).then(() => writeFile(mark, `${JSON.stringify({ location, unguarded: unguarded ?? null })}\n`, { mode: 0o600 })).catch(() => undefined)
}
