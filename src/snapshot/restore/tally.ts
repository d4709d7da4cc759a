/** What has come of a restore so far, counted in one place and told as it happens. */
import { sha256 } from '../../crypto/hash.ts'
import { IdSet } from '../../util/id-set.ts'
import type { PlannedAction, RestoreEvent, RestoreOptions, RestoreProblem, RestoreResult } from './types.ts'

export interface Tally {
  /** Only now its bytes count as restored. The path is asked for only where there is something to say of it. */
  fileDone(sizeBytes: number, path: () => Uint8Array, warning: string | undefined): void
  /** Beside `fileDone`, `folderDone` or `otherDone`. */
  overwritten(): void
  deleted(path: Uint8Array): void
  /** What stands there is not older and was left. */
  newer(path: Uint8Array): void
  /** Whether it was left so. */
  isNewer(path: Uint8Array): boolean
  folderDone(): void
  otherDone(): void
  unchanged(path: Uint8Array): void
  verified(): void
  warning(path: Uint8Array, message: string): void
  problem(path: Uint8Array, reason: RestoreProblem['reason'], message: string): void
  hasProblem(path: Uint8Array): boolean
  /** Whether anything could not be restored; what was kept does not count. */
  isIncomplete(): boolean
  planned(action: PlannedAction, path: Uint8Array, bytes: number): void
  /** Bytes from the repository that are over with, whatever became of their file. */
  bytes(bytes: number): void
  /** Taken from a file that stood there. */
  reused(bytes: number): void
  fetched(bytes: number): void
  result(): Omit<RestoreResult, 'durationMs'>
}

export function createTally(options: RestoreOptions): Tally {
  const counts = { files: 0, folders: 0, others: 0, overwritten: 0, deleted: 0, newer: 0, bytes: 0, bytesReused: 0, bytesFetched: 0, unchanged: 0, verified: 0, warnings: 0 }
  const problems: RestoreProblem[] = []
  const spoilt = new Set<string>()
  /** Hashes of paths: there may be very many. */
  const newer = new IdSet()
  const keyOf = (path: Uint8Array): string => Buffer.from(path).toString('latin1')
  const emit = (event: RestoreEvent): void => options.onEvent?.(event)
  const warning = (path: Uint8Array, message: string): void => {
    counts.warnings++
    emit({ type: 'warning', path, message })
  }
  return {
    fileDone(sizeBytes, path, message) {
      counts.files++
      counts.bytes += sizeBytes
      emit({ type: 'done' })
      if (message !== undefined) warning(path(), message)
    },
    overwritten: () => void counts.overwritten++,
    deleted(path) {
      counts.deleted++
      emit(options.dryRun === true ? { type: 'planned', action: 'delete', path, bytes: 0 } : { type: 'deleted', path })
    },
    newer(path) {
      counts.newer++
      newer.add(sha256(path))
      if (options.dryRun === true) emit({ type: 'planned', action: 'keep', path, bytes: 0 })
    },
    isNewer: (path) => newer.size > 0 && newer.has(sha256(path)),
    folderDone: () => void counts.folders++,
    otherDone: () => void counts.others++,
    unchanged(path) {
      counts.unchanged++
      emit({ type: 'done' })
      if (options.dryRun === true) emit({ type: 'planned', action: 'same', path, bytes: 0 })
    },
    verified: () => void counts.verified++,
    warning,
    problem(path, reason, message) {
      const problem = { path, reason, message }
      problems.push(problem)
      spoilt.add(keyOf(path))
      if (options.dryRun === true && reason === 'kept') emit({ type: 'planned', action: 'keep', path, bytes: 0 })
      emit({ type: 'problem', problem })
    },
    hasProblem: (path) => spoilt.size > 0 && spoilt.has(keyOf(path)),
    isIncomplete: () => problems.some(({ reason }) => reason !== 'kept'),
    planned: (action, path, bytes) => emit({ type: 'planned', action, path, bytes }),
    bytes: (bytes) => emit({ type: 'bytes', bytes }),
    reused(bytes) {
      counts.bytesReused += bytes
      emit({ type: 'bytes', bytes })
    },
    fetched: (bytes) => void (counts.bytesFetched += bytes),
    result: () => ({ ...counts, problems }),
  }
}
