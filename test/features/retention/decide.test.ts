import { describe, expect, test } from 'vitest'
import { decideRetention } from '../../../src/features/retention/decide.ts'
import { parseZone } from '../../../src/util/time-zone.ts'
import { at, kept, NOW, policy, subject } from './support.ts'

/** Ids are the times themselves, without the year where all are of one. */
const ofTimes = (...times: string[]) => times.map((time) => subject(time, time))

describe('a rule that counts periods', () => {
  test('keeps the newest of each, and one without snapshots uses up nothing', () => {
    expect(kept(ofTimes('2025-01-01T01:00Z', '2025-01-01T02:00Z', '2025-03-01T01:00Z', '2025-03-01T02:00Z', '2024-01-01T00:00Z'), '--keep-daily 2')).toBe('2025-03-01T02:00Z 2025-01-01T02:00Z')
  })

  test('counts what finer rules keep already', () => {
    const days = ofTimes('2025-03-01T00:00Z', '2025-03-02T00:00Z', '2025-02-01T00:00Z', '2025-01-01T00:00Z', '2024-12-01T00:00Z')
    expect(kept(days, '--keep-daily 2 --keep-monthly 2')).toBe('2025-03-02T00:00Z 2025-03-01T00:00Z 2025-02-01T00:00Z')
  })

  test('keeps the oldest of all while any of its count is left, and uses up one for it', () => {
    const year = ofTimes('2025-03-01T00:00Z', '2025-02-01T00:00Z', '2025-01-01T00:00Z')
    expect(kept(year, '--keep-yearly 1')).toBe('2025-03-01T00:00Z')
    expect(kept(year, '--keep-yearly 2', { reasons: true })).toBe('2025-03-01T00:00Z(yearly snapshot) 2025-01-01T00:00Z(oldest yearly snapshot)')
  })

  test('keeps the oldest of all inside a span only if it is inside', () => {
    const days = ofTimes('2025-03-30T12:00Z', '2025-03-30T10:00Z', '2025-03-30T08:00Z')
    expect(kept(days, '--keep-within-daily 5h', { reasons: true })).toBe('2025-03-30T12:00Z(daily within 5h) 2025-03-30T08:00Z(oldest daily within 5h)')
    expect(kept(days, '--keep-within-daily 3h')).toBe('2025-03-30T12:00Z')
  })

  test('does not give the oldest anything by its tags or by a plain span', () => {
    const days = ofTimes('2025-03-30T12:00Z', '2025-03-20T10:00Z')
    expect(kept(days, '--keep-within 1d --keep-tag x')).toBe('2025-03-30T12:00Z')
  })

  test('keeps a period again when another one came in between on the clock', () => {
    // The clock goes back: 02 h, 03 h, and 02 h again.
    const jumps = ofTimes('2025-03-30T02:30+02:00', '2025-03-30T03:20+03:00', '2025-03-30T02:10+02:00', '2025-03-30T01:00+02:00')
    expect(kept(jumps, '--keep-hourly 3')).toBe('2025-03-30T02:30+02:00 2025-03-30T03:20+03:00 2025-03-30T02:10+02:00')
  })

  test('goes by the offset that each snapshot was made at, or by one zone for all', () => {
    const night = ofTimes('2025-10-26T02:10+01:00', '2025-10-26T02:50+02:00', '2025-10-25T00:00+02:00')
    const nowNs = at('2025-11-01T00:00Z')
    expect(kept(night, '--keep-hourly 2', { nowNs })).toBe('2025-10-26T02:10+01:00 2025-10-25T00:00+02:00')
    expect(kept(night, '--keep-hourly 2 --tz UTC', { nowNs })).toBe('2025-10-26T02:10+01:00 2025-10-26T02:50+02:00')
    expect(kept(night, '--keep-hourly 2 --tz Europe/Berlin', { nowNs })).toBe('2025-10-26T02:10+01:00 2025-10-25T00:00+02:00')
  })

  test('takes ISO weeks, which may be of another year than their days', () => {
    const turn = ofTimes('2024-01-01T00:00Z', '2024-12-30T00:00Z', '2024-12-31T00:00Z', '2025-01-01T00:00Z')
    expect(kept(turn, '--keep-weekly 10')).toBe('2025-01-01T00:00Z 2024-01-01T00:00Z')
  })
})

