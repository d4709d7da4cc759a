import { describe, expect, test } from 'vitest'

import { flushBarrier } from '../../src/backend/barrier.ts'

/** A flush whose end the test decides. */
function controlledFlush() {
  const started: { key: string; finish: () => void; fail: (error: Error) => void }[] = []
  const flush = (key: string) =>
    new Promise<void>((resolve, reject) => started.push({ key, finish: resolve, fail: reject }))
  return { started, flush }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('flush barrier', () => {
  test('lets all who come while a flush runs share the next one', async () => {
    const { started, flush } = controlledFlush()
    const barrier = flushBarrier(flush)
    const done: number[] = []
    const calls = [0, 1, 2, 3].map((n) => barrier('a').then(() => done.push(n)))
    await settle()
    expect(started).toHaveLength(1)
    started[0]?.finish()
    await settle()
    expect(done).toEqual([0])
    expect(started).toHaveLength(2)
    started[1]?.finish()
    await Promise.all(calls)
    expect(started).toHaveLength(2)
  })

  test('never counts a flush that began before the call', async () => {
    const { started, flush } = controlledFlush()
    const barrier = flushBarrier(flush)
    const first = barrier('a')
    const second = barrier('a')
    started[0]?.finish()
    await first
    await settle()
    const third = barrier('a')
    started[1]?.finish()
    await second
    await settle()
    expect(started).toHaveLength(3)
    started[2]?.finish()
    await third
  })

  test('keeps keys apart', async () => {
    const { started, flush } = controlledFlush()
    const barrier = flushBarrier(flush)
    const calls = [barrier('a'), barrier('b')]
    expect(started.map(({ key }) => key)).toEqual(['a', 'b'])
    for (const { finish } of started) finish()
    await Promise.all(calls)
  })

  test('fails those who waited for the failed flush and tries anew for the others', async () => {
    const { started, flush } = controlledFlush()
    const barrier = flushBarrier(flush)
    const first = barrier('a')
    const second = barrier('a')
    started[0]?.fail(new Error('no'))
    await expect(first).rejects.toThrow('no')
    await settle()
    started[1]?.finish()
    await second
  })
})
