/** Trying a place, with what this machine has noted of it before, and noting what is found now. */
import { join } from 'node:path'
import type { Backend } from '../backend/backend.ts'
import { probeBackend, type ProbeReport } from '../backend/probe.ts'
import { readProbeRecord, type ProbeRecord, removeProbeRecord, writeProbeRecord } from '../repository/catalogue/probe-record.ts'
import { repositoryIdAt } from '../repository/repository.ts'
import { nowNs } from '../util/clock.ts'
import { formatTime } from '../util/time-text.ts'

export interface PlaceReport extends ProbeReport {
  /** What was noted when this way was tried last and found good; undefined where it was not, or where there is no repository. */
  readonly before: ProbeRecord | undefined
}

/**
 * @param cacheFolder - of all repositories
 * @throws {BackupError} what the backend throws: a storage that cannot be written to at all
 */
export async function probePlace(backend: Backend, { cacheFolder, signal }: { readonly cacheFolder: string; readonly signal?: AbortSignal | undefined }): Promise<PlaceReport> {
  const id = await repositoryIdAt(backend, signal)
  const folder = id === undefined ? undefined : join(cacheFolder, id)
  const before = folder === undefined ? undefined : await readProbeRecord(folder, backend.location)
  const report = await probeBackend(backend, { signal })
  if (folder !== undefined && report.problems.length > 0) await removeProbeRecord(folder, backend.location)
  else if (folder !== undefined) await writeProbeRecord(folder, { location: backend.location, unguarded: report.unguarded ?? null, time: formatTime(nowNs(), 0) })
  return { ...report, before }
}