describe('a span', () => {
  test.each([
    ['2025-03-31T12:00Z', '1m', '2025-03-03T12:00:00Z'],
    ['2024-03-31T12:00Z', '1m', '2024-03-02T12:00:00Z'],
    ['2024-02-29T12:00Z', '1y', '2023-03-01T12:00:00Z'],
    ['2025-03-31T12:00Z', '1y1m3d2h', '2024-02-28T10:00:00Z'],
    ['2025-01-15T00:30+02:00', '13m', '2023-12-15T00:30:00+02:00'],
  ])('before %s, %s long, ends behind %s', (latest, span, end) => {
    const nowNs = at('2026-01-01T00:00Z')
    const justAt = subject('at', end)
    const behind = { ...justAt, id: 'behind', startNs: justAt.startNs + 1n }
    expect(kept([subject('latest', latest), behind, justAt], `--keep-within ${span}`, { nowNs })).toBe('latest behind')
  })

  test('is counted back from the newest snapshot of its group, not from now', () => {
    const old = [subject('a', '2001-01-10T00:00Z', { host: 'old' }), subject('b', '2001-01-09T00:00Z', { host: 'old' }), subject('c', '2000-01-01T00:00Z', { host: 'old' }), subject('d', '2025-01-01T00:00Z')]
    expect(kept(old, '--keep-within 7d')).toBe('d | a b')
  })

  test('in a zone goes by its clock over a change of summer time', () => {
    const nowNs = at('2025-04-01T00:00Z')
    const march = [subject('latest', '2025-03-31T12:00+02:00'), subject('in', '2025-03-29T12:00:01+01:00'), subject('out', '2025-03-29T12:00:00+01:00')]
    expect(kept(march, '--keep-within 2d --tz Europe/Berlin', { nowNs })).toBe('latest in')
    expect(kept(march, '--keep-within 2d', { nowNs })).toBe('latest in out')
  })

  test('that is written with a unit twice counts the last', () => {
    expect(kept(ofTimes('2025-03-10T00:00Z', '2025-03-09T00:00Z', '2025-03-05T00:00Z'), '--keep-within 9d3d')).toBe('2025-03-10T00:00Z 2025-03-09T00:00Z')
  })
})

describe('times', () => {
  test('are told apart by the nanosecond', () => {
    expect(kept(ofTimes('2025-01-01T00:00:00.000000001Z', '2025-01-01T00:00:00.000000002Z'), '--keep-last 1')).toBe('2025-01-01T00:00:00.000000002Z')
  })

  test('that are equal leave the order of the list', () => {
    expect(kept([subject('a', NOW), subject('b', NOW)], '--keep-last 1')).toBe('a')
    expect(kept([subject('b', NOW), subject('a', NOW)], '--keep-last 1')).toBe('b')
  })

  test('in the future are set aside: kept, and counted nowhere', () => {
    const subjects = [subject('future', '2031-01-01T00:00Z'), subject('new', '2025-03-30T00:00Z'), subject('old', '2025-01-01T00:00Z')]
    expect(kept(subjects, '--keep-last 1', { reasons: true })).toBe('future(dated in the future) new(last snapshot)')
    expect(kept(subjects, '--keep-within 7d', { reasons: true })).toBe('future(dated in the future) new(within 7d)')
    expect(decideRetention(subjects, policy('--keep-last 1'), { nowNs: at(NOW) })[0]!.future.map(({ id }) => id)).toEqual(['future'])
  })

  test('in the future are not what is left of a group', () => {
    const subjects = [subject('future', '2031-01-01T00:00Z'), subject('past', '2025-03-30T00:00Z')]
    expect(() => kept(subjects, '--keep-tag nosuch')).toThrow('the only snapshot')
  })
})

describe('a pin', () => {
  test.each([['forever', true], [at(NOW), true], [at(NOW) - 1n, false]] as const)('of %s holds: %s', (pin, isKept) => {
    expect(kept([subject('new', '2025-03-30T00:00Z'), subject('old', '2025-01-01T00:00Z', { pin })], '--keep-last 1')).toBe(isKept ? 'new old' : 'new')
  })

  test('on the newest snapshot leaves it the one that spans are counted from', () => {
    expect(kept([subject('new', '2025-03-30T00:00Z', { pin: 'forever' }), subject('mid', '2025-03-29T00:00Z'), subject('old', '2025-03-20T00:00Z')], '--keep-within 7d')).toBe('new mid')
  })
})

