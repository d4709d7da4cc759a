import { describe, expect, test } from 'vitest'

import { memoryBackend } from '../../src/backend/memory.ts'
import { configRef, gcRef, packRef, snapshotRef } from '../../src/backend/layout.ts'
import { withLimits } from '../../src/backend/with-limits.ts'
import { withRetry } from '../../src/backend/with-retry.ts'
import type { Backend, ObjectInfo } from '../../src/backend/backend.ts'
import { BackupError } from '../../src/util/errors.ts'
import { backendSuite, collect, id, pattern } from '../suites/backend-suite.ts'

const quick = { totalMs: 20_000, firstMs: 20_000, pauseMs: 1, longestPauseMs: 4 }
const passing = (): BackupError => new BackupError('BACKEND_FAILED', 'a moment, please', { retryable: true })

backendSuite('what is tried again', async () => ({ backend: withRetry(memoryBackend(), quick), cleanup: async () => undefined }))
backendSuite('what is limited', async () => ({ backend: withLimits(memoryBackend(), { connections: 3, uploadBytesPerSecond: 2 ** 40, downloadBytesPerSecond: 2 ** 40 }), cleanup: async () => undefined }))

/** Fails before or after the first `times` calls of a verb took effect. */
function failing(inner: Backend, verb: 'create' | 'load' | 'stat' | 'remove', times: number, isDone = false, error = passing): { backend: Backend; calls: () => number } {
  let calls = 0
  const call = async (...args: unknown[]): Promise<unknown> => {
    const isSpoiled = ++calls <= times
    if (isSpoiled && !isDone) throw error()
    const result = await (inner[verb] as (...args: unknown[]) => Promise<unknown>)(...args)
    if (isSpoiled) throw error()
    return result
  }
  return { backend: { ...inner, [verb]: call }, calls: () => calls }
}

describe('trying again', () => {
  test('what passes is tried until it is done, and told of each time', async () => {
    const { backend, calls } = failing(memoryBackend(), 'create', 4)
    const told: number[] = []
    const retrying = withRetry(backend, { ...quick, onRetry: ({ attempt }) => told.push(attempt) })
    expect(await retrying.create(configRef, [pattern(9, 1)])).toBe('created')
    expect(calls()).toBe(5)
    expect(told).toEqual([1, 2, 3, 4])
  })

  test('what stays is not tried again', async () => {
    const denied = (): BackupError => new BackupError('BACKEND_DENIED', 'no')
    for (const verb of ['create', 'load', 'stat', 'remove'] as const) {
      const { backend, calls } = failing(memoryBackend(), verb, 1, false, denied)
      const retrying = withRetry(backend, quick)
      await expect((retrying[verb] as (ref: unknown, parts?: unknown) => Promise<unknown>)(configRef, verb === 'create' ? [] : undefined)).rejects.toMatchObject({ code: 'BACKEND_DENIED' })
      expect(calls()).toBe(1)
    }
  })

  test('a create whose reply was lost says that it created', async () => {
    const inner = memoryBackend()
    const { backend } = failing(inner, 'create', 2, true)
    const parts = [pattern(10_000_000, 1), pattern(0, 0), pattern(77, 2)]
    expect(await withRetry(backend, quick).create(packRef(id(1)), parts)).toBe('created')
  })

  test('a create that fails first and then finds what another made says that it exists', async () => {
    const inner = memoryBackend()
    await inner.create(gcRef(1, 'plan'), [pattern(100, 1)])
    for (const other of [pattern(100, 2), pattern(99, 1), pattern(101, 1), new Uint8Array(0)]) {
      expect(await withRetry(failing(inner, 'create', 1).backend, quick).create(gcRef(1, 'plan'), [other])).toBe('exists')
    }
    // Without a doubt nothing is compared: the same bytes by another are another's.
    expect(await withRetry(inner, quick).create(gcRef(1, 'plan'), [pattern(100, 1)])).toBe('exists')
  })

  test('it ends when its time is over, with the last error', async () => {
    const { backend, calls } = failing(memoryBackend(), 'stat', Number.POSITIVE_INFINITY)
    await expect(withRetry(backend, { totalMs: 60_000, firstMs: 30, pauseMs: 1 }).stat(configRef)).rejects.toMatchObject({ message: 'a moment, please' })
    expect(calls()).toBeGreaterThan(1)
  })

  test('an abort ends the pause', async () => {
    const reason = new Error('stopped by the test')
    const controller = new AbortController()
    const retrying = withRetry(failing(memoryBackend(), 'stat', 9).backend, { totalMs: 3_600_000, firstMs: 3_600_000, pauseMs: 600_000, longestPauseMs: 600_000, onRetry: () => setImmediate(() => controller.abort(reason)) })
    await expect(retrying.stat(configRef, { signal: controller.signal })).rejects.toBe(reason)
  })

  test.each([true, false])('a list that breaks off goes on after its last name where lists are in order (%s)', async (listsInOrder) => {
    const inner = memoryBackend()
    const names = Array.from({ length: 20 }, (_, i) => snapshotRef(0, id(i).slice(0, 32)).name).sort()
    for (const name of names) await inner.create({ type: 'snapshots', name }, [])
    let breaks = 0
    const breaking: Backend = {
      ...inner,
      listsInOrder,
      async *list(type, options = {}): AsyncGenerator<ObjectInfo> {
        const infos = await collect(inner.list(type, options))
        infos.sort((a, b) => (a.name < b.name ? -1 : 1))
        if (breaks++ === 0) throw passing()
        yield* infos.slice(0, 3)
        if (breaks < 5) throw passing()
        yield* infos.slice(3)
      },
    }
    const listed = collect(withRetry(breaking, quick).list('snapshots'))
    if (listsInOrder) expect((await listed).map(({ name }) => name)).toEqual(names)
    else await expect(listed).rejects.toMatchObject({ message: 'a moment, please' })
  })
})

describe('limits', () => {
  test('never more operations at once than connections', async () => {
    let inside = 0
    let most = 0
    const inner = memoryBackend()
    const watched: Backend = {
      ...inner,
      async stat(ref) {
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
        return inner.stat(ref)
      },
    }
    const limited = withLimits(watched, { connections: 3 })
    expect(limited.connections).toBe(3)
    await Promise.all(Array.from({ length: 50 }, () => limited.stat(configRef)))
    expect(most).toBe(3)
  })

  test('bytes beyond the first second wait for their time', async () => {
    const limited = withLimits(memoryBackend(), { uploadBytesPerSecond: 1_000_000 })
    const started = performance.now()
    // A second's worth is there at once; the third finds the bucket overdrawn by a half.
    await limited.create(packRef(id(1)), [pattern(1_000_000, 1)])
    await limited.create(packRef(id(2)), [pattern(500_000, 1)])
    await limited.create(packRef(id(3)), [])
    expect(performance.now() - started).toBeGreaterThanOrEqual(450)
  })

  test('an abort ends the wait', async () => {
    const limited = withLimits(memoryBackend(), { downloadBytesPerSecond: 1 })
    await limited.create(packRef(id(1)), [pattern(100_000, 1)])
    await limited.load(packRef(id(1)), { offset: 0, length: 100_000 })
    const reason = new Error('stopped by the test')
    const controller = new AbortController()
    const waiting = limited.load(packRef(id(1)), { offset: 0, length: 1 }, { signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    await expect(waiting).rejects.toBe(reason)
  })
})
