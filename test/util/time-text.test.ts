import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isBackupError } from '../../src/util/errors.ts'
import { formatTime, parseTime } from '../../src/util/time-text.ts'

const utc = (): number => 0

describe('formatTime', () => {
  test.each<[bigint, number, string]>([
    [0n, 0, '1970-01-01T00:00:00.000000000Z'],
    [1n, 60, '1970-01-01T01:00:00.000000001+01:00'],
    [-1n, 0, '1969-12-31T23:59:59.999999999Z'],
    [1_709_208_005_123_456_789n, -330, '2024-02-29T06:30:05.123456789-05:30'],
    [951_782_400_000_000_000n, 0, '2000-02-29T00:00:00.000000000Z'],
    [-2_208_988_800_000_000_000n, 0, '1900-01-01T00:00:00.000000000Z'],
    [253_402_300_800_000_000_000n, 0, '+010000-01-01T00:00:00.000000000Z'],
    [-62_198_755_200_000_000_000n, 0, '-000001-01-01T00:00:00.000000000Z'],
  ])('writes %s at %s minutes as %s', (ns, zone, text) => {
    expect(formatTime(ns, zone)).toBe(text)
  })

  test('agrees with Date at every millisecond that Date has', () => {
    const most = 253_402_300_799_999
    fc.assert(fc.property(fc.integer({ min: -62_167_219_200_000, max: most }), (ms) => {
      expect(formatTime(BigInt(ms) * 1_000_000n, 0)).toBe(new Date(ms).toISOString().replace('Z', '000000Z'))
    }))
  })

  test('writes the largest time that a node can hold', () => {
    expect(formatTime(BigInt(Number.MAX_SAFE_INTEGER) * 1_000_000_000n, 0)).toMatch(/^\+\d{9}-\d\d-\d\dT/)
  })
})

describe('parseTime', () => {
  test.each<[string, bigint, number]>([
    ['1970-01-01T00:00:00Z', 0n, 0],
    ['1970-01-01t01:00:00.000000001+01:00', 1n, 60],
    ['2024-02-29 06:30:05.123456789-0530', 1_709_208_005_123_456_789n, -330],
    ['2024-02-29T12:00:05.5Z', 1_709_208_005_500_000_000n, 0],
    ['1970-01-02', 86_400_000_000_000n, 0],
    ['1970-01-01 00:01', 60_000_000_000n, 0],
    ['1970-01-01T02:00+02', 0n, 120],
    ['2016-12-31T23:59:60Z', 1_483_228_800_000_000_000n, 0],
    ['  1970-01-01T00:00:00-00:00 ', 0n, 0],
  ])('reads %s', (text, ns, zoneMinutes) => {
    expect(parseTime(text, utc)).toEqual({ ns, zoneMinutes })
  })

  test('takes the local zone in force at that time where none is given', () => {
    // Summer time begins at the epoch's first minute past ten days.
    const change = 10n * 86_400_000_000_000n
    const zoneAt = (ns: bigint): number => (ns < change ? 60 : 120)
    expect(parseTime('1970-01-11T00:30:00', zoneAt)).toEqual({ ns: change - 1_800_000_000_000n, zoneMinutes: 60 })
    expect(parseTime('1970-01-11T03:00:00', zoneAt)).toEqual({ ns: change + 3_600_000_000_000n, zoneMinutes: 120 })
  })

  test.each(['', 'yesterday', '2024', '2024-13-01', '2023-02-29', '2024-04-31', '2024-01-01T24:00', '2024-01-01T00:60', '2024-01-01T00:00:61', '2024-01-01T00:00:00+24:00', '2024-01-01T00:00:00.1234567890', '1600-01-01', '9999-01-01', '1'.repeat(500)])('refuses %s', (text) => {
    expect(() => parseTime(text, utc)).toThrowError(expect.toSatisfy((error: unknown) => isBackupError(error, 'INVALID_ARGUMENT')))
  })

  test('gives back what was written', () => {
    fc.assert(fc.property(fc.bigInt({ min: -(1n << 63n) + 1_000_000_000n, max: (1n << 63n) - 1n }), fc.integer({ min: -1439, max: 1439 }), (ns, zoneMinutes) => {
      expect(parseTime(formatTime(ns, zoneMinutes), utc)).toEqual({ ns, zoneMinutes })
    }))
  })
})
