import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lastJson, type Place, place } from '../support/nacre.ts'

interface Listed {
  readonly id: string
  readonly time: string
  readonly tags: string[]
  readonly label: string
  readonly description: string
  readonly pinned: boolean
  readonly keep_until: string | null
}

interface Group {
  readonly host: string | null
  readonly paths: string[] | null
  readonly tags: string[] | null
  readonly keep: Listed[]
  readonly remove: Listed[]
  readonly reasons: { id: string; snapshot: Listed; matches: string[] }[]
}

/** A repository with a snapshot at each of the times; ids in their order. */
function withSnapshots(times: readonly string[], more: readonly string[] = []): { at: Place; source: string; ids: string[] } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'x')
  at.run('init')
  const ids = times.map((time) => lastJson(at.run('backup', source, '--json', '--host', 'nautilus', '--time', time, ...more).stdout)['snapshot_id'] as string)
  return { at, source, ids }
}

const listed = (at: Place, ...args: string[]): Listed[] => JSON.parse(at.run('snapshots', '--json', ...args).stdout) as Listed[]
const idsOf = (snapshots: readonly Listed[]): string[] => snapshots.map(({ id }) => id)

function expectOneClearLine(stderr: string): void {
  expect(stderr).toMatch(/^nacre: /)
  expect(stderr).not.toMatch(/\n\s+at /)
}

test('a policy forgets what it does not keep, says why it keeps the rest, and can be undone', () => {
  const { at, source, ids } = withSnapshots(['2026-01-01T08:00Z', '2026-01-01T12:00Z', '2026-01-02T08:00Z', '2026-01-02T12:00Z'])
  const [first, second, third, fourth] = ids as [string, string, string, string]

  const dry = at.run('forget', '--keep-daily', '2', '--dry-run')
  expect(dry.code).toBe(0)
  expect(dry.stderr).toContain('would forget 2 snapshots')
  expect(listed(at)).toHaveLength(4)

  const ended = at.run('forget', '--keep-daily', '2', '--json')
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const groups = JSON.parse(ended.stdout) as Group[]
  expect(groups).toHaveLength(1)
  expect(groups[0]).toMatchObject({ host: 'nautilus', paths: [source], tags: null })
  expect(idsOf(groups[0]!.keep)).toEqual([fourth, second])
  expect(idsOf(groups[0]!.remove)).toEqual([third, first])
  expect(groups[0]!.reasons.map(({ snapshot, matches }) => [snapshot.id, matches])).toEqual([[fourth, ['daily snapshot']], [second, ['daily snapshot']]])

  expect(idsOf(listed(at))).toEqual([second, fourth])
  expect(idsOf(listed(at, '--forgotten'))).toEqual([first, third])
  expect(listed(at, '--forgotten')[0]).toHaveProperty('forgotten.host')
  expect(at.run('snapshots', '--forgotten').stdout).toContain(first.slice(0, 8))
  const gone = at.run('ls', third)
  expect(gone.code).toBe(1)
  expect(gone.stderr).toContain(`"nacre unforget ${third.slice(0, 8)}" brings it back`)
  expect(at.run('check').code).toBe(0)

  expect(at.run('unforget', third.slice(0, 10), first)).toMatchObject({ code: 0, stdout: `snapshot ${third.slice(0, 8)} is back\nsnapshot ${first.slice(0, 8)} is back\n` })
  expect(idsOf(listed(at))).toEqual(ids)
  expect(at.run('ls', third).code).toBe(0)
}, 120_000)

