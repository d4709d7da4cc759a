/** Waiting that ends at once when a signal says so, whatever the server does. */
import { throwIfAborted } from '../../util/errors.ts'

/**
 * The work goes on by itself after an abort: it looks at the signal too, ends as soon as it can, and
 * clears away behind itself.
 */
export async function untilAborted<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work
  throwIfAborted(signal)
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    signal.addEventListener('abort', stop)
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop!)
    work.catch(() => undefined)
  }
}
