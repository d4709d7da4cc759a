/** What somebody meets who does not know the program yet: each mistake is one line, the right code, and says what to do. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, type Place, place } from '../support/nacre.ts'

function prepared(): { at: Place; source: string; id: string } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'some text')
  expect(at.run('init').code).toBe(0)
  const { snapshot_id: id } = lastJson(at.run('backup', source, '--json').stdout)
  return { at, source, id: String(id) }
}

test('errors of wrong use are JSON where JSON was asked for', () => {
  const at = place()
  for (const args of [['restore', 'latest', '--json'], ['nonsense', '--json'], ['--json'], ['cat', '--json']]) {
    const ended = at.run(...args)
    expect(ended.code, args.join(' ')).toBe(2)
    expect(lastJson(ended.stdout), args.join(' ')).toMatchObject({ type: 'error', code: 'INVALID_ARGUMENT' })
  }
}, 120_000)

test('wrong words are told with what would be right', () => {
  const at = place()
  const file = join(at.folder, 'file')
  writeFileSync(file, '')
  const wrong: [string[], number, string][] = [
    [['ls'], 2, 'SNAPSHOT[:PATH] is missing'],
    [['diff', 'latest'], 2, 'is missing'],
    [['check', '--read-data-subset', '0%'], 2, '--read-data-subset takes'],
    [['find', ''], 2, 'a pattern is empty'],
    [['backup', 'x', '--label', '-x'], 2, '--label=-x'],
    [['snapshots', '-r', file], 10, `${file} is not a folder`],
  ]
  for (const [args, code, words] of wrong) {
    const ended = at.run(...args)
    expect(ended.code, args.join(' ')).toBe(code)
    expect(ended.stderr).toContain(words)
    expect(ended.stderr).not.toContain('bug')
  }
  const noTemporary = at.runWith({ TMPDIR: '/nowhere/at/all' }, 'snapshots', '--no-cache')
  expect(noTemporary).toMatchObject({ code: 2, stderr: expect.stringMatching(/^nacre: no temporary cache can be made in \/nowhere\/at\/all: .*TMPDIR.*\n$/) as string })
  expect(at.runWith({ NACRE_PASSWORD: undefined }, 'init').stderr).toContain('NACRE_PASSWORD_COMMAND')
}, 120_000)

test('a backup of the repository alone is refused, and one of a folder around it is not', () => {
  const { at } = prepared()
  const alone = at.run('backup', at.repo)
  expect(alone.code).toBe(1)
  expect(alone.stderr).toContain('there is nothing to back up')
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(1)
  expect(at.run('backup', at.folder).code).toBe(0)
}, 120_000)

test('an id that is not known is answered with those that are', () => {
  const { at, id } = prepared()
  const beginning = id.startsWith('0') ? '1' : '0'
  const unknown = at.run('ls', `${beginning.repeat(8)}`)
  expect(unknown.code).toBe(1)
  expect(unknown.stderr).toContain(`there is ${id.slice(0, 8)} of `)
}, 120_000)

test('a restore of what no pattern matches ends with 1, and a plan says where things would go', () => {
  const { at, source } = prepared()
  const target = join(at.folder, 'target')
  const nothing = at.run('restore', 'latest', '--target', target, '--include', '*.nothing')
  expect(nothing.code).toBe(1)
  expect(nothing.stderr).toContain('--include')
  const planned = at.run('restore', `latest:${source}`, '--target', target, '--dry-run')
  expect(planned.code).toBe(0)
  expect(planned.stdout).toMatch(/^create +\/.*\/target\/file \(.+\)\n$/)
}, 120_000)

test('pins stand in a column of their own, and noise is not called compressed', () => {
  const { at, id } = prepared()
  expect(at.run('snapshots').stdout).not.toContain('notes')
  expect(at.run('tag', 'latest', '--add', 'daily').code).toBe(0)
  expect(at.run('pin', 'latest').code).toBe(0)
  const [head, row] = at.run('snapshots').stdout.split('\n')
  expect(row!.slice(head!.indexOf('tags')).split(/\s+/)[0]).toBe('daily')
  expect(row!.slice(head!.indexOf('notes')).split(/\s+/)[0]).toBe('pinned')
  expect(at.run('stats', id).stdout).toMatch(/not smaller: encryption adds \d+ B|compressed \d/)
  expect(at.run('stats', id).stdout).not.toContain('compressed 0.')
}, 120_000)
