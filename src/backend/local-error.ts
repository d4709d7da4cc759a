/**
 * What the operating system says about a folder, put into nacre's codes: full, denied, failed. The
 * names of temporary files and system calls stay in the cause; a person gets what, where and why.
 */
import { BackupError, errnoOf, messageOf } from '../util/errors.ts'
import type { ErrorCode } from '../util/errors.ts'

const codes: ReadonlyMap<string, ErrorCode> = new Map([
  ['ENOSPC', 'BACKEND_FULL'],
  ['EDQUOT', 'BACKEND_FULL'],
  ['EACCES', 'BACKEND_DENIED'],
  ['EPERM', 'BACKEND_DENIED'],
  ['EROFS', 'BACKEND_DENIED'],
])

/** Errors that pass when others let go of something, or when a network folder answers again. */
const passing: ReadonlySet<string> = new Set([
  'EAGAIN', 'EBUSY', 'EINTR', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'ESTALE', 'ETIMEDOUT',
])

/**
 * @param doing what was tried, as in "store packs/…"
 * @returns the error to throw; what did not come from the operating system is returned as it is
 */
export function localError(error: unknown, doing: string, root: string): unknown {
  if (!isSystemError(error)) return error
  const errno = errnoOf(error) ?? 'unknown'
  return new BackupError(codes.get(errno) ?? 'BACKEND_FAILED', `cannot ${doing} in ${root}: ${reasonOf(error)}`, {
    cause: error,
    retryable: passing.has(errno),
    path: root,
    details: { errno },
  })
}

/** `no space left on device (ENOSPC)`, of Node's `ENOSPC: no space left on device, write`. */
export function reasonOf(error: unknown): string {
  const message = messageOf(error)
  const parts = /^([A-Z0-9]+): ([^,]+)/.exec(message)
  return parts ? `${parts[2]} (${parts[1]})` : message
}

/** Calls the function; the listed errno names give undefined, all others are thrown. */
export async function unlessErrno<T>(errnos: readonly string[], call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    if (isSystemError(error) && errnos.includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}

export function isSystemError(error: unknown): boolean {
  return error instanceof Error && !(error instanceof BackupError) && 'syscall' in error
}