test('snapshots are forgotten by name, but for pinned ones and the last of a group', () => {
  const { at, ids } = withSnapshots(['2026-01-01', '2026-01-02', '2026-01-03'])
  const [first, second, third] = ids as [string, string, string]
  expect(at.run('pin', second, '--until', '2200-12-31T00:00:00Z').code).toBe(0)
  expect(listed(at)[1]).toMatchObject({ pinned: true, keep_until: '2200-12-31T00:00:00.000000000Z' })

  const pinned = at.run('forget', first, second)
  expect(pinned.code).toBe(1)
  expect(pinned.stderr).toContain(`snapshot ${second.slice(0, 8)} is pinned`)
  const unknown = at.run('forget', first, 'ffffffff')
  expect(unknown.code).toBe(1)
  expectOneClearLine(unknown.stderr)
  expect(listed(at)).toHaveLength(3)

  // It is kept by no rule, and uses up nothing.
  const groups = JSON.parse(at.run('forget', '--keep-last', '1', '--json').stdout) as Group[]
  expect(groups[0]!.reasons.map(({ id, matches }) => [id, matches])).toEqual([[third, ['last snapshot']], [second, ['pinned']]])
  expect(idsOf(listed(at))).toEqual([second, third])
  const again = at.run('forget', first)
  expect(again.code).toBe(0)
  expect(again.stderr).toContain('is forgotten already')

  expect(at.run('unpin', second).code).toBe(0)
  const last = at.run('forget', second, 'latest')
  expect(last.code).toBe(1)
  expect(last.stderr).toContain('--allow-empty-group')
  expect(at.run('forget', second, 'latest', '--allow-empty-group').code).toBe(0)
  expect(listed(at)).toEqual([])
  expect(listed(at, '--forgotten')).toHaveLength(3)
}, 120_000)

test('tags, label and description are changed, and filters and retention go by what holds', () => {
  const { at, ids } = withSnapshots(['2026-01-01', '2026-01-02', '2026-01-03'], ['--tag', 'old'])
  const [first, second, third] = ids as [string, string, string]
  expect(at.run('tag', first, second, '--add', 'keep,best', '--remove', 'old').code).toBe(0)
  expect(at.run('tag', second, '--set', 'only').code).toBe(0)
  expect(at.run('describe', first, 'before the move', '--label', 'moved').code).toBe(0)
  expect(listed(at).map(({ tags, label, description }) => [tags, label, description])).toEqual([[['keep', 'best'], 'moved', 'before the move'], [['only'], '', ''], [['old'], '', '']])
  expect(at.run('snapshots').stdout).toContain('before the move')
  expect(idsOf(listed(at, '--tag', 'keep,best'))).toEqual([first])
  expect(idsOf(listed(at, '--tag', 'keep', '--tag', 'old'))).toEqual([first, third])
  expect(idsOf(listed(at, '--tag', 'old', '--host', 'nautilus'))).toEqual([third])
  expect(idsOf(listed(at, '--label', 'moved'))).toEqual([first])
  expect(idsOf(listed(at, '--after', '2026-01-02'))).toEqual([second, third])
  expect(idsOf(listed(at, '--before', '2026-01-02'))).toEqual([first])
  // "latest" is the newest of what the filters leave.
  expect(lastJson(at.run('cat', 'snapshot', 'latest', '--before', '2026-01-03', '--json').stdout)).toMatchObject({ id: second })
  expect(at.run('restore', 'latest', '--tag', 'keep', '--target', join(at.folder, 'target')).stderr).toContain(first.slice(0, 8))

  const groups = JSON.parse(at.run('forget', '--group-by', '', '--keep-tag', 'keep,best', '--keep-tag', 'only', '--json').stdout) as Group[]
  expect(groups).toHaveLength(1)
  expect(groups[0]).toMatchObject({ host: null, paths: null })
  expect(idsOf(groups[0]!.remove)).toEqual([third])
}, 240_000)

test('a snapshot of the future is kept, counted for nothing, told, and never the latest', () => {
  const { at, ids } = withSnapshots(['2026-01-01', '2026-01-02', '2099-01-01'], ['--keep-until', '2026-01-05'])
  const ended = at.run('forget', '--keep-last', '1')
  expect(ended.code).toBe(0)
  expect(ended.stderr).toContain(`snapshot ${ids[2]!.slice(0, 8)} is dated in the future`)
  expect(idsOf(listed(at))).toEqual([ids[1], ids[2]])
  expect(lastJson(at.run('cat', 'snapshot', 'latest', '--json').stdout)).toMatchObject({ id: ids[1] })
}, 240_000)

