import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { filterSnapshots, latestOfEach, parseSnapshotPath, resolveSnapshot, shortId, type SnapshotFilter } from '../../src/snapshot/select.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'

const NOW = 1000n

function snapshot(id: string, startNs: bigint, more: Partial<Omit<Snapshot, 'paths'>> & { paths?: readonly string[] } = {}): Snapshot {
  const { paths = ['/home'], ...rest } = more
  return {
    id: id.padEnd(32, '0'), group: 0, tree: new Uint8Array(32), paths: paths.map(utf8), host: 'nautilus', user: 'ada', tags: [], label: '', description: '',
    startNs, endNs: startNs, zoneMinutes: 0, skippedCount: 0, skipped: [], program: '0', sequence: 1,
    summary: { filesNew: 0, filesChanged: 0, filesUnmodified: 0, totalFiles: 0, totalBytes: 0, dataAdded: 0, dataAddedStored: 0 },
    ...rest,
  }
}

function failure(action: () => unknown): BackupError {
  try {
    action()
  } catch (error) {
    if (error instanceof BackupError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('resolveSnapshot', () => {
  const list = [snapshot('ab1', 1n), snapshot('ab2', 2n), snapshot('cd3', 3n), snapshot('ef4', NOW + 1n)]

  test.each([['latest', 2], ['latest~0', 2], ['latest~1', 1], ['latest~2', 0], ['ab1', 0], ['AB2', 1], ['c', 2], ['ef', 3], ['ab1'.padEnd(32, '0'), 0]] as const)('finds %s', (text, at) => {
    expect(resolveSnapshot(list, text, NOW)).toBe(list[at])
  })

  test('never takes one dated in the future for the latest', () => {
    const error = failure(() => resolveSnapshot([list[3]!], 'latest', NOW))
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND')
    expect(error.message).toContain('in the future')
    expect(resolveSnapshot([list[3]!], 'latest', NOW + 1n)).toBe(list[3])
  })

  test('goes by start times, not by the order of the list', () => {
    expect(resolveSnapshot([...list].reverse(), 'latest', NOW)).toBe(list[2])
  })

  test('says how many there are when it is asked for one before the first', () => {
    const error = failure(() => resolveSnapshot(list, 'latest~3', NOW))
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND')
    expect(error.message).toContain('there are 3')
  })

  test('names what lists them when there is none of that id', () => {
    const error = failure(() => resolveSnapshot(list, '99', NOW))
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND')
    expect(error.message).toContain('"nacre snapshots"')
  })

  test.each(['latest', 'ab'])('says that there are none at all, asked for %s', (text) => {
    const error = failure(() => resolveSnapshot([], text, NOW))
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND')
    expect(error.message).toContain('no snapshots')
  })

  test('lists the candidates of an ambiguous id, with time and host', () => {
    const error = failure(() => resolveSnapshot(list, 'ab', NOW))
    expect(error.code).toBe('AMBIGUOUS_ID')
    expect(error.details['candidates']).toEqual([list[1]!.id, list[0]!.id])
    expect(error.message).toContain('ab100000 of 1970-01-01T00:00:00 on nautilus')
  })

  test('shows more digits where the candidates begin alike for long', () => {
    const alike = [snapshot('0123456789a', 1n), snapshot('0123456789b', 2n)]
    const { message } = failure(() => resolveSnapshot(alike, '0123456789', NOW))
    expect(message).toContain('0123456789a')
    expect(message).toContain('0123456789b')
  })

  test('shows the first of very many and counts the rest', () => {
    const many = Array.from({ length: 30 }, (_, i) => snapshot(`ab${String(i).padStart(2, '0')}`, BigInt(i)))
    const error = failure(() => resolveSnapshot(many, 'ab', NOW))
    expect(error.message).toContain('22 more')
    expect(error.details['candidates']).toHaveLength(30)
  })

  test.each(['', 'latest~', 'latest~-1', 'Latest', 'xyz', 'g1', `${'a'.repeat(33)}`, '../ab'])('refuses "%s"', (text) => {
    expect(failure(() => resolveSnapshot(list, text, NOW)).code).toBe('SNAPSHOT_NOT_FOUND')
  })
})

describe('parseSnapshotPath', () => {
  test.each([
    ['latest', 'latest', undefined],
    ['latest:/home/u', 'latest', '/home/u'],
    ['ab12:/a:b', 'ab12', '/a:b'],
    ['latest:', 'latest', undefined],
    [':/home', '', '/home'],
  ] as const)('splits %s', (text, snapshotText, path) => {
    expect(parseSnapshotPath(text)).toEqual({ snapshot: snapshotText, path: path === undefined ? undefined : utf8(path) })
  })
})

describe('filterSnapshots', () => {
  const list = [
    snapshot('1', 1n, { host: 'a', tags: ['daily', 'db'], label: 'x', paths: ['/home', '/etc'] }),
    snapshot('2', 2n, { host: 'b', tags: ['daily'], paths: ['/home'] }),
    snapshot('3', 3n, { host: 'a', tags: [], label: 'y', paths: [join(process.cwd(), 'src')] }),
  ]
  const kept = (filter: SnapshotFilter): string => filterSnapshots(list, filter).map(({ id }) => id[0]).join('')

  test.each<[string, SnapshotFilter, string]>([
    ['nothing', {}, '123'],
    ['empty lists', { hosts: [], tags: [], labels: [], paths: [] }, '123'],
    ['a host', { hosts: ['a'] }, '13'],
    ['either host', { hosts: ['a', 'b'] }, '123'],
    ['a tag', { tags: ['daily'] }, '12'],
    ['both tags', { tags: ['daily,db'] }, '1'],
    ['either tag', { tags: ['db', 'daily'] }, '12'],
    ['no tag', { tags: [''] }, '3'],
    ['no tag or one', { tags: ['', 'db'] }, '13'],
    ['a label', { labels: ['y', 'z'] }, '3'],
    ['no label', { labels: [''] }, '2'],
    ['a path', { paths: ['/home'] }, '12'],
    ['all paths', { paths: ['/etc', '/home'] }, '1'],
    ['a relative path', { paths: ['./test/../src'] }, '3'],
    ['a path in bytes, with a slash at its end', { paths: [utf8('/home/')] }, '12'],
    ['a path above one that was saved', { paths: ['/'] }, ''],
    ['several kinds', { hosts: ['a'], tags: ['daily'], paths: ['/home'] }, '1'],
  ])('keeps what fits %s', (_, filter, ids) => {
    expect(kept(filter)).toBe(ids)
  })

  test('tells paths apart that are no UTF-8', () => {
    const odd = [Uint8Array.of(0x2f, 0xff), Uint8Array.of(0x2f, 0xfe)].map((path, i) => ({ ...snapshot(String(i), 1n), paths: [path] }))
    expect(filterSnapshots(odd, { paths: [Uint8Array.of(0x2f, 0xfe)] })).toEqual([odd[1]])
  })
})

describe('latestOfEach', () => {
  const list = [
    snapshot('1', 1n, { host: 'a' }),
    snapshot('2', 2n, { host: 'b' }),
    snapshot('3', 3n, { host: 'a' }),
    snapshot('4', 4n, { host: 'a', paths: ['/etc'] }),
    snapshot('5', 5n, { host: 'a' }),
  ]

  test('keeps the newest of each host and set of paths, in the order of the list', () => {
    expect(latestOfEach(list, 1).map(({ id }) => id[0])).toEqual(['2', '4', '5'])
    expect(latestOfEach(list, 2).map(({ id }) => id[0])).toEqual(['2', '3', '4', '5'])
    expect(latestOfEach([...list].reverse(), 1).map(({ id }) => id[0])).toEqual(['5', '4', '2'])
  })

  test('does not take the order of paths for a difference', () => {
    const two = [snapshot('1', 1n, { paths: ['/a', '/b'] }), snapshot('2', 2n, { paths: ['/b', '/a'] })]
    expect(latestOfEach(two, 1)).toEqual([two[1]])
  })

  test.each([0, -1, 1.5, Number.NaN])('refuses %s as a number of snapshots', (count) => {
    expect(() => latestOfEach(list, count)).toThrow(RangeError)
  })
})

describe('shortId', () => {
  test('is the first eight digits', () => {
    expect(shortId('0123456789abcdef0123456789abcdef')).toBe('01234567')
  })
})
