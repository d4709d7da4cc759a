/** In a real terminal. Without tmux these are skipped, and in CI they fail instead. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Place, place, PROGRAM } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { hasTmux, type Terminal, terminalOf } from '../support/terminal.ts'

const NOISE = seededBytes('browse', 70_000)

/** A folder of letters, in one snapshot or two. */
function withLetters(count = 1): Place & { readonly source: string } {
  const at = place()
  const source = join(at.folder, 'letters')
  mkdirSync(join(source, 'sub'), { recursive: true })
  const second = 'dear aunt\n2nd line\nthe end\nof it\n'
  writeFileSync(join(source, 'aunt.txt'), count === 1 ? second : 'dear aunt\nsecond line\nthe end\n')
  utimesSync(join(source, 'aunt.txt'), 1_700_000_000, 1_700_000_000)
  writeFileSync(join(source, 'noise'), NOISE)
  writeFileSync(join(source, '世界 it\'s'), 'wide\n')
  writeFileSync(Buffer.from(join(source, 'esc\x1b[2J')), 'x')
  writeFileSync(Buffer.concat([Buffer.from(`${source}/sub/raw`), Buffer.of(0xff)]), 'raw bytes')
  symlinkSync('aunt.txt', join(source, 'link'))
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  if (count === 2) {
    writeFileSync(join(source, 'aunt.txt'), second)
    expect(at.run('backup', source).code).toBe(0)
  }
  return { ...at, source }
}

/** The terminal is as a shell wants it, and shows what was there before. */
async function expectClean(terminal: Terminal, code: number): Promise<void> {
  const shown = await terminal.sees(/ended \d+\n[^\n]*icanon/)
  expect(shown).toContain(`ended ${code}\n icanon`)
  expect(shown).toContain('before')
  expect(['alternate_on', 'cursor_flag', 'wrap_flag'].map(terminal.format)).toEqual(['0', '1', '1'])
}

test('tmux is there, at least in CI', () => {
  expect(hasTmux || process.env['CI'] !== 'true').toBe(true)
})