test('nothing is forgotten when one group would be emptied, and what cannot be read is named', () => {
  const { at, source, ids } = withSnapshots(['2026-01-01', '2026-01-02'], ['--tag', 'x'])
  at.run('backup', source, '--host', 'other', '--time', '2026-01-03')
  const emptied = at.run('forget', '--keep-tag', 'x')
  expect(emptied.code).toBe(1)
  expect(emptied.stderr).toContain('the only snapshot of host other')
  expectOneClearLine(emptied.stderr)
  expect(listed(at)).toHaveLength(3)

  writeFileSync(join(at.repo, 'snapshots/0', ids[0]!), 'broken', { flag: 'w' })
  const unreadable = at.runWith({ NACRE_CACHE_DIR: join(at.folder, 'other-cache') }, 'forget', '--keep-last', '1')
  expect(unreadable.code).toBe(1)
  expect(unreadable.stderr).toContain(ids[0])
  expect(readdirSync(at.repo).includes('forgotten') ? readdirSync(join(at.repo, 'forgotten/0')) : []).toEqual([])
}, 240_000)

test('a simulation needs no repository and draws what would be left', () => {
  const at = place()
  const text = at.runWith({ NACRE_REPOSITORY: undefined }, 'forget', '--simulate', '18m', '--every', '1d', '--keep-daily', '7', '--keep-monthly', '12')
  expect(text.code).toBe(0)
  expect(text.stdout).toContain('monthly snapshot')
  const looks = JSON.parse(at.run('forget', '--simulate', '2m', '--keep-daily', '7', '--json').stdout) as { made: number; kept: { matches: string[] }[] }[]
  expect(looks.at(-1)!.kept).toHaveLength(7)
}, 60_000)

describe('wrong usage exits 2', () => {
  test.each([
    [['forget'], 'the policy keeps nothing'],
    [['forget', '--keep-last', '0'], 'the policy keeps nothing'],
    [['forget', '--tag', 'x'], 'a filter chooses snapshots and keeps none'],
    [['forget', '--keep-daily', '7x'], 'numbers with the units y, m (months), w, d, h'],
    [['forget', '--keep-daily=-1'], 'takes a number from 0 on'],
    [['forget', '--keep-within', '7'], '--keep-within takes a span'],
    [['forget', '--keep-last', '1', '--group-by', 'size'], '--group-by takes host, label, paths and tags'],
    [['forget', '--keep-last', '1', '--tz', 'Mars'], 'there is no time zone'],
    [['forget', 'latest', '--keep-last', '1'], 'not both'],
    [['forget', '--keep-last', '1', '--every', '1d'], '--every belongs to --simulate'],
    [['forget', '--keep-last', '1', '--simulate', 'long'], '--simulate takes a span'],
    [['tag', 'latest'], 'give --add, --remove or --set'],
    [['tag', 'latest', '--set', 'x', '--add', 'y'], 'give --set, or --add and --remove'],
    [['describe', 'latest'], 'what is to be said?'],
    [['pin', 'latest', '--until', 'soon'], 'is no time'],
    [['unforget'], 'SNAPSHOT… is missing'],
    [['snapshots', '--before', 'soon'], 'is no time'],
    [['ls', 'latest', '--after', 'then'], 'is no time'],
  ])('%j', (args, message) => {
    const ended = place().run(...args)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(message)
    expectOneClearLine(ended.stderr)
  })
})

test('--prune frees the space of what was forgotten at once, and a dry run of it frees nothing', () => {
  const { at, source, ids } = withSnapshots(['2026-01-01', '2026-01-02'])
  writeFileSync(join(source, 'file'), 'changed')
  at.run('backup', source, '--host', 'nautilus', '--time', '2026-01-03')
  const dry = at.run('forget', '--keep-last', '1', '--prune', '--dry-run')
  expect([dry.code, dry.stderr.includes('a prune would follow')]).toEqual([0, true])
  expect(listed(at)).toHaveLength(3)

  expect(at.run('forget', '--keep-last', '1', '--prune', '--simulate', '1y').code).toBe(2)
  const ended = at.run('forget', '--keep-last', '1', '--prune', '--json')
  expect(ended.code).toBe(0)
  expect(lastJson(ended.stdout)).toMatchObject({ type: 'summary', outcome: 'done', swept_snapshots: 2 })
  expect(listed(at)).toHaveLength(1)
  expect(at.run('unforget', ids[0]!).code).toBe(1)
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
}, 240_000)
