/**
 * The one error class of nacre. Codes are API and do not change between major versions; messages
 * are for people and may. A programmer's mistake is a TypeError or RangeError and is never caught.
 */

export type ErrorCode =
  | 'REPOSITORY_NOT_FOUND'
  | 'REPOSITORY_EXISTS'
  | 'REPOSITORY_VERSION'
  | 'FEATURE_UNKNOWN'
  | 'WRONG_PASSWORD'
  | 'KEY_TAMPERED'
  | 'PASSWORD_REFUSED'
  | 'SNAPSHOT_NOT_FOUND'
  | 'AMBIGUOUS_ID'
  | 'PATH_NOT_FOUND'
  | 'SOURCE_NOT_FOUND'
  | 'SOURCE_FAILED'
  | 'NOTHING_SELECTED'
  | 'SESSION_FENCED'
  | 'SNAPSHOT_PINNED'
  | 'SNAPSHOTS_UNREADABLE'
  | 'GROUP_EMPTIED'
  | 'ALREADY_PLANNED'
  | 'OWNER_NEEDED'
  | 'PRUNE_REFUSED'
  | 'REPAIR_REFUSED'
  | 'BLOB_MISSING'
  | 'CORRUPT'
  | 'BACKEND_NOT_FOUND'
  | 'BACKEND_TRUNCATED'
  | 'BACKEND_DENIED'
  | 'BACKEND_FULL'
  | 'BACKEND_FAILED'
  | 'BACKEND_UNSUITABLE'
  | 'TARGET_REFUSED'
  | 'TARGET_FULL'
  | 'MOUNT_UNAVAILABLE'
  | 'MOUNT_BUSY'
  | 'INVALID_ARGUMENT'
  | 'INTERRUPTED'

export interface ErrorOptions {
  cause?: unknown
  /** Whether the same call may succeed when simply tried again. */
  retryable?: boolean
  /** What the error is about (a path or an object's name), for programs. */
  path?: string
  /** Facts for programs, such as the candidates of an ambiguous id. */
  details?: Readonly<Record<string, unknown>>
}

export class BackupError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly path: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BackupError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.path = options.path
    this.details = options.details ?? {}
  }
}

export function isBackupError(error: unknown, code?: ErrorCode): error is BackupError {
  return error instanceof BackupError && (code === undefined || error.code === code)
}

/** The errno name (`ENOENT`…) of a system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return undefined
}

/** The message of whatever was thrown, for a line that a person reads. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Throws the reason of an aborted signal: call it between steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason
}
