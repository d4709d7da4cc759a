import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { display, displayJson } from '../../src/cli/escape.ts'
import { columns, fitted, grouped, parseSize, size, table } from '../../src/cli/format.ts'
import { lastJson, type Place, place, PROGRAM, start } from '../support/nacre.ts'

function shell(at: Place, script: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('bash', ['-c', script], { cwd: at.folder, env: { ...at.environment, NODE: process.execPath, PROGRAM }, encoding: 'utf8' })
}

function noise(at: Place, files: number, bytes: number): string {
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < files; i++) writeFileSync(join(source, `file-${i}`), randomBytes(bytes))
  return source
}

function filesBelow(folder: string): number {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length : 0
}

test('a backup goes on when nobody reads its events any more', () => {
  const at = place()
  const source = noise(at, 20, 1_000_000)
  at.run('init')
  const ended = shell(at, `"$NODE" "$PROGRAM" backup ${source} --json | true; exit \${PIPESTATUS[0]}`)
  expect(ended).toMatchObject({ status: 0, stderr: '' })
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(1)
})

test('help and lists end quietly when nobody reads them', () => {
  const at = place()
  at.run('init')
  for (const command of ['help', 'backup --help', 'snapshots --json', 'cat config']) {
    const ended = shell(at, `"$NODE" "$PROGRAM" ${command} | true; exit \${PIPESTATUS[0]}`)
    expect(ended).toMatchObject({ status: 0, stderr: '' })
  }
})

test.runIf(process.platform === 'linux')('results that cannot be written are an error', () => {
  const at = place()
  at.run('init')
  const ended = shell(at, '"$NODE" "$PROGRAM" cat config > /dev/full')
  expect(ended.status).toBe(1)
  expect(ended.stderr).toContain('nacre: the results cannot be written')
})

