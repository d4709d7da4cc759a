import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { helpOf } from '../../src/cli/help.ts'
import { argumentBytes, decodeArgument } from '../../src/cli/raw-arguments.ts'
import { place, PROGRAM } from '../support/nacre.ts'

describe('what the command line refuses with exit 2, in one line', () => {
  test.each([
    [['toString'], 'there is no command "toString"'],
    [['help', 'snapshot'], 'did you mean nacre snapshots?'],
    [['key', 'constructor'], 'key has no "constructor"'],
    [['cat', '__proto__'], 'no kind of object'],
    [['snapshots', '--__proto__=1'], 'unknown option --__proto__'],
    [['snapshots', '-r'], '--repo needs a value'],
    [['snapshots', '--host'], '--host needs a value (--host=HOST)'],
    [['snapshots', '--json=5'], '--json takes no value'],
    [['backup', '--force=no', '.'], '--force takes no value'],
    [['backup', '--parent', 'a', '--parent', 'b', '.'], '--parent was given more than once'],
    [['snapshots', '-x'], 'unknown option -x'],
    [['ls', '\u001b[31m', '\u001b[32m'], '"\\x1b[32m" is one argument too many'],
  ])('%j', (args, message) => {
    const ended = place().run(...args)
    expect(ended.stderr).toContain(message)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/^nacre: /)
    expect(ended.stderr).not.toContain('bug')
    expect(ended.stdout).toBe('')
  })
})

test('without a command it lists the commands and exits 2', () => {
  const ended = place().run()
  expect(ended).toMatchObject({ code: 2, stdout: '' })
  expect(ended.stderr).toContain('  backup ')
})

test('the version is shown before and after a command', () => {
  const at = place()
  expect(at.run('--version')).toMatchObject({ code: 0 })
  expect(at.run('snapshots', '--version').stdout).toBe(at.run('--version').stdout)
})

test('a level below zero, a value that begins with a dash, and options that end', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, '-l'), 'x')
  at.run('init')
  expect(at.run('backup', source, '--compression', '-7', '--label', '-z', '--tag=')).toMatchObject({ code: 0 })
  expect(at.run('backup', source, '--compression=-7')).toMatchObject({ code: 0 })
  const named = at.run('backup', '--dry-run', '--', '-l')
  expect(named.code).toBe(1)
  expect(named.stderr).toContain(join(at.folder, '-l'))
  expect(JSON.parse(at.run('snapshots', '--json', '--label', '-z').stdout)).toMatchObject([{ label: '-z', tags: [] }])
})

describe('help', () => {
  const command = { usage: 'do THING', summary: 'word '.repeat(40).trim(), example: ['do it', 'does it'], options: { level: { kind: 'text', value: 'N', describe: 'word '.repeat(30).trim() } }, positionals: [0, 0], run: () => Promise.resolve(0) } as const

  test.each([20, 60, 80, 200])('keeps words whole and to the width of the terminal: %i', (width) => {
    const lines = helpOf(command, width).split('\n')
    expect(lines.filter((line) => /\bw(or?)?$|^\s*o?rd\b/.test(line))).toEqual([])
    expect(Math.max(...lines.filter((line) => line.includes('word')).map((line) => line.length))).toBeLessThanOrEqual(Math.max(width, 46))
  })

  test('names the values of options', () => {
    const ended = place().run('backup', '--help')
    expect(ended.stdout).toContain('--exclude PATTERN')
    expect(ended.stdout).toContain('-r, --repo LOCATION')
    expect(ended.stdout).toContain('nacre -r /backup/repo backup')
  })
})

test('bytes that are no text pass through the arguments', () => {
  const samples = [[0x61, 0xe9], [0xff], [0xc3, 0xa9, 0xc3], [0xed, 0xb2, 0x80], [0xf0, 0x9f, 0x98, 0x80, 0xf0, 0x9f], [0xef, 0xbf, 0xbd], []]
  for (const sample of samples) {
    const bytes = Uint8Array.from(sample)
    const back = argumentBytes(decodeArgument(bytes))
    expect(typeof back === 'string' ? new Uint8Array(Buffer.from(back)) : back).toEqual(bytes)
  }
})

test.runIf(process.platform === 'linux')('names that differ only in bytes that are no text are told apart', () => {
  const at = place()
  const shell = (script: string): { status: number | null; stdout: string; stderr: string } => spawnSync('bash', ['-c', script], { cwd: at.folder, env: { ...at.environment, NODE: process.execPath, PROGRAM }, encoding: 'utf8' })
  at.run('init')
  const saved = shell(String.raw`touch $'a\xe9' $'a\xe8' && "$NODE" "$PROGRAM" backup $'a\xe9' $'a\xe8'`)
  expect(saved).toMatchObject({ status: 0 })
  expect(at.run('ls', `latest:${at.folder}`).stdout).toBe(`${at.folder}/a\\xe8\n${at.folder}/a\\xe9\n`)
  expect(shell(String.raw`"$NODE" "$PROGRAM" ls "latest:$PWD/"$'a\xe8'`).stdout).toBe(`${at.folder}/a\\xe8\n`)
  expect(shell(String.raw`"$NODE" "$PROGRAM" restore "latest:$PWD" --target $'t\xff'`)).toMatchObject({ status: 0 })
  const target = readdirSync(Buffer.from(at.folder), { encoding: 'buffer' }).find((name) => name.equals(Buffer.from([0x74, 0xff])))
  expect(target).toBeDefined()
  const refused = shell(String.raw`"$NODE" "$PROGRAM" backup . --tag $'\xff'`)
  expect(refused.status).toBe(2)
  expect(refused.stderr).toContain('--tag is not valid UTF-8: "\\xff"')
})
