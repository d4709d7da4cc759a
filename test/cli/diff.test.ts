import { spawnSync } from 'node:child_process'
import { chmodSync, closeSync, fstatSync, futimesSync, linkSync, mkdirSync, openSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Place, place } from '../support/nacre.ts'

interface Line {
  readonly type: string
  readonly [field: string]: unknown
}

function events(text: string): Line[] {
  return text.trim().split('\n').map((line) => JSON.parse(line) as Line)
}

function lines(at: Place, ...args: string[]): string[] {
  const ended = at.run('diff', ...args)
  expect(ended).toMatchObject({ code: 0 })
  return ended.stdout === '' ? [] : ended.stdout.trimEnd().split('\n')
}

function twoStates(): { at: Place; source: string; change: () => void } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'gone/deep'), { recursive: true })
  mkdirSync(join(source, 'still'))
  mkdirSync(join(source, 'mode'))
  for (const name of ['a', 'b', 'c', 'will-be-folder', 'gone/deep/file', 'still/one', 'still/two', 'touched']) writeFileSync(join(source, name), `text of ${name}`)
  symlinkSync('a', join(source, 'link'))
  at.run('init')
  const change = (): void => {
    writeFileSync(join(source, 'a'), 'other text of a')
    chmodSync(join(source, 'b'), 0o600)
    rmSync(join(source, 'gone'), { recursive: true })
    unlinkSync(join(source, 'will-be-folder'))
    mkdirSync(join(source, 'will-be-folder/new'), { recursive: true })
    writeFileSync(join(source, 'will-be-folder/new/file'), '')
    chmodSync(join(source, 'mode'), 0o700)
    utimesSync(join(source, 'touched'), 1e9, 1e9)
    unlinkSync(join(source, 'link'))
    symlinkSync('b', join(source, 'link'))
    writeFileSync(join(source, 'still/ten'), '')
  }
  return { at, source, change }
}

const EXPECTED = (source: string): string[] => [
  `M ${source}/a`,
  `U ${source}/b`,
  `- ${source}/gone`,
  `- ${source}/gone/deep`,
  `- ${source}/gone/deep/file`,
  `M ${source}/link`,
  `U ${source}/mode`,
  `+ ${source}/still/ten`,
  `U ${source}/touched`,
  `T ${source}/will-be-folder`,
  `+ ${source}/will-be-folder/new`,
  `+ ${source}/will-be-folder/new/file`,
]

test('two snapshots differ in lines of + - M T U, and the exit code is 0', () => {
  const { at, source, change } = twoStates()
  at.run('backup', source)
  change()
  at.run('backup', source)
  expect(lines(at, 'latest~1', 'latest')).toEqual(EXPECTED(source))
  expect(lines(at, 'latest', 'latest')).toEqual([])
  expect(lines(at, `latest~1:${source}/still`, 'latest')).toEqual([`+ ${source}/still/ten`])
  expect(lines(at, 'latest', 'latest~1')).toContain(`- ${source}/still/ten`)
  expect(lines(at, `latest~1:${source}/a`, `latest:${source}/b`)).toEqual([`M ${source}/a`])
  expect(lines(at, '--folder-times', 'latest~1', 'latest')).toContain(`U ${source}/still`)
}, 120_000)

test('with --json each difference is an event with both nodes, and a summary counts them', () => {
  const { at, source, change } = twoStates()
  at.run('backup', source)
  change()
  at.run('backup', source)
  const all = events(at.run('diff', 'latest~1', 'latest', '--json').stdout)
  expect(all.at(-1)).toEqual({ type: 'summary', added: 3, removed: 3, content_changed: 2, type_changed: 1, metadata_changed: 3, silent: 0, problems: 0 })
  expect(all.find((event) => event['path'] === `${source}/b`)).toMatchObject({ type: 'difference', change: 'metadata', fields: ['mode'], before: { mode: '0644' }, after: { mode: '0600' } })
  expect(all.find((event) => event['path'] === `${source}/gone`)).toMatchObject({ change: 'removed', after: null })
}, 120_000)

test('a snapshot differs from the files as they are now in the same lines', () => {
  const { at, source, change } = twoStates()
  at.run('backup', source)
  expect(lines(at, 'latest', source)).toEqual([])
  expect(lines(at, 'latest', '.')).toEqual([])
  expect(lines(at, 'latest', '/')).toEqual([])
  change()
  expect(lines(at, 'latest', source)).toEqual(EXPECTED(source))
  expect(lines(at, 'latest', './source')).toEqual(EXPECTED(source))
  expect(lines(at, 'latest', '/')).toEqual(EXPECTED(source))
  expect(lines(at, 'latest', `${source}/a`)).toEqual([`M ${source}/a`])
  expect(lines(at, 'latest', source, '--exclude', 'will-be-folder', '--exclude', 'gone')).toHaveLength(6)
}, 120_000)

