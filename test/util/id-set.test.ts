import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex } from '../../src/util/bytes.ts'
import { IdSet } from '../../src/util/id-set.ts'
import { bytesOf, randomOf } from './bytes-of.ts'

/** Few ids that crowd the same slots, so that runs form and break. */
function crowdedId(number: number): Uint8Array {
  const id = new Uint8Array(32)
  // Eight neighbouring homes, the last slots and the first among them.
  new DataView(id.buffer).setUint32(0, (number % 8) + 1020, true)
  new DataView(id.buffer).setUint32(8, number, true)
  return id
}

type Step = readonly ['add' | 'has' | 'delete', number]

function agreesWithModel(steps: readonly Step[], idOf: (number: number) => Uint8Array, slots?: number): void {
  const set = new IdSet(slots)
  const model = new Set<string>()
  for (const [what, number] of steps) {
    const id = idOf(number)
    const key = toHex(id)
    if (what === 'add') {
      expect(set.add(id)).toBe(!model.has(key))
      model.add(key)
    } else if (what === 'delete') expect(set.delete(id)).toBe(model.delete(key))
    else expect(set.has(id)).toBe(model.has(key))
    expect(set.size).toBe(model.size)
  }
  for (const [, number] of steps) expect(set.has(idOf(number))).toBe(model.has(toHex(idOf(number))))
}

const steps = fc.array(fc.tuple(fc.constantFrom<Step[0][]>('add', 'add', 'has', 'delete'), fc.nat(60)), { maxLength: 400 })

describe('IdSet', () => {
  test('does what a Set does, with ids at random', () => {
    fc.assert(fc.property(steps, (all) => agreesWithModel(all, (number) => bytesOf(number, 32))))
  })

  test('does what a Set does, with ids that crowd the same slots and wrap around the end', () => {
    fc.assert(fc.property(steps, (all) => agreesWithModel(all, crowdedId)))
  })

  test('does what a Set does while it grows from four slots', () => {
    fc.assert(fc.property(steps, (all) => agreesWithModel(all, crowdedId, 4)))
  })

  test('holds many ids, finds each and no other, and forgets those taken out', () => {
    const set = new IdSet()
    const ids = bytesOf(1, 32 * 40_000)
    for (let at = 0; at < ids.length; at += 32) expect(set.add(ids, at)).toBe(true)
    expect(set.size).toBe(40_000)
    for (let at = 0; at < ids.length; at += 64) expect(set.delete(ids, at)).toBe(true)
    for (let at = 0; at < ids.length; at += 32) expect(set.has(ids, at)).toBe(at % 64 !== 0)
    expect(set.size).toBe(20_000)
  })

  test('tells ids apart that differ in the last bit', () => {
    const set = new IdSet()
    const id = bytesOf(2, 32)
    set.add(id)
    const other = id.slice()
    other[31]! ^= 1
    expect(set.has(other)).toBe(false)
    expect(set.delete(other)).toBe(false)
    expect(set.has(id)).toBe(true)
  })

  test('keeps its own copy of an id', () => {
    const set = new IdSet()
    const id = bytesOf(3, 32)
    set.add(id)
    const same = id.slice()
    id.fill(0)
    expect(set.has(same)).toBe(true)
    expect(set.has(id)).toBe(false)
  })

  test('stays right over a long run of additions and removals', () => {
    const random = randomOf(4)
    const all: Step[] = Array.from({ length: 20_000 }, () => [random() % 5 < 3 ? 'add' : 'delete', random() % 3000])
    const set = new IdSet(8)
    const model = new Set<number>()
    for (const [what, number] of all) {
      if (what === 'add') expect(set.add(crowdedId(number % 500))).toBe(!model.has(number % 500))
      else expect(set.delete(crowdedId(number % 500))).toBe(model.has(number % 500))
      if (what === 'add') model.add(number % 500)
      else model.delete(number % 500)
    }
    expect(set.size).toBe(model.size)
  })
})
