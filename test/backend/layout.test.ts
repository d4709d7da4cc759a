import { describe, expect, test } from 'vitest'

import * as layout from '../../src/backend/layout.ts'
import { id, oneOfEach } from '../suites/backend-suite.ts'
import type { ObjectRef } from '../../src/backend/backend.ts'

const hex64 = '0123456789abcdef'.repeat(4)
const hex32 = 'fedcba9876543210'.repeat(2)

const known: [ObjectRef, string][] = [
  [layout.configRef, 'config'],
  [layout.keyRef(hex64), `keys/${hex64}`],
  [layout.packRef(hex64), `packs/01/${hex64}`],
  [layout.indexRef(0, hex64), `index/0/${hex64}`],
  [layout.sessionRef(7, hex32), `sessions/7/${hex32}`],
  [layout.snapshotRef(4294967295, hex32), `snapshots/4294967295/${hex32}`],
  [layout.forgottenRef(10, hex32), `forgotten/10/${hex32}`],
  [layout.markRef(0, hex32, 0), `marks/0/${hex32}.0`],
  [layout.markRef(2, hex32, 4294967295), `marks/2/${hex32}.4294967295`],
  [layout.gcRef(0, 'plan'), 'gc/0000000000.plan'],
  [layout.gcRef(12, 'verdict'), 'gc/0000000012.verdict'],
  [layout.gcRef(9_999_999_999, 'done'), 'gc/9999999999.done'],
  [layout.probeRef(hex32), `probes/${hex32}`],
]

describe('layout', () => {
  test.each(known)('puts %o at %s, and finds it there', (ref, key) => {
    expect(layout.refKey(ref)).toBe(key)
    expect(layout.parseKey(key)).toEqual(ref)
  })

  test('knows every type once', () => {
    expect(oneOfEach().map((ref) => ref.type)).toEqual(layout.objectTypes)
  })

  test.each([
    '', '/', 'config/', '/config', './config', 'config/config', 'config.tmp', 'packs', 'packs/', `packs/${hex64}`,
    `packs/02/${hex64}`, `packs/01/${hex64}/`, `packs/01//${hex64}`, `packs/01/01/${hex64}`, `packs/01/.tmp-${hex64}`,
    `packs/0/${hex64}`, `/packs/01/${hex64}`, `packs/../packs/01/${hex64}`, `keys/${hex64.toUpperCase()}`,
    `keys/${hex64}\n`, `keys/${hex32}`, `index/${hex64}`, `index/00/${hex64}`, `index/4294967296/${hex64}`,
    `index/99999999999/${hex64}`, `index/+1/${hex64}`, `index/1.0/${hex64}`, `snapshots/0/${hex64}`,
    `marks/0/${hex32}`, `marks/0/${hex32}.00`, `marks/0/${hex32}.4294967296`, 'gc/0.plan', 'gc/0000000000.tmp',
    'gc/0000000000.plan/', '__proto__/x', 'constructor', `locks/${hex64}`, `probes/${hex64}`, `probes/0/${hex32}`,
  ])('finds no object at %o', (key) => {
    expect(layout.parseKey(key)).toBeUndefined()
  })

  test('takes names apart again', () => {
    expect(layout.groupOf(layout.markRef(12, hex32, 5))).toBe(12)
    expect(layout.idOf(layout.markRef(12, hex32, 5))).toBe(hex32)
    expect(layout.markNumber(layout.markRef(12, hex32, 5))).toBe(5)
    expect(layout.groupOf(layout.indexRef(1234567890, hex64))).toBe(1234567890)
    expect(layout.idOf(layout.indexRef(1234567890, hex64))).toBe(hex64)
    expect(layout.idOf(layout.keyRef(hex64))).toBe(hex64)
    expect(layout.gcParts(layout.gcRef(42, 'verdict'))).toEqual({ generation: 42, record: 'verdict' })
  })

  test('refuses to take apart what has no such part', () => {
    expect(() => layout.groupOf(layout.packRef(hex64))).toThrow(TypeError)
    expect(() => layout.idOf(layout.configRef)).toThrow(TypeError)
    expect(() => layout.idOf(layout.gcRef(1, 'plan'))).toThrow(TypeError)
    expect(() => layout.markNumber(layout.packRef(hex64))).toThrow(TypeError)
    expect(() => layout.gcParts(layout.packRef(hex64))).toThrow(TypeError)
  })

  test.each([-1, 0.5, 2 ** 32, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d as a group or number', (n) => {
    expect(() => layout.indexRef(n, hex64)).toThrow(TypeError)
    expect(() => layout.markRef(n, hex32, 0)).toThrow(TypeError)
    expect(() => layout.markRef(0, hex32, n)).toThrow(TypeError)
  })

  test.each([-1, 0.5, 1e10, Number.NaN])('refuses %d as a generation', (n) => {
    expect(() => layout.gcRef(n, 'plan')).toThrow(TypeError)
  })

  test('spreads packs by the first two digits of their id', () => {
    expect(layout.refKey(layout.packRef(id(1))).split('/')[1]).toBe(id(1).slice(0, 2))
  })
})