describe('groups', () => {
  const subjects = [
    subject('a', '2025-03-01T00:00Z', { paths: ['/a', '/b'], tags: ['x', 'y'] }),
    subject('b', '2025-03-02T00:00Z', { paths: ['/b', '/a'], tags: ['y', 'x'] }),
    subject('c', '2025-03-03T00:00Z', { paths: ['/a'], label: 'l' }),
    subject('d', '2025-03-04T00:00Z', { host: 'other', paths: ['/a'] }),
  ]
  test.each([
    ['by host and paths, as by default', undefined, 'c | b | d'],
    ['by nothing', [], 'd'],
    ['by host', ['host'], 'c | d'],
    ['by label', ['label'], 'd | c'],
    ['by tags', ['tags'], 'b | d'],
    ['by paths', ['paths'], 'd | b'],
  ] as const)('%s', (_, groupBy, expected) => {
    expect(kept(subjects, '--keep-last 1', { groupBy }).split(' | ').sort()).toEqual(expected.split(' | ').sort())
  })

  test('that would be emptied stop all of it', () => {
    expect(() => kept([subject('a', NOW, { tags: ['x'] }), subject('b', NOW, { host: 'other' })], '--keep-tag x')).toThrow('host other')
  })
})

describe('tags', () => {
  const subjects = [subject('ab', '2025-03-01T00:00Z', { tags: ['a', 'b'] }), subject('a', '2025-03-02T00:00Z', { tags: ['a'] }), subject('none', '2025-03-03T00:00Z')]
  test.each([['--keep-tag a', 'a ab'], ['--keep-tag a,b', 'ab'], ["--keep-tag ''", 'none'], ["--keep-tag '' --keep-tag b", 'none ab']])('%s keeps %s', (written, expected) => {
    expect(kept(subjects, written)).toBe(expected)
  })
})

test('ids are named by their beginnings, and kept beside what the rules keep', () => {
  const subjects = [subject('ab01', '2025-03-03T00:00Z'), subject('ab02', '2025-03-02T00:00Z'), subject('cd01', '2025-03-01T00:00Z'), subject('ef01', '2025-02-01T00:00Z')]
  expect(kept(subjects, '--keep-id AB --keep-id cd01 --keep-last 1', { reasons: true })).toBe('ab01(named by its id+last snapshot) ab02(named by its id) cd01(named by its id)')
})

describe('what others document', () => {
  test('daily snapshots with gaps: --keep-daily 5, and --keep-within-daily 7d', () => {
    const days = ['04-21T12:00', '04-22T12:00', '04-23T12:00', '04-24T12:00', '04-25T12:00', '04-25T23:00', '04-28T12:00', '04-29T12:00', '05-01T12:00', '05-02T11:00', '05-02T23:00']
    const subjects = days.map((day) => subject(day, `2024-${day}Z`))
    expect(kept(subjects, '--keep-daily 5')).toBe('05-02T23:00 05-01T12:00 04-29T12:00 04-28T12:00 04-25T23:00')
    expect(kept(subjects, '--keep-within-daily 7d')).toBe('05-02T23:00 05-01T12:00 04-29T12:00 04-28T12:00')
  })

  test('a year of days without one: --keep-daily 14 --keep-monthly 6 --keep-yearly 1', () => {
    const subjects = Array.from({ length: 365 }, (_, i) => new Date(Date.UTC(2015, 0, 1 + i, 12)).toISOString())
      .filter((time) => !time.startsWith('2015-12-19'))
      .map((time) => subject(time.slice(5, 10), time))
    const daily = ['31', '30', '29', '28', '27', '26', '25', '24', '23', '22', '21', '20', '18', '17'].map((day) => `12-${day}`)
    expect(kept(subjects, '--keep-daily 14 --keep-monthly 6 --keep-yearly 1', { nowNs: at('2016-01-01T00:00Z') })).toBe([...daily, '11-30', '10-31', '09-30', '08-31', '07-31'].join(' '))
  })
})

describe('a zone', () => {
  test.each([['UTC', 0], ['+05:30', 330], ['-0800', -480], ['Asia/Kathmandu', 345], ['America/New_York', -240]])('%s is %i minutes east in summer', (text, minutes) => {
    expect(parseZone(text)(at('2025-07-01T00:00Z'))).toBe(minutes)
  })

  test('that is none is refused', () => {
    expect(() => parseZone('Mars/Olympus')).toThrow('there is no time zone')
  })
})
