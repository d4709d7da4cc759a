import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lastJson, place, PROGRAM, start } from '../support/nacre.ts'

/** No mistake of a user shows where in the program it was met. */
function expectOneClearLine(stderr: string): void {
  expect(stderr).toMatch(/^nacre: /)
  expect(stderr).not.toMatch(/\n\s+at /)
  expect(stderr).not.toContain('bug')
}

describe('wrong usage exits 2', () => {
  test.each([
    [['backup'], 'what is to be backed up'],
    [['backup', ''], 'a PATH is empty'],
    [['backup', '.', '--exlude', 'x'], 'did you mean --exclude?'],
    [['snapshot'], 'did you mean nacre snapshots?'],
    [['restore', 'latest'], '--target'],
    [['backup', '.', '--compression', '99'], '-7 to 19'],
    [['backup', '.', '--threads', 'many'], '--threads takes a number'],
    [['backup', '.', '--verify-upload', 'some'], '--verify-upload takes'],
    [['check', '--read-data-subset', 'half'], '--read-data-subset takes'],
    [['init', '--chunk-size', '100K'], 'power of two'],
    [['backup', '.', '--time', 'soon'], 'is no time'],
    [['snapshots', '--latest', '0'], '--latest takes'],
    [['snapshots', 'extra'], 'one argument too many'],
    [['key', 'lst'], 'did you mean key list?'],
  ])('%j', (args, message) => {
    const at = place()
    const ended = at.run(...args)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(message)
    expectOneClearLine(ended.stderr)
  })

  test('no repository named', () => {
    const ended = place().runWith({ NACRE_REPOSITORY: undefined }, 'snapshots')
    expect(ended.code).toBe(2)
    expectOneClearLine(ended.stderr)
  })
})

test('help shows an example for every command, and the overview names them all', () => {
  const at = place()
  const overview = at.run('help')
  expect(overview.code).toBe(0)
  for (const name of ['init', 'backup', 'snapshots', 'ls', 'restore', 'check', 'probe', 'stats', 'cat', 'key', 'cache']) {
    expect(overview.stdout).toContain(`  ${name} `)
    const help = at.run(name, '--help')
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('Examples:')
  }
  expect(at.run('--version').stdout).toMatch(/^nacre \d+\.\d+\.\d+\n$/)
}, 240_000)

test('no repository there exits 10', () => {
  const at = place()
  expect(at.run('snapshots')).toMatchObject({ code: 10 })
  mkdirSync(at.repo)
  const ended = at.run('snapshots', '--json')
  expect(ended.code).toBe(10)
  expect(lastJson(ended.stdout)).toMatchObject({ type: 'error', code: 'REPOSITORY_NOT_FOUND' })
})

test('probe tries the storage without a password, and takes away what it made', () => {
  const at = place()
  expect(at.run('probe')).toMatchObject({ code: 10 })
  at.run('init')
  const ended = at.runWith({ NACRE_PASSWORD: undefined }, 'probe')
  expect(ended).toMatchObject({ code: 0, stdout: `${at.repo} does what nacre relies on\n` })
  expect(readdirSync(join(at.repo, 'probes'))).toEqual([])
  expect(lastJson(at.run('probe', '--json').stdout)).toMatchObject({ type: 'summary', suitable: true, problems: [], left_behind: null, network_file_system: null })
})

test('a second init leaves the repository as it is', () => {
  const at = place()
  at.run('init')
  const before = readFileSync(join(at.repo, 'config'))
  const ended = at.run('init')
  expect(ended.code).toBe(1)
  expectOneClearLine(ended.stderr)
  expect(readFileSync(join(at.repo, 'config'))).toEqual(before)
  expect(readdirSync(join(at.repo, 'keys'))).toHaveLength(1)
})

test('a wrong password exits 12, a tampered slot says so', () => {
  const at = place()
  at.run('init')
  expect(at.runWith({ NACRE_PASSWORD: 'wrong' }, 'snapshots')).toMatchObject({ code: 12 })
  const slot = join(at.repo, 'keys', readdirSync(join(at.repo, 'keys'))[0]!)
  const bytes = readFileSync(slot)
  bytes[70]! ^= 1
  chmodSync(slot, 0o600)
  writeFileSync(slot, bytes)
  const ended = at.run('snapshots')
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain('tampered')
  expect(ended.stderr).not.toContain('wrong password')
})

