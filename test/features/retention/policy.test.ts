import { describe, expect, test } from 'vitest'
import { parseGroupBy } from '../../../src/features/retention/group.ts'
import { parseSpan, spanText } from '../../../src/features/retention/span.ts'
import { policy } from './support.ts'

describe('a span', () => {
  test.each([
    ['7d', '7d'], ['2w', '14d'], ['1w2d', '9d'], ['1y6m', '1y6m'], ['1mo', '1m'], ['3h2y', '2y3h'], ['1d5d', '5d'], ['0d', '0h'], ['999999h', '999999h'],
  ])('%s is %s', (text, expected) => {
    expect(spanText(parseSpan(text)!)).toBe(expected)
  })

  test.each(['', '7', 'd', '-7d', '7 d', '7D', '1.5d', '7d!', '7s', '7min', '1000000d', 'unlimited', '7d '])('"%s" is none', (text) => {
    expect(parseSpan(text)).toBeUndefined()
  })
})

describe('a policy', () => {
  test.each(['--keep-last -1', '--keep-daily 7x', '--keep-daily all', '--keep-hourly 1.5', "--keep-yearly ''", '--keep-last 1e3'])('%s is refused, with the grammar', (written) => {
    expect(() => policy(written)).toThrow(/takes a number from 0 on, "unlimited", or a span, not ".*": numbers with the units y, m/)
  })

  test.each(['--keep-within 7', '--keep-within-daily unlimited', '--keep-within-yearly soon'])('%s is refused, with the grammar', (written) => {
    expect(() => policy(written)).toThrow(/takes a span, not ".*": numbers with the units y, m/)
  })

  test.each(['--keep-daily 7d --keep-within-daily 14d', '--keep-last 1d --keep-within 2d'])('%s says one thing twice and is refused', (written) => {
    expect(() => policy(written)).toThrow('says again')
  })

  test('takes counts, spans, tags and ids', () => {
    expect(policy("--keep-last 3 --keep-daily unlimited --keep-weekly 2w --keep-within-yearly 5y --keep-tag a,b --keep-tag '' --keep-id AB1")).toEqual({
      counts: { last: 3, daily: 'unlimited' },
      within: { weekly: { years: 0, months: 0, days: 14, hours: 0 }, yearly: { years: 5, months: 0, days: 0, hours: 0 } },
      tags: [['a', 'b'], []],
      ids: ['ab1'],
    })
  })

  test('refuses an id that can be none', () => {
    expect(() => policy('--keep-id latest')).toThrow('beginning of an id')
  })
})

test.each([['host,paths', ['host', 'paths']], ['', []], ['path, tag', ['paths', 'tags']], ['label', ['label']]])('groups by "%s"', (text, fields) => {
  expect(parseGroupBy(text)).toEqual(fields)
})

test('groups by nothing that is not known', () => {
  expect(() => parseGroupBy('host,user')).toThrow('not "user"')
})
