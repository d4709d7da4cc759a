/**
 * Each way of reaching a repository is tried before the first commit that goes by it. What was found is
 * noted in the cache.
 */
import { requireSuitable } from '../../backend/probe.ts'
import { nowNs } from '../../util/clock.ts'
import { formatTime } from '../../util/time-text.ts'
import { readProbeRecord, writeProbeRecord } from './probe-record.ts'
import type { Repository } from '../repository.ts'

/** @throws {BackupError} BACKEND_UNSUITABLE */
export async function probeOnce(repository: Repository, signal?: AbortSignal): Promise<void> {
  const { backend, cacheFolder } = repository
  if ((await readProbeRecord(cacheFolder, backend.location)) !== undefined) return
  const { leftBehind, unguarded, location } = await requireSuitable(backend, { signal })
  if (leftBehind !== undefined) repository.notice(`objects that were made to try the storage stay in probes/ (${leftBehind}); they do no harm`)
  if (repository.config.objectLock !== undefined && repository.backend.lockOf === undefined) repository.notice('this storage has no Object Lock: what is stored here is not locked, unlike in the bucket that the repository was made in')
  if (unguarded !== undefined) repository.notice(`${unguarded}: backups need nothing more, and prune will ask for --exclusive`)
  await writeProbeRecord(cacheFolder, { location, unguarded: unguarded ?? null, time: formatTime(nowNs(), 0) })
}
