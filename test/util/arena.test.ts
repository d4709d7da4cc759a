import { expect, test } from 'vitest'
import { createArena } from '../../src/util/arena.ts'

test('an arena gives pieces that do not overlap, and the same memory again after a reset', () => {
  const arena = createArena(100)
  const [first, second] = [arena.take(40), arena.take(60)]
  first.fill(1)
  second.fill(2)
  expect([...first, ...second]).toEqual([...new Array<number>(40).fill(1), ...new Array<number>(60).fill(2)])
  expect(arena.take(1).buffer).not.toBe(first.buffer)
  arena.reset()
  expect(arena.take(100).buffer).toBe(first.buffer)
  expect(arena.take(101).length).toBe(101)
})
