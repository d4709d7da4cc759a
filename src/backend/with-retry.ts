/**
 * A backend whose operations are tried again while that may help: after growing pauses of random
 * length, within a time, and never when the error is one that stays.
 *
 * Creating is the delicate one. The reply may be lost after the object was made; the next try then
 * finds the name taken, by ourselves. So after a try that ended in doubt, "exists" is believed only
 * when other bytes stand there. Two who create the same bytes may then both be told that they did;
 * what they rely on is there and is theirs.
 *
 * Until the place has answered once, little time is spent: that it was never right is likelier than
 * that it will be.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { equalBytes } from '../util/bytes.ts'
import { monotonicMs } from '../util/clock.ts'
import { isBackupError, throwIfAborted } from '../util/errors.ts'
import { refKey } from './layout.ts'
import type { BackupError } from '../util/errors.ts'
import type { Backend, CreateOptions, CreateResult, ObjectRef, ObjectType, OperationOptions } from './backend.ts'

export interface RetryNotice {
  readonly error: BackupError
  /** From 1. */
  readonly attempt: number
  readonly pauseMs: number
}

export interface RetryOptions {
  /** How long one operation may be tried in all. */
  readonly totalMs: number
  /** The same until anything has succeeded. */
  readonly firstMs?: number
  readonly pauseMs?: number
  readonly longestPauseMs?: number
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined
}

type ListOptions = OperationOptions & { readonly after?: string }

const firstMsDefault = 10_000
const pauseMsDefault = 250
const longestPauseMsDefault = 20_000
/** Pieces in which an object is compared with what was to be stored. */
const compareBytes = 4 * 1024 * 1024

export function withRetry(inner: Backend, options: RetryOptions): Backend {
  const { totalMs, firstMs = firstMsDefault, pauseMs = pauseMsDefault, longestPauseMs = longestPauseMsDefault, onRetry } = options
  let hasAnswered = false

  return {
    ...inner,

    create: (ref, parts, operation = {}) => createSurely(ref, parts, operation),
    load: (ref, range, operation = {}) => retried(operation.signal, () => inner.load(ref, range, operation)),
    stat: (ref, operation = {}) => retried(operation.signal, () => inner.stat(ref, operation)),
    remove: (ref, operation = {}) => retried(operation.signal, () => inner.remove(ref, operation)),
    ...(inner.removeLeftovers && { removeLeftovers: (olderThanMs, operation = {}) => retried(operation.signal, () => inner.removeLeftovers!(olderThanMs, operation)) }),
    ...(inner.lockOf && { lockOf: (ref, operation = {}) => retried(operation.signal, () => inner.lockOf!(ref, operation)) }),
    ...(inner.setLock && { setLock: (ref, lock, operation = {}) => retried(operation.signal, () => inner.setLock!(ref, lock, operation)) }),
    list: (type, operation = {}) => {
      // A programmer's mistake shows at the call, as with every backend.
      const first = inner.list(type, operation)
      return listSurely(first, type, operation)
    },
  }

  async function retried<T>(signal: AbortSignal | undefined, call: (attempt: number) => Promise<T>): Promise<T> {
    const patience = newPatience()
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await call(attempt)
        hasAnswered = true
        return result
      } catch (error) {
        await pauseOrThrow(error, attempt, patience, signal)
      }
    }
  }

  async function createSurely(ref: ObjectRef, parts: readonly Uint8Array[], operation: CreateOptions): Promise<CreateResult> {
    let isInDoubt = false
    const result = await retried(operation.signal, async () => {
      try {
        return await inner.create(ref, parts, operation)
      } catch (error) {
        if (isPassing(error)) isInDoubt = true
        throw error
      }
    })
    if (result === 'created' || !isInDoubt) return result
    return (await retried(operation.signal, () => holds(inner, ref, parts, operation))) ? 'created' : 'exists'
  }

  async function* listSurely(first: ReturnType<Backend['list']>, type: ObjectType, operation: ListOptions): ReturnType<Backend['list']> {
    let list = first
    let last: string | undefined
    let attempt = 0
    let patience = newPatience()
    for (;;) {
      try {
        for await (const info of list) {
          hasAnswered = true
          attempt = 0
          last = info.name
          yield info
        }
        hasAnswered = true
        return
      } catch (error) {
        // What was handed out cannot be taken back, and must not come twice.
        if (last !== undefined && inner.listsInOrder !== true) throw error
        if (attempt === 0) patience = newPatience()
        await pauseOrThrow(error, ++attempt, patience, operation.signal)
        list = inner.list(type, last === undefined ? operation : { ...operation, after: last })
      }
    }
  }

  function newPatience(): { readonly startedMs: number } {
    return { startedMs: monotonicMs() }
  }

  async function pauseOrThrow(error: unknown, attempt: number, { startedMs }: { readonly startedMs: number }, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal)
    if (!isPassing(error)) {
      hasAnswered ||= isBackupError(error, 'BACKEND_NOT_FOUND')
      throw error
    }
    const most = Math.min(longestPauseMs, pauseMs * 2 ** Math.min(attempt - 1, 30))
    // A service that says how long it wants to be left alone knows better; it is not believed beyond the longest pause.
    const pause = Math.max(most * (0.5 + Math.random() / 2), Math.min(askedMs(error), longestPauseMs))
    if (monotonicMs() - startedMs + pause > (hasAnswered ? totalMs : Math.min(firstMs, totalMs))) throw error
    onRetry?.({ error, attempt, pauseMs: pause })
    await sleep(pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
    throwIfAborted(signal)
  }
}

function askedMs({ details }: BackupError): number {
  const ms = details['retryAfterMs']
  return typeof ms === 'number' ? ms : 0
}

function isPassing(error: unknown): error is BackupError {
  return isBackupError(error) && error.retryable
}

/** Whether the object is these bytes, read in pieces, so that little memory is needed. */
async function holds(backend: Backend, ref: ObjectRef, parts: readonly Uint8Array[], operation: OperationOptions): Promise<boolean> {
  refKey(ref)
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0)
  if ((await backend.stat(ref, operation))?.sizeBytes !== sizeBytes) return false
  let offset = 0
  for (const part of parts) {
    for (let at = 0; at < part.length; at += compareBytes) {
      const own = part.subarray(at, at + compareBytes)
      if (!equalBytes(own, await backend.load(ref, { offset, length: own.length }, operation))) return false
      offset += own.length
    }
  }
  return true
}