test('empty passwords and password files that others can read are refused', () => {
  const at = place()
  expect(at.runWith({ NACRE_PASSWORD: '' }, 'init')).toMatchObject({ code: 1 })
  const file = join(at.folder, 'password')
  writeFileSync(file, 'secret\n', { mode: 0o644 })
  const ended = at.runWith({ NACRE_PASSWORD: undefined }, 'init', '--password-file', file)
  expect(ended.code).toBe(2)
  expect(ended.stderr).toContain('chmod 600')
  chmodSync(file, 0o600)
  expect(at.runWith({ NACRE_PASSWORD: undefined }, 'init', '--password-file', file)).toMatchObject({ code: 0 })
  expect(at.runWith({ NACRE_PASSWORD: undefined, NACRE_PASSWORD_COMMAND: 'echo secret' }, 'snapshots')).toMatchObject({ code: 0 })
  expect(at.runWith({ NACRE_PASSWORD: undefined }, 'snapshots', '--password-command', 'test -z "$NACRE_PASSWORD" && echo secret')).toMatchObject({ code: 0 })
  const none = at.runWith({ NACRE_PASSWORD: undefined }, 'snapshots')
  expect(none.code).toBe(2)
})

test('an unknown snapshot exits 1, an ambiguous one lists the candidates', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  at.run('init')
  expect(at.run('ls', 'latest')).toMatchObject({ code: 1 })
  for (let i = 0; i < 17; i++) at.run('backup', join(at.folder, 'file'))
  expect(at.run('ls', 'nosuch')).toMatchObject({ code: 1 })
  expect(at.run('ls', 'latest~40')).toMatchObject({ code: 1 })
  const ids = (JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]).map(({ id }) => id)
  const digit = [...'0123456789abcdef'].find((candidate) => ids.filter((id) => id.startsWith(candidate)).length > 1)!
  const ended = at.run('ls', digit)
  expect(ended.code).toBe(1)
  expect(ended.stderr).toContain(ids.find((id) => id.startsWith(digit))!.slice(0, 8))
}, 120_000)

test('a missing source is named: exit 3 when others were saved, 1 when none', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  at.run('init')
  const some = at.run('backup', join(at.folder, 'file'), join(at.folder, 'gone'))
  expect(some.code).toBe(3)
  expect(some.stderr).toContain(join(at.folder, 'gone'))
  expect(at.run('cat', 'skipped', 'latest').stdout).toBe(`missing: ${join(at.folder, 'gone')}: there is no such file or folder\n`)
  expect(lastJson(at.run('cat', 'skipped', 'latest', '--json').stdout)).toMatchObject({ path: join(at.folder, 'gone'), reason: 'missing' })
  expect(JSON.parse(at.run('cat', 'snapshot', 'latest').stdout)).toMatchObject({ skipped: 1, skipped_files: [{ reason: 'missing' }] })
  const none = at.run('backup', join(at.folder, 'gone'))
  expect(none.code).toBe(1)
  expect(none.stderr).toContain(join(at.folder, 'gone'))
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(1)
})

test('FIFOs and sockets in the source are saved as what they are, and never waited for', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  spawnSync('mkfifo', [join(source, 'fifo')])
  at.run('init')
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  expect(at.run('ls', `latest:${source}`, '-l').stdout).toMatch(/^p/)
})

test('names with escape sequences are shown escaped, and JSON gives them back', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  const name = '\u001b]52;c;x\u0007\u202eevil\n'
  writeFileSync(join(source, name), 'x')
  at.run('init')
  at.run('backup', source)
  const listed = at.run('ls', `latest:${source}`).stdout
  expect(listed.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/)
  const [node] = JSON.parse(at.run('ls', `latest:${source}`, '--json').stdout) as { name: string }[]
  expect(node!.name).toBe(name)
})

test('without a HOME it says where the cache is', () => {
  const at = place()
  at.run('init')
  const ended = at.runWith({ HOME: undefined, NACRE_CACHE_DIR: undefined, TMPDIR: at.folder }, 'snapshots')
  expect(ended.code).toBe(0)
  expect(ended.stderr).toContain('the cache is in')
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends a backup with 130 before it is done, and nothing half-written has a final name', async (signal) => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 40; i++) writeFileSync(join(source, `file-${i}`), randomBytes(8_000_000))
  at.run('init')
  const child = start(at, 'backup', source, '--compression', '19')
  const ended = new Promise((resolve) => child.once('exit', resolve))
  // Its session is there: it listens to signals, and all of the source is still before it.
  const sessions = join(at.repo, 'sessions', '0')
  while (child.exitCode === null && !(existsSync(sessions) && readdirSync(sessions).length > 0)) await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill(signal)
  expect(await ended).toBe(130)
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toEqual([])
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  rmSync(source, { recursive: true })
}, 240_000)

test('a reader that stops reading ends it quietly', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 3000; i++) writeFileSync(join(source, `a-rather-long-name-of-a-file-${i}`), '')
  at.run('init')
  at.run('backup', source)
  const ended = spawnSync('sh', ['-c', `"${process.execPath}" "${PROGRAM}" ls latest:${source} -l | head -1`], { env: at.environment, encoding: 'utf8' })
  expect(ended.stderr).toBe('')
  expect(ended.stdout.trim().split('\n')).toHaveLength(1)
})
