/** Exit codes, mapped once from error codes (docs/cli.md lists them for users). */
import type { ErrorCode } from '../index.ts'

export const EXIT = { done: 0, failed: 1, usage: 2, incomplete: 3, noRepository: 10, busy: 11, wrongPassword: 12, interrupted: 130 } as const

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: EXIT.usage,
  REPOSITORY_NOT_FOUND: EXIT.noRepository,
  SESSION_FENCED: EXIT.busy,
  MOUNT_BUSY: EXIT.busy,
  WRONG_PASSWORD: EXIT.wrongPassword,
  INTERRUPTED: EXIT.interrupted,
}

export function exitCodeOf(code: ErrorCode): number {
  return BY_CODE[code] ?? EXIT.failed
}
