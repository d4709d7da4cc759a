import { expect, test } from 'vitest'
import { createBufferPool } from '../../src/util/buffer-pool.ts'

test('a pool of buffers gives again what was given back, and no buffer twice', () => {
  const pool = createBufferPool(100, 2)
  const [first, second] = [pool.take(40), pool.take(100)]
  expect([first.length, second.length]).toEqual([40, 100])
  expect(first.buffer).not.toBe(second.buffer)
  pool.give(first.buffer)
  expect(pool.take(1).buffer).toBe(first.buffer)
  expect(pool.take(101).length).toBe(101)
  for (let i = 0; i < 5; i++) pool.give(new ArrayBuffer(100))
  pool.give(new ArrayBuffer(99))
  const taken = Array.from({ length: 3 }, () => pool.take(100).buffer)
  expect(new Set(taken).size).toBe(3)
})
