/**
 * One flush for many waiters. A flush covers what was done before it began, so whoever asks while
 * one runs needs the next one, and all who ask meanwhile share that. Concurrent creates in one
 * folder so pay for two or three flushes of the folder and not for one each.
 */

/** @returns a function that resolves after a flush of the key that began after the call */
export function flushBarrier(flush: (key: string) => Promise<void>): (key: string) => Promise<void> {
  const running = new Map<string, Promise<void>>()
  const waiting = new Map<string, Promise<void>>()

  return async function barrier(key) {
    const current = running.get(key)
    if (!current) return start(key)
    let next = waiting.get(key)
    if (!next) {
      next = startAfter(key, current)
      waiting.set(key, next)
    }
    return next
  }

  function start(key: string): Promise<void> {
    const run = flush(key).finally(() => {
      if (running.get(key) === run) running.delete(key)
    })
    running.set(key, run)
    return run
  }

  async function startAfter(key: string, current: Promise<void>): Promise<void> {
    await Promise.allSettled([current])
    waiting.delete(key)
    return start(key)
  }
}
