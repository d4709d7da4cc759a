/**
 * A backend that takes a share of the line: so many bytes a second each way, and so many requests at
 * once. Bytes are counted by a bucket that fills with time. A transfer may begin as soon as the bucket
 * is not overdrawn, and overdraws it by its size: so no object is too large for any limit, and over
 * time the limit holds, though a single object crosses at the line's own speed.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { monotonicMs } from '../util/clock.ts'
import { throwIfAborted } from '../util/errors.ts'
import type { Backend } from './backend.ts'

export interface LimitOptions {
  readonly uploadBytesPerSecond?: number | undefined
  readonly downloadBytesPerSecond?: number | undefined
  readonly connections?: number | undefined
}

/** What an idle bucket holds, in seconds of its rate. */
const burstSeconds = 1

export function withLimits(inner: Backend, options: LimitOptions): Backend {
  const upload = bucketOf(options.uploadBytesPerSecond)
  const download = bucketOf(options.downloadBytesPerSecond)
  const enter = gateOf(options.connections)

  return {
    ...inner,
    connections: options.connections ?? inner.connections,

    async create(ref, parts, operation = {}) {
      return enter(operation.signal, async () => {
        await upload(parts.reduce((sum, part) => sum + part.length, 0), operation.signal)
        return inner.create(ref, parts, operation)
      })
    },

    async load(ref, range, operation = {}) {
      return enter(operation.signal, async () => {
        // Without a range the size shows only afterwards, and then is owed.
        await download(range?.length ?? 0, operation.signal)
        const bytes = await inner.load(ref, range, operation)
        if (range === undefined) await download(bytes.length, operation.signal)
        return bytes
      })
    },

    async stat(ref, operation = {}) {
      return enter(operation.signal, () => inner.stat(ref, operation))
    },

    async remove(ref, operation = {}) {
      return enter(operation.signal, () => inner.remove(ref, operation))
    },

    ...(inner.lockOf && { lockOf: async (ref, operation = {}) => enter(operation.signal, () => inner.lockOf!(ref, operation)) }),
    ...(inner.setLock && { setLock: async (ref, lock, operation = {}) => enter(operation.signal, () => inner.setLock!(ref, lock, operation)) }),
  }
}

type Take = (bytes: number, signal: AbortSignal | undefined) => Promise<void>

function bucketOf(rate: number | undefined): Take {
  if (rate === undefined) return async () => undefined
  let filled = rate * burstSeconds
  let atMs = monotonicMs()
  const fill = (): void => {
    const now = monotonicMs()
    filled = Math.min(rate * burstSeconds, filled + ((now - atMs) / 1000) * rate)
    atMs = now
  }
  return async (bytes, signal) => {
    fill()
    // Taken before waiting, so that those who wait queue up one behind another.
    const owed = -filled
    filled -= bytes
    if (owed <= 0) return
    await sleep((owed / rate) * 1000, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
    throwIfAborted(signal)
  }
}

type Enter = <T>(signal: AbortSignal | undefined, call: () => Promise<T>) => Promise<T>

function gateOf(most: number | undefined): Enter {
  if (most === undefined) return async (_signal, call) => call()
  let inside = 0
  const waiting: (() => void)[] = []
  return async (signal, call) => {
    // Who leaves hands the place on, so that nobody can slip in between.
    if (inside < most) inside++
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      throwIfAborted(signal)
      return await call()
    } finally {
      const next = waiting.shift()
      if (next === undefined) inside--
      else next()
    }
  }
}