describe.skipIf(!hasTmux)('browse in tmux (Debian package tmux)', () => {
  test('walks into folders, looks into files, compares versions, restores and leaves the terminal as it was', async () => {
    const at = withLetters(2)
    const terminal = terminalOf(at, ['browse'])
    await terminal.sees('nacre: 2 snapshots')
    terminal.keys('Enter')
    const folder = await terminal.sees('aunt.txt')
    for (const row of ['esc\\x1b[2J', 'link -> aunt.txt', '世界 it\'s', 'sub/']) expect(folder).toContain(row)

    terminal.keys('Enter')
    expect(await terminal.sees('of it')).toMatch(/\$ nacre dump [0-9a-f]{8}:\S*\/letters\/aunt\.txt/)
    terminal.keys('Left', 'v')
    await terminal.sees('2 versions of')
    terminal.keys('d')
    expect(await terminal.sees('+2nd line')).toContain('-second line')
    terminal.keys('Left', 'i', 'Left', 'Left')
    await terminal.sees('> ')
    terminal.keys('/')
    await terminal.sees('find:')
    terminal.type('NOIS')
    terminal.keys('Enter')
    await terminal.sees(/>.* noise/)
    terminal.keys('Enter')
    await terminal.sees(/00000000 {2}([0-9a-f]{2} ){16}/)
    terminal.keys('End')
    await terminal.sees('(the first 65536 of 70000 bytes)')

    // What is marked: a file and a folder with a name that is no text in it.
    terminal.keys('Left', 'Space')
    await terminal.sees('[1 marked]')
    terminal.keys('/')
    await terminal.sees('find:')
    terminal.type('sub')
    terminal.keys('Enter')
    await terminal.sees(/>.* sub\//)
    terminal.keys('Space')
    expect(await terminal.sees('[2 marked]')).toMatch(/\$ nacre restore [0-9a-f]{8}:.*--include/)
    const target = join(at.folder, 'out')
    mkdirSync(target)
    writeFileSync(join(target, 'noise'), 'mine')
    terminal.keys('r')
    await terminal.sees('restore to:')
    terminal.type(target)
    terminal.keys('Enter')
    expect(await terminal.sees(/restored \d+ file/)).toContain('which was kept')
    expect(readFileSync(Buffer.concat([Buffer.from(`${target}/sub/raw`), Buffer.of(0xff)]), 'utf8')).toBe('raw bytes')
    expect(readFileSync(join(target, 'noise'), 'utf8')).toBe('mine')

    terminal.keys('Left', '?')
    await terminal.sees('what differs from')
    terminal.resize(40, 10)
    await terminal.sees(/^keys\s*\n(.*\n){8}\? help {2}q quit/)
    terminal.keys('q')
    await expectClean(terminal, 0)
  })

  test('restores a file to the byte by the command that it shows, and by itself', async () => {
    const at = withLetters()
    const terminal = terminalOf(at, ['-r', at.repo, 'browse', `latest:${at.source}/noise`], { columns: 200 })
    await terminal.sees(/>.* noise/)
    terminal.keys('r')
    await terminal.sees('restore to:')
    const target = join(at.folder, 'out \'of\' it')
    terminal.type(target)
    const shown = await terminal.sees(/\$ nacre -r .* restore .* --target .*it'/)
    const command = /\$ nacre (.*)/.exec(shown)![1]!.trim()
    terminal.keys('Enter')
    await terminal.sees('restored 1 file')
    expect(Buffer.compare(readFileSync(join(target, 'noise')), NOISE)).toBe(0)
    renameSync(target, `${target} before`)
    terminal.keys('q')
    await expectClean(terminal, 0)
    spawnSync('sh', ['-c', `${process.execPath} ${PROGRAM} ${command}`], { env: at.environment })
    expect(Buffer.compare(readFileSync(join(target, 'noise')), NOISE)).toBe(0)
  })

  test('what cannot be read is a line, and is read when the storage is back', async () => {
    const at = withLetters()
    const terminal = terminalOf(at, ['browse', `latest:${at.source}`, '--no-cache'])
    await terminal.sees('> ')
    await terminal.sees('aunt.txt')
    renameSync(join(at.repo, 'packs'), join(at.repo, 'packs.away'))
    terminal.keys('Enter')
    expect(await terminal.sees(/cannot be read|that did not work/)).not.toMatch(/ at .*\.js:\d/)
    renameSync(join(at.repo, 'packs.away'), join(at.repo, 'packs'))
    await terminal.until(() => {
      if (/> .*aunt\.txt/.test(terminal.screen())) return true
      terminal.keys('Left')
      return false
    }, 'the folder')
    terminal.keys('Enter')
    await terminal.sees('of it')
    terminal.keys('C-c')
    await expectClean(terminal, 130)
  })

  test('asks for the password before the screen, and SIGTERM leaves the terminal as it was', async () => {
    const at = withLetters()
    const terminal = terminalOf(at, ['browse'], { environment: { NACRE_PASSWORD: undefined, NO_COLOR: '1' } })
    await terminal.sees('password for the repository:')
    terminal.type('correct horse')
    terminal.keys('Enter')
    await terminal.sees('nacre: 1 snapshot')
    expect(terminal.screen()).not.toContain('correct')
    process.kill(terminal.pid(), 'SIGTERM')
    await expectClean(terminal, 130)
    expect(terminal.screen()).toContain('nacre: interrupted by SIGTERM')
  })

  test('begins where it is told to, among what the filters leave, and says in a line what is not there', async () => {
    const at = withLetters()
    const terminal = terminalOf(at, ['browse', 'latest:/nowhere'])
    await terminal.sees('the snapshot does not hold /nowhere')
    await expectClean(terminal, 1)
    const none = terminalOf(at, ['browse', '--host', 'elsewhere'])
    await none.sees('there is no snapshot to look at')
    await expectClean(none, 1)
  })
})

test('without a terminal there is one clear line', () => {
  const at = place()
  expect(at.run('browse')).toMatchObject({ code: 2, stdout: '' })
  expect(at.run('browse').stderr).toMatch(/^nacre: browse needs a terminal .*\n$/)
  expect(at.run('browse', '--json').stderr).toMatch(/^nacre: browse is for people .*\n$/)
})