test('events of a backup are JSON, line by line, and end with a summary', () => {
  const at = place()
  const source = noise(at, 3, 100)
  at.run('init')
  const ended = at.run('backup', source, join(at.folder, 'gone'), '--json')
  expect(ended.code).toBe(3)
  expect(ended.stderr).toBe('')
  const events = ended.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(events.find((event) => event['type'] === 'skipped')).toMatchObject({ path: join(at.folder, 'gone'), reason: 'missing' })
  expect(events.at(-1)).toMatchObject({ type: 'summary', files_new: 3, total_bytes: 300, skipped: 1, parent: null })
  expect(events.at(-1)!['snapshot_id']).toMatch(/^[0-9a-f]{32}$/)
  expect(events.at(-1)!['duration_s']).toBeGreaterThan(0)
  const [snapshot] = JSON.parse(at.run('snapshots', '--json').stdout) as Record<string, unknown>[]
  expect(Object.keys(snapshot!)).toEqual(expect.arrayContaining(['id', 'short_id', 'time', 'host', 'user', 'paths', 'tags', 'label', 'description', 'parent', 'tree', 'summary', 'program']))
  expect(snapshot!['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)$/)
})

test('a failure is the last event, with its code', () => {
  const at = place()
  expect(lastJson(at.run('check', '--json').stdout)).toMatchObject({ type: 'error', code: 'REPOSITORY_NOT_FOUND', path: at.repo })
  expect(lastJson(at.run('snapshots', '--json', '--nonsense').stdout)).toMatchObject({ type: 'error', code: 'INVALID_ARGUMENT' })
})

test('commands that change keys speak JSON too', () => {
  const at = place()
  const id = lastJson(at.run('init', '--json').stdout)['repository_id']
  expect(id).toMatch(/^[0-9a-f]{32}$/)
  const { added } = lastJson(at.run('key', 'add', '--new-password-command', 'echo second', '--json').stdout)
  expect(added).toMatch(/^[0-9a-f]+$/)
  expect(lastJson(at.run('key', 'remove', String(added), '--json').stdout)).toMatchObject({ removed: added })
})

test('-q leaves results only, and nothing of a backup on stderr', () => {
  const at = place()
  const source = noise(at, 1, 10)
  at.run('init')
  expect(at.run('backup', source, '-q')).toMatchObject({ code: 0, stderr: '' })
})

test.runIf(process.platform === 'linux')('SIGUSR1 prints how far it is, and does not open a debugger', async () => {
  const at = place()
  const source = noise(at, 30, 8_000_000)
  at.run('init')
  const child = start(at, 'backup', source, '--compression', '19')
  let told = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (told += text))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  while (child.exitCode === null && filesBelow(join(at.repo, 'sessions')) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  const asking = setInterval(() => child.kill('SIGUSR1'), 300)
  while (!/MiB.*\/s/.test(told) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50))
  clearInterval(asking)
  child.kill('SIGTERM')
  await ended
  expect(told).toMatch(/MiB.*\/s/)
  expect(told).not.toMatch(/debugger/i)
}, 240_000)

test('--no-cache leaves nothing behind, whoever ends it', () => {
  const at = place()
  at.run('init')
  const temporary = join(at.folder, 'tmp')
  mkdirSync(temporary)
  expect(at.runWith({ TMPDIR: temporary }, 'snapshots', '--no-cache')).toMatchObject({ code: 0 })
  expect(shell(at, `TMPDIR=${temporary} "$NODE" "$PROGRAM" cat config --no-cache | true`)).toMatchObject({ status: 0 })
  expect(readdirSync(temporary)).toEqual([])
})

test('without a HOME the cache folder is the user\'s alone, or it is refused', () => {
  const at = place()
  at.run('init')
  const without = { HOME: undefined, NACRE_CACHE_DIR: undefined, XDG_CACHE_HOME: undefined, TMPDIR: at.folder }
  expect(at.runWith(without, 'snapshots')).toMatchObject({ code: 0 })
  const cache = join(at.folder, readdirSync(at.folder).find((name) => name.startsWith('nacre-cache-'))!)
  expect(statSync(cache).mode & 0o777).toBe(0o700)
  chmodSync(cache, 0o755)
  const refused = at.runWith(without, 'snapshots')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('--cache-dir')
})

test('a password comes by a descriptor', () => {
  const at = place()
  at.run('init')
  const ended = shell(at, `unset NACRE_PASSWORD; "$NODE" "$PROGRAM" snapshots --password-fd 5 5<<<'${at.environment['NACRE_PASSWORD']}'`)
  expect(ended.status).toBe(0)
  expect(shell(at, 'unset NACRE_PASSWORD; "$NODE" "$PROGRAM" snapshots --password-fd 77')).toMatchObject({ status: 2 })
})

test('a password command gets no secret, and its failure is told', () => {
  const at = place()
  at.run('init')
  const names = 'test -z "$NACRE_PASSWORD$NACRE_PASSWORD_FILE$NACRE_PASSWORD_COMMAND" || exit 9; echo correct horse'
  expect(at.runWith({ NACRE_PASSWORD_FILE: '/nowhere' }, 'snapshots', '--password-command', names)).toMatchObject({ code: 0 })
  const failed = at.run('snapshots', '--password-command', 'exit 7')
  expect(failed.code).toBe(2)
  expect(failed.stderr).toContain('exit 7')
})

test.runIf(process.platform === 'linux')('the terminal asks, twice for a new password, and shows none', async () => {
  const at = place()
  const ask = async (command: string, answers: string[]): Promise<{ code: number | null; screen: string }> => {
    const child = spawn('script', ['-qec', `'${process.execPath}' '${PROGRAM}' ${command}`, '/dev/null'], { env: { ...Object.fromEntries(Object.entries(at.environment).filter(([name]) => name !== 'NACRE_PASSWORD')), TERM: 'xterm' }, cwd: at.folder })
    let screen = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const before = screen.split(': ').length
      screen += text
      for (let i = before; i < screen.split(': ').length; i++) child.stdin.write(`${answers.shift() ?? ''}\r`)
    })
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
    return { code, screen }
  }
  const differs = await ask('init', ['typed secret', 'another one'])
  expect(differs).toMatchObject({ code: 1 })
  expect(differs.screen).toContain('the two passwords differ')
  const made = await ask('init', ['typed secret', 'typed secret'])
  expect(made).toMatchObject({ code: 0 })
  expect(made.screen).not.toContain('typed secret')
  expect(await ask('snapshots', ['typed secret'])).toMatchObject({ code: 0 })
  expect(await ask('snapshots', ['wrong'])).toMatchObject({ code: 12 })
  const interrupted = await ask('snapshots', ['\u0003'])
  expect(interrupted.code).toBe(130)
}, 240_000)

test('text of others is shown without what drives a terminal', () => {
  expect(display('a\u001b]0;x\u0007\u009b\u007f\u202e\u2066\n\udce9é漢')).toBe('a\\x1b]0;x\\x07\\x9b\\x7f\\u202e\\u2066\\x0a\\xe9é漢')
  const value = { 'name\u202e': '\u009b\u007f\u2028"\\' }
  expect(displayJson(value)).toMatch(/^[\x20-\x7e]+$/)
  expect(JSON.parse(displayJson(value))).toEqual(value)
})

test('sizes, numbers and tables', () => {
  expect(['128K', '128KiB', '1.5M', '7', '2tb', '10B'].map(parseSize)).toEqual([131072, 131072, 1572864, 7, 2 * 1024 ** 4, 10])
  expect(['', 'K', '-1', '1X', '1e3', '0x10'].map(parseSize)).toEqual(Array.from({ length: 6 }, () => undefined))
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567'])
  expect([0, 1023, 1024, 1536 * 1024].map(size)).toEqual(['0 B', '1023 B', '1.00 KiB', '1.50 MiB'])
  expect(columns('a漢é')).toBe(4)
  expect(columns(fitted('漢'.repeat(50), 21))).toBeLessThanOrEqual(21)
  expect(table(['x', 'y'], [['漢', '1'], ['abc', '2']])).toBe('x    y\n漢   1\nabc  2')
})
