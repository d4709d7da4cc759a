import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { mapOrdered } from '../../src/util/map-ordered.ts'

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of source) items.push(item)
  return items
}

/** A source that counts, and remembers whether it was closed. */
function counting(limit: number): { source: Generator<number>; given: () => number; isClosed: () => boolean } {
  let given = 0
  let isClosed = false
  function* numbers(): Generator<number> {
    try {
      while (given < limit) yield given++
    } finally {
      isClosed = true
    }
  }
  return { source: numbers(), given: () => given, isClosed: () => isClosed }
}

describe('mapOrdered', () => {
  test('gives results in the order of the input, however long each takes', async () => {
    const delays = [30, 0, 15, 5, 25, 1, 0, 10]
    const results = await all(mapOrdered(delays.entries(), { concurrency: 4 }, async ([i, delay]) => {
      await sleep(delay)
      return i
    }))
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('takes async sources', async () => {
    async function* source(): AsyncGenerator<string> {
      yield 'a'
      await nextTurn()
      yield 'b'
    }
    expect(await all(mapOrdered(source(), { concurrency: 3 }, async (item) => item + item))).toEqual(['aa', 'bb'])
  })

  test('gives nothing for an empty source', async () => {
    expect(await all(mapOrdered([], { concurrency: 3 }, async (item) => item))).toEqual([])
  })

  test.each([1, 2, 7])('never has more than %d under way, and reaches it', async (concurrency) => {
    let running = 0
    let most = 0
    await all(mapOrdered(Array.from({ length: 40 }, (_, i) => i), { concurrency }, async (i) => {
      most = Math.max(most, ++running)
      await sleep(i % 3)
      running--
    }))
    expect(most).toBe(concurrency)
  })

  test('asks the source for no more than it may start: who does not read stops it', async () => {
    const { source, given } = counting(1000)
    const results = mapOrdered(source, { concurrency: 3 }, async (i) => i)
    await results.next()
    await nextTurn()
    expect(given()).toBeLessThanOrEqual(4)
    await results.return()
  })

  test('ends with the first failure in order: nothing more is started, what runs is awaited, the source is closed', async () => {
    const { source, given, isClosed } = counting(1000)
    let running = 0
    let started = 0
    const failing = mapOrdered(source, { concurrency: 4 }, async (i) => {
      running++
      started++
      await sleep(i === 2 ? 1 : 15)
      running--
      if (i === 2) throw new Error('two')
      if (i === 3) throw new Error('three')
      return i
    })
    const seen: number[] = []
    await expect((async () => {
      for await (const item of failing) seen.push(item)
    })()).rejects.toThrow('two')
    expect(seen).toEqual([0, 1])
    expect(running).toBe(0)
    expect(isClosed()).toBe(true)
    expect(started).toBeLessThanOrEqual(6)
    expect(given()).toBeLessThanOrEqual(6)
  })

  test('closes the source when the reader stops early', async () => {
    const { source, isClosed } = counting(1000)
    let running = 0
    for await (const item of mapOrdered(source, { concurrency: 3 }, async (i) => {
      running++
      await sleep(5)
      running--
      return i
    })) if (item === 3) break
    expect(isClosed()).toBe(true)
    expect(running).toBe(0)
  })

  test('passes on a failure of the source, after what was started', async () => {
    let running = 0
    function* broken(): Generator<number> {
      yield 0
      yield 1
      throw new Error('the list broke off')
    }
    await expect(all(mapOrdered(broken(), { concurrency: 4 }, async (i) => {
      running++
      await sleep(5)
      running--
      return i
    }))).rejects.toThrow('the list broke off')
    expect(running).toBe(0)
  })

  test('ends with the reason of an abort, and closes the source', async () => {
    const { source, isClosed } = counting(1000)
    const controller = new AbortController()
    const reason = new Error('stopped')
    const seen: number[] = []
    await expect((async () => {
      for await (const item of mapOrdered(source, { concurrency: 2, signal: controller.signal }, async (i) => i)) {
        seen.push(item)
        if (item === 5) controller.abort(reason)
      }
    })()).rejects.toBe(reason)
    expect(isClosed()).toBe(true)
    expect(seen.length).toBeLessThan(10)
  })

  test('starts nothing when it is aborted beforehand', async () => {
    let started = 0
    const results = mapOrdered([1, 2], { concurrency: 2, signal: AbortSignal.abort(new Error('early')) }, async () => void started++)
    await expect(all(results)).rejects.toThrow('early')
    expect(started).toBe(0)
  })
})
