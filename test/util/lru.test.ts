import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Lru } from '../../src/util/lru.ts'

const ofNumbers = (limit: number): Lru<string, number> => new Lru(limit, (value) => value)

describe('Lru', () => {
  test('lets go of what was not used for the longest time', () => {
    const lru = ofNumbers(3)
    lru.set('a', 1)
    lru.set('b', 1)
    lru.set('c', 1)
    expect(lru.get('a')).toBe(1)
    lru.set('d', 1)
    expect(['a', 'b', 'c', 'd'].filter((key) => lru.get(key) !== undefined)).toEqual(['a', 'c', 'd'])
  })

  test('holds one value even when that is heavier than the limit', () => {
    const lru = ofNumbers(3)
    lru.set('a', 1)
    lru.set('b', 10)
    expect(lru.get('a')).toBeUndefined()
    expect(lru.get('b')).toBe(10)
    lru.set('c', 1)
    expect(lru.get('b')).toBeUndefined()
    expect(lru.get('c')).toBe(1)
  })

  test('counts the weight of a value that replaces another', () => {
    const lru = ofNumbers(10)
    lru.set('a', 8)
    lru.set('a', 2)
    lru.set('b', 8)
    expect(lru.get('a')).toBe(2)
    expect(lru.get('b')).toBe(8)
  })

  test('has no value for a key that was deleted, and deletes what is not there', () => {
    const lru = ofNumbers(10)
    lru.set('a', 1)
    lru.delete('a')
    lru.delete('b')
    expect(lru.get('a')).toBeUndefined()
  })

  test('never holds more than its limit, the newest aside', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 30 })), { maxLength: 100 }), (sets) => {
        const lru = new Lru<number, { weight: number }>(50, (value) => value.weight)
        const newest = new Map<number, { weight: number }>()
        for (const [key, weight] of sets) {
          newest.set(key, { weight })
          lru.set(key, newest.get(key)!)
        }
        const held = [...newest].filter(([key, value]) => lru.get(key) === value)
        expect(held.reduce((sum, [, value]) => sum + value.weight, 0)).toBeLessThanOrEqual(50)
        if (sets.length > 0) expect(lru.get(sets.at(-1)![0])).toBeDefined()
      }),
    )
  })
})
