/** What has come of a restore so far, counted in one place and told as it happens. */
import type { RestoreEvent, RestoreOptions, RestoreProblem, RestoreResult } from './types.ts'

export interface Tally {
  /** The path is asked for only where there is something to say of it. */
  fileDone(path: () => Uint8Array, warning: string | undefined): void
  folderDone(): void
  otherDone(): void
  unchanged(path: Uint8Array): void
  verified(): void
  warning(path: Uint8Array, message: string): void
  problem(path: Uint8Array, reason: RestoreProblem['reason'], message: string): void
  hasProblem(path: Uint8Array): boolean
  planned(action: 'create' | 'keep' | 'same', path: Uint8Array, bytes: number): void
  bytes(bytes: number): void
  result(): Omit<RestoreResult, 'durationMs'>
}

export function createTally(options: RestoreOptions): Tally {
  const counts = { files: 0, folders: 0, others: 0, bytes: 0, unchanged: 0, verified: 0, warnings: 0 }
  const problems: RestoreProblem[] = []
  const spoilt = new Set<string>()
  const keyOf = (path: Uint8Array): string => Buffer.from(path).toString('latin1')
  const emit = (event: RestoreEvent): void => options.onEvent?.(event)
  const warning = (path: Uint8Array, message: string): void => {
    counts.warnings++
    emit({ type: 'warning', path, message })
  }
  return {
    fileDone(path, message) {
      counts.files++
      if (message !== undefined) warning(path(), message)
    },
    folderDone: () => void counts.folders++,
    otherDone: () => void counts.others++,
    unchanged(path) {
      counts.unchanged++
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
    planned(action, path, bytes) {
      counts.files++
      counts.bytes += bytes
      emit({ type: 'planned', action, path, bytes })
    },
    bytes(bytes) {
      counts.bytes += bytes
      emit({ type: 'bytes', bytes })
    },
    result: () => ({ ...counts, problems }),
  }
}
