import { expect, test } from 'vitest'
import { simulateRetention } from '../../../src/features/retention/simulate.ts'
import { parseSpan } from '../../../src/features/retention/span.ts'
import { formatTime } from '../../../src/util/time-text.ts'
import { at, policy } from './support.ts'

const run = (written: string, length: string, every: string, looks = 3) =>
  simulateRetention(policy(written), { startNs: at('2025-01-01T03:00Z'), zoneAt: () => 0, length: parseSpan(length)!, every: parseSpan(every)!, looks })

test('a backup a day for a year leaves what the policy says of it', () => {
  const looks = run('--keep-daily 3 --keep-monthly 4', '1y', '1d')
  expect(looks.map(({ made }) => made)).toEqual([122, 244, 366])
  expect(looks.at(-1)!.kept.map(({ timeNs, reasons }) => `${formatTime(timeNs, 0).slice(0, 10)} ${reasons.join('+')}`)).toEqual([
    '2026-01-01 daily snapshot+monthly snapshot', '2025-12-31 daily snapshot+monthly snapshot', '2025-12-30 daily snapshot', '2025-11-30 monthly snapshot', '2025-10-31 monthly snapshot',
  ])
})

test('what was forgotten on the way is not there in the end', () => {
  // Only the newest is left each time, so no older day can be kept at the end.
  expect(run('--keep-last 1', '30d', '6h', 1)[0]!.kept).toHaveLength(1)
})

test('intervals go by the calendar', () => {
  expect(run('--keep-last unlimited', '3m', '1m', 9).map(({ timeNs }) => formatTime(timeNs, 0).slice(0, 10))).toEqual(['2025-01-01', '2025-02-01', '2025-03-01', '2025-04-01'])
})

test.each([['0d', '1d', 'needs a span'], ['1d', '0h', 'needs a span'], ['900y', '1h', '20000 backups at most']])('of %s with one every %s is refused', (length, every, message) => {
  expect(() => run('--keep-last 1', length, every)).toThrow(message)
})
