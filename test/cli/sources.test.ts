/** What goes into a backup, by the built program. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, place, type Place, PROGRAM } from '../support/nacre.ts'

function prepared(): Place & { readonly source: string } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'sub'), { recursive: true })
  for (const name of ['a.txt', 'b.log', 'sub/c.txt', 'sub/d.LOG']) writeFileSync(join(source, name), name)
  expect(at.run('init').code).toBe(0)
  return { ...at, source }
}

const listed = (at: Place, below: string): string[] => at.run('ls', 'latest', '--recursive').stdout.split('\n').filter((line) => line.startsWith(`${below}/`)).map((line) => line.slice(below.length + 1))
const piped = (at: Place, input: Buffer | string, ...args: string[]): ReturnType<typeof spawnSync> => spawnSync(process.execPath, [PROGRAM, ...args], { env: at.environment, cwd: at.folder, input })

test('rules count in the order in which they are written, and -v tells what each took', () => {
  const at = prepared()
  writeFileSync(join(at.folder, 'rules'), '# logs\n*.log\n')
  const ended = at.run('backup', at.source, '--exclude', '*.txt', '--exclude-file=rules', '--include', 'a.txt', '--iexclude', 'D.*', '--dry-run', '-v')
  expect(ended.code).toBe(0)
  expect(ended.stderr).toContain(`excluded ${at.source}/b.log (rules:2 *.log)`)
  expect(ended.stderr).toContain(`excluded ${at.source}/sub/d.LOG (--iexclude D.*)`)
  expect(ended.stderr).toContain('--exclude *.txt took 1')
  expect(at.run('backup', at.source, '--include', 'a.txt', '--exclude', '*.txt').code).toBe(0)
  expect(listed(at, at.source)).toEqual(['b.log', 'sub', 'sub/d.LOG'])
}, 120_000)

test('a pattern that is none is told with its place, and a filter that leaves nothing makes no snapshot', () => {
  const at = prepared()
  const wrong = at.run('backup', at.source, '--exclude', 'x[a')
  expect([wrong.code, wrong.stderr]).toEqual([2, 'nacre: --exclude: the pattern "x[a" can match nothing: the bracket is not closed (character 2)\n'])
  writeFileSync(join(at.folder, 'rules'), 'fine\nnot\\\n')
  expect(at.run('backup', at.source, '--exclude-file', 'rules')).toMatchObject({ code: 2 })
  const nothing = at.run('backup', at.source, '--exclude', '*')
  expect(nothing.code).toBe(1)
  expect(nothing.stderr).toContain('the filter leaves nothing')
  expect(at.run('backup', at.source, '--exclude', '*', '--allow-empty').code).toBe(0)
}, 120_000)

test('paths come from lists, also from the standard input', () => {
  const at = prepared()
  writeFileSync(join(at.folder, 'list'), `${at.source}/a.txt\n\nsource/sub\r\n`)
  expect(at.run('backup', '--files-from', 'list').code).toBe(0)
  expect(listed(at, at.source)).toEqual(['a.txt', 'sub', 'sub/c.txt', 'sub/d.LOG'])
  expect(piped(at, `${at.source}/b.log\0`, 'backup', '--files-from0', '-').status).toBe(0)
  expect(listed(at, at.source)).toEqual(['b.log'])
  expect(at.run('backup').code).toBe(2)
}, 120_000)

test('a stream is one file, and a command that fails makes no snapshot', () => {
  const at = prepared()
  const input = Buffer.alloc(20_000_000, 'a line of many\n')
  expect(piped(at, input, 'backup', '--stdin', '--stdin-filename', 'db/dump.sql').status).toBe(0)
  expect(at.run('restore', 'latest:/db', '--target', 'out', '--verify').code).toBe(0)
  expect(spawnSync('cmp', [join(at.folder, 'out/dump.sql'), '-'], { input }).status).toBe(0)
  expect(at.run('backup', '--stdin-from-command', '--stdin-filename', 'words', '--', 'echo', '--stdin', 'words')).toMatchObject({ code: 0 })
  expect(at.run('restore', 'latest:/words', '--target', 'out').code).toBe(0)
  expect(spawnSync('cat', [join(at.folder, 'out/words')], { encoding: 'utf8' }).stdout).toBe('--stdin words\n')
  const failing = at.run('backup', '--stdin-from-command', '--', 'sh', '-c', 'echo half; exit 3')
  expect(failing.code).toBe(1)
  expect(failing.stderr).toContain('failed with exit code 3; no snapshot was made')
  expect(at.run('backup', '--stdin-from-command', '--', 'no-such-program').code).toBe(1)
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(2)
}, 120_000)

test('what lies elsewhere is shown where it belongs, and is unchanged there the next time', () => {
  const at = prepared()
  expect(at.run('backup', '--as-path', `${at.source}=/home/me`).code).toBe(0)
  expect(listed(at, '/home/me')).toEqual(['a.txt', 'b.log', 'sub', 'sub/c.txt', 'sub/d.LOG'])
  const again = at.run('backup', `${at.source}/sub`, '--as-path', `${at.source}=/home/me`, '--json')
  expect(lastJson(again.stdout)).toMatchObject({ total_files: 2 })
  expect(listed(at, '/home/me')).toEqual(['sub', 'sub/c.txt', 'sub/d.LOG'])
}, 120_000)

test('where nothing has changed there is no snapshot if that is wanted', () => {
  const at = prepared()
  expect(at.run('backup', at.source, '--skip-if-unchanged').code).toBe(0)
  writeFileSync(join(at.folder, 'a neighbour'), 'the folder above has changed')
  const same = at.run('backup', at.source, '--skip-if-unchanged')
  expect([same.code, same.stdout.includes('nothing has changed since snapshot')]).toEqual([0, true])
  writeFileSync(join(at.source, 'a.txt'), 'changed')
  expect(at.run('backup', at.source, '--skip-if-unchanged').stdout).toContain('saved')
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(2)
}, 120_000)
