/** Sixteen snapshots that hold the corners of the calendar, and what each policy keeps of them. */
import { expect, test } from 'vitest'
import { kept, subject } from './support.ts'

const SNAPSHOTS = ([
  ['s01', '2023-05-10T03:00'], ['s02', '2023-05-20T03:00'], ['s03', '2024-11-30T23:30'], ['s04', '2024-12-29T10:00'],
  ['s05', '2024-12-30T10:00'], ['s06', '2024-12-31T10:00'], ['s07', '2025-01-01T10:00'], ['s08', '2025-01-05T10:00'],
  ['s09', '2025-02-28T10:00'], ['s10', '2025-03-03T12:00:00'], ['s11', '2025-03-03T12:00:01'], ['s12', '2025-03-30T09:00'],
  ['s13', '2025-03-30T18:00'], ['s14', '2025-03-31T11:05'], ['s15', '2025-03-31T11:55'], ['s16', '2025-03-31T12:00'],
] as const).map(([id, time]) => subject(id, `${time}Z`, { tags: id === 's13' ? ['keepme'] : [] }))

test.each([
  ['--keep-last 2 --keep-daily 3', 's16(last snapshot+daily snapshot) s15(last snapshot) s13(daily snapshot) s11(daily snapshot)'],
  ['--keep-monthly 4 --keep-yearly 5', 's16(monthly snapshot+yearly snapshot) s09(monthly snapshot) s08(monthly snapshot) s06(monthly snapshot+yearly snapshot) s02(yearly snapshot) s01(oldest yearly snapshot)'],
  ['--keep-daily 2 --keep-weekly 2 --keep-monthly 2 --keep-yearly 2', 's16(daily snapshot+weekly snapshot+monthly snapshot+yearly snapshot) s13(daily snapshot+weekly snapshot) s09(monthly snapshot) s06(yearly snapshot)'],
  ['--keep-within-daily 7d --keep-within-monthly 1y', 's16(daily within 7d+monthly within 1y) s13(daily within 7d) s09(monthly within 1y) s08(monthly within 1y) s06(monthly within 1y) s03(monthly within 1y)'],
  ['--keep-daily 7d --keep-monthly 1y', 's16(daily within 7d+monthly within 1y) s13(daily within 7d) s09(monthly within 1y) s08(monthly within 1y) s06(monthly within 1y) s03(monthly within 1y)'],
  ['--keep-tag keepme --keep-last 1', 's16(last snapshot) s13(has tags keepme)'],
])('%s keeps, with reasons: %s', (written, expected) => {
  expect(kept(SNAPSHOTS, written, { reasons: true })).toBe(expected)
})

test.each([
  ['--keep-hourly 4', 's16 s15 s13 s12'],
  ['--keep-weekly 5', 's16 s13 s11 s09 s08'],
  ['--keep-weekly 6', 's16 s13 s11 s09 s08 s04'],
  ['--keep-monthly 4 --keep-yearly 1', 's16 s09 s08 s06'],
  ['--keep-yearly 10', 's16 s06 s02 s01'],
  ['--keep-daily unlimited', 's16 s13 s11 s09 s08 s07 s06 s05 s04 s03 s02 s01'],
  ['--keep-within 1m', 's16 s15 s14 s13 s12 s11'],
  ['--keep-within 1mo', 's16 s15 s14 s13 s12 s11'],
  ['--keep-within 31d', 's16 s15 s14 s13 s12 s11 s10'],
  ['--keep-within 4w3d', 's16 s15 s14 s13 s12 s11 s10'],
  ['--keep-last 31d', 's16 s15 s14 s13 s12 s11 s10'],
  ['--keep-within 1d2h', 's16 s15 s14 s13'],
  ['--keep-within-yearly 10y', 's16 s06 s02 s01'],
  ['--keep-yearly 10y', 's16 s06 s02 s01'],
])('%s keeps %s', (written, expected) => {
  expect(kept(SNAPSHOTS, written)).toBe(expected)
  expect(kept([...SNAPSHOTS].reverse(), written)).toBe(expected)
})

test('--keep-tag nosuch would empty the group, and is refused', () => {
  expect(() => kept(SNAPSHOTS, '--keep-tag nosuch')).toThrow('all 16 snapshots of host nautilus, paths /home')
  expect(kept(SNAPSHOTS, '--keep-tag nosuch', { allowEmptyGroup: true })).toBe('')
})

test.each(['', '--keep-last 0', '--keep-daily 0 --keep-within 0d', '--keep-within-yearly 0y0m'])('a policy that says nothing ("%s") is an error', (written) => {
  expect(() => kept(SNAPSHOTS, written)).toThrow('the policy keeps nothing')
  expect(() => kept(SNAPSHOTS, written, { allowEmptyGroup: true })).toThrow('the policy keeps nothing')
})

test('a pin keeps a snapshot before any rule is asked, and uses up no period', () => {
  const pinned = SNAPSHOTS.map((each) => (each.id === 's16' || each.id === 's03' ? { ...each, pin: 'forever' as const } : each))
  expect(kept(pinned, '--keep-daily 2', { reasons: true })).toBe('s16(pinned) s15(daily snapshot) s13(daily snapshot) s03(pinned)')
})
