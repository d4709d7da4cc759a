import { describe, expect, test } from 'vitest'
import { BitSet } from '../../src/util/bit-set.ts'
import { IdTable } from '../../src/util/id-table.ts'
import { bytesOf } from './bytes-of.ts'

describe('a table of ids', () => {
  test('gives each id a slot of its own, and the same one always', () => {
    const table = new IdTable(5000)
    const slots = new Map<number, number>()
    for (let i = 0; i < 5000; i++) slots.set(table.add(bytesOf(i, 32)), i)
    expect(slots.size).toBe(5000)
    expect(table.size).toBe(5000)
    for (const [slot, i] of slots) {
      expect(slot).toBeLessThan(table.slots)
      expect(table.find(bytesOf(i, 32))).toBe(slot)
      expect(table.add(bytesOf(i, 32))).toBe(slot)
    }
    for (let i = 5000; i < 6000; i++) expect(table.find(bytesOf(i, 32))).toBe(-1)
  })

  test('tells ids apart that differ in their last bit alone, and takes those of zeros', () => {
    const table = new IdTable(10)
    const id = new Uint8Array(40)
    const first = table.add(id, 4)
    id[35] = 1
    expect(table.find(id, 4)).toBe(-1)
    expect(table.add(id, 4)).not.toBe(first)
  })

  test('runs over from its last slot to its first', () => {
    const table = new IdTable(20)
    const ids = Array.from({ length: 20 }, (_, i) => bytesOf(i, 32).fill(0xff, 0, 4))
    expect(new Set(ids.map((id) => table.add(id))).size).toBe(20)
    for (const id of ids) expect(table.find(id)).not.toBe(-1)
  })

  test('holds what it was made for and refuses more', () => {
    const table = new IdTable(1000)
    for (let i = 0; i < 1000; i++) table.add(bytesOf(i, 32))
    let more = 1000
    while (table.hasRoomFor(1)) table.add(bytesOf(more++, 32))
    expect(() => table.add(bytesOf(more, 32))).toThrow(RangeError)
    expect(table.add(bytesOf(0, 32))).toBeGreaterThanOrEqual(0)
    expect(more).toBeLessThan(1100)
  })
})

test('a set of bits keeps each by itself', () => {
  const bits = new BitSet(100)
  expect(bits.add(7)).toBe(true)
  expect(bits.add(7)).toBe(false)
  expect([6, 7, 8, 99].map((at) => bits.has(at))).toEqual([false, true, false, false])
  expect(bits.add(99)).toBe(true)
})
