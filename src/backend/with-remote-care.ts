/** The wrappers that make a far place bearable, in the one order that is right: limits are inside, so that what is tried again is held to them too. */
import { withLimits } from './with-limits.ts'
import { type RetryNotice, withRetry } from './with-retry.ts'
import type { Backend } from './backend.ts'

export interface RemoteSettings {
  readonly uploadBytesPerSecond?: number | undefined
  readonly downloadBytesPerSecond?: number | undefined
  /** How many requests may be under way at once. */
  readonly connections?: number | undefined
  /** How long one operation may be tried; 0 tries nothing again. */
  readonly retryMs?: number | undefined
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined
}

/** A quarter of an hour: a line that comes back after a night is no matter of trying again. */
const retryMsDefault = 15 * 60_000

export function withRemoteCare(backend: Backend, settings: RemoteSettings): Backend {
  const { uploadBytesPerSecond, downloadBytesPerSecond, connections, retryMs = retryMsDefault } = settings
  const hasLimits = uploadBytesPerSecond !== undefined || downloadBytesPerSecond !== undefined || connections !== undefined
  const limited = hasLimits ? withLimits(backend, { uploadBytesPerSecond, downloadBytesPerSecond, connections }) : backend
  return retryMs === 0 ? limited : withRetry(limited, { totalMs: retryMs, onRetry: settings.onRetry })
}
