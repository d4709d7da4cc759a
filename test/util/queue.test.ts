import { describe, expect, test } from 'vitest'
import { createQueue } from '../../src/util/queue.ts'

describe('a queue', () => {
  test('gives items in their order, and ends behind the last', async () => {
    const queue = createQueue<number>(2)
    const taken: number[] = []
    const taking = (async () => {
      for await (const item of queue) taken.push(item)
    })()
    for (let i = 0; i < 10; i++) await queue.push(i)
    queue.end()
    await taking
    expect(taken).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('makes who pushes wait while it is full', async () => {
    const queue = createQueue<number>(1)
    expect(queue.push(1)).toBeUndefined()
    let hasRoom = false
    const waiting = Promise.resolve(queue.push(2)).then(() => (hasRoom = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(hasRoom).toBe(false)
    const items = queue[Symbol.asyncIterator]()
    expect(await items.next()).toEqual({ done: false, value: 1 })
    await waiting
    expect(hasRoom).toBe(true)
  })

  test('tells both sides when it has failed', async () => {
    const queue = createQueue<number>(0)
    const waiting = queue.push(1)
    queue.fail(new Error('no more'))
    await expect(waiting).rejects.toThrow('no more')
    expect(() => queue.push(2)).toThrow('no more')
    await expect(queue[Symbol.asyncIterator]().next()).rejects.toThrow('no more')
  })
})