test('restored files are compared with where they came from', () => {
  const { at, source } = twoStates()
  at.run('backup', source)
  const target = join(at.folder, 'target')
  at.run('restore', `latest:${source}`, '--target', target)
  expect(lines(at, `latest:${source}`, target, '--content')).toEqual([])
  writeFileSync(join(target, 'still/one'), 'text of still/ONE')
  expect(lines(at, `latest:${source}`, target)).toEqual([`M ${source}/still/one`])
  renameSync(join(target, 'a'), join(target, 'A'))
  linkSync(join(target, 'b'), join(target, 'zz'))
  expect(lines(at, `latest:${source}`, target)).toEqual([`+ ${source}/A`, `- ${source}/a`, `M ${source}/still/one`, `+ ${source}/zz`])
}, 120_000)

test('--content finds bytes that changed while size and time did not', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'large'), Buffer.alloc(5_000_000, 'abc'))
  writeFileSync(join(source, 'small'), 'sound')
  at.run('init')
  at.run('backup', source)
  const fd = openSync(join(source, 'large'), 'r+')
  const { atime, mtime } = fstatSync(fd)
  const nanoseconds = statSync(join(source, 'large'), { bigint: true }).mtimeNs
  writeSync(fd, 'X', 4_000_000)
  futimesSync(fd, atime, mtime)
  closeSync(fd)
  // Node sets times to the microsecond only: the file gets one that it can set, and is saved so.
  expect(nanoseconds).toBeGreaterThan(0n)
  utimesSync(join(source, 'large'), 1e9, 1e9)
  at.run('backup', source)
  expect(lines(at, 'latest', source, '--content')).toEqual([])
  const again = openSync(join(source, 'large'), 'r+')
  writeSync(again, 'Y', 4_000_001)
  closeSync(again)
  utimesSync(join(source, 'large'), 1e9, 1e9)
  expect(lines(at, 'latest', source)).toEqual([])
  const ended = at.run('diff', 'latest', source, '--content')
  expect(ended).toMatchObject({ code: 0, stdout: `M ${source}/large  (its bytes changed while size and time did not)\n` })
  expect(ended.stderr).toContain('1 file changed without a trace')
  expect(events(at.run('diff', 'latest', source, '--content', '--json').stdout)[0]).toMatchObject({ change: 'content', silent: true, fields: ['content'] })
}, 120_000)

test('an attribute that is set, changed or taken away is other metadata, in snapshots and in files as they are', (context) => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'folder'), { recursive: true })
  for (const name of ['set', 'changed', 'gone', 'same']) writeFileSync(join(source, name), name)
  const set = (name: string, value: string): number | null => spawnSync('setfattr', ['-n', 'user.colour', '-v', value, join(source, name)]).status
  if (set('changed', 'red') !== 0) context.skip('the file system of temporary files keeps no attributes, or setfattr is missing (package attr)')
  set('gone', 'red')
  set('same', 'red')
  at.run('init')
  at.run('backup', source)
  set('set', 'blue')
  set('changed', 'blue')
  set('folder', 'blue')
  spawnSync('setfattr', ['-x', 'user.colour', join(source, 'gone')])
  const expected = ['changed', 'folder', 'gone', 'set'].map((name) => `U ${source}/${name}`)
  expect(lines(at, 'latest', source)).toEqual(expected)
  expect(events(at.run('diff', 'latest', source, '--json').stdout)[0]).toMatchObject({ change: 'metadata', fields: ['xattrs'] })
  at.run('backup', source)
  expect(lines(at, 'latest~1', 'latest')).toEqual(expected)
  expect(lines(at, 'latest', source)).toEqual([])
})

test('a change in one of many thousand names is found without reading the lists that are the same', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 5000; i++) writeFileSync(join(source, `name-${i}`), '')
  at.run('init')
  at.run('backup', source)
  writeFileSync(join(source, 'name-2500'), 'x')
  unlinkSync(join(source, 'name-17'))
  writeFileSync(join(source, 'zzz'), '')
  at.run('backup', source)
  expect(lines(at, 'latest~1', 'latest')).toEqual([`- ${source}/name-17`, `M ${source}/name-2500`, `+ ${source}/zzz`])
}, 120_000)

test('what cannot be compared is said in one line', () => {
  const { at, source } = twoStates()
  at.run('backup', source)
  for (const [args, code, words] of [
    [['latest', 'nothing'], 1, 'no snapshot'],
    [['latest', '/nowhere'], 1, 'does not hold'],
    [['latest'], 2, 'is missing'],
    [['latest', 'latest', '--content'], 2, 'no path'],
    [[`latest:${source}/x`, 'latest'], 1, 'does not hold'],
  ] as const) {
    const ended = at.run('diff', ...args)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(words)
    expect(ended.stderr).not.toContain('    at ')
  }
  rmSync(source, { recursive: true })
  expect(lines(at, 'latest', source)[0]).toBe(`- ${source}`)
}, 120_000)
