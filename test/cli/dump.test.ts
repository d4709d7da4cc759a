import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Place, place, PROGRAM } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

/** What a walker of another make sees: type, mode, owner, links, size, time to the nanosecond, target. */
function walk(folder: string): string[] {
  const text = execFileSync('find', ['.', '-mindepth', '1', '!', '-type', 's', '-printf', '%p %y %m %U %G %n %s %T@ %l %D\\n'], { cwd: folder, encoding: 'latin1' })
  // A folder's size and links are the file system's affair.
  return text.trimEnd().split('\n').map((line) => line.replace(/ d (\d+ \d+ \d+) \d+ \d+ /, ' d $1 ').replace(/ \d+$/, '')).sort()
}

function sums(folder: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 sha256sum'], { cwd: folder, encoding: 'latin1' })
}

function manyKinds(folder: string): string {
  const source = join(folder, 'source')
  mkdirSync(join(source, 'sub/empty'), { recursive: true })
  writeFileSync(join(source, 'file'), 'text\n')
  writeFileSync(join(source, 'empty'), '')
  writeFileSync(join(source, 'large'), Buffer.alloc(9_000_000, 'abcdefghijk'))
  for (let i = 0; i < 300; i++) writeFileSync(join(source, 'sub', `n${i}`), `the ${i}th\n`.repeat(i))
  writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), 'latin1')
  writeFileSync(join(source, 'größe-日本'), 'utf8')
  writeFileSync(join(source, 'a'.repeat(120)), 'long name')
  const deep = join(source, 'deep', 'd'.repeat(200), 'e'.repeat(200))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'f'.repeat(100)), 'long path')
  symlinkSync('nowhere/at/all', join(source, 'link'))
  symlinkSync('x'.repeat(300), join(source, 'long-link'))
  linkSync(join(source, 'file'), join(source, 'sub/hard'))
  execFileSync('mkfifo', [join(source, 'fifo')])
  chmodSync(join(source, 'empty'), 0o4711)
  chmodSync(join(source, 'sub/empty'), 0o1777)
  execFileSync('touch', ['-d', '1969-12-31 23:59:58.75 UTC', join(source, 'sub/n1')])
  execFileSync('touch', ['-d', '2199-05-06 07:08:09.123456789 UTC', join(source, 'sub/n2')])
  utimesSync(join(source, 'deep'), 1e9, 1e9)
  return source
}

function into(at: Place, name: string): string {
  const folder = join(at.folder, name)
  mkdirSync(folder)
  return folder
}

function dumped(at: Place, file: string, ...args: string[]): string {
  const path = join(at.folder, file)
  const fd = openSync(path, 'w')
  const ended = spawnSync(process.execPath, [PROGRAM, 'dump', ...args], { env: at.environment, cwd: at.folder, stdio: ['ignore', fd, 'pipe'], encoding: 'utf8' })
  expect(ended).toMatchObject({ status: 0 })
  return path
}

test('a folder as a tar is unpacked by GNU tar and by bsdtar with everything right', () => {
  const at = place()
  const source = manyKinds(at.folder)
  at.run('init')
  at.run('backup', source)
  const tar = dumped(at, 'all.tar', `latest:${source}`)
  const gnu = into(at, 'gnu')
  const said = spawnSync('tar', ['-x', '-p', '--warning=no-timestamp', '-f', tar, '-C', gnu], { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  expect(said).toMatchObject({ status: 0, stderr: '' })
  expect(walk(gnu)).toEqual(walk(source))
  expect(sums(gnu)).toBe(sums(source))
  const bsd = into(at, 'bsd')
  const also = spawnSync('bsdtar', ['-x', '-p', '-f', tar, '-C', bsd], { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  expect(also).toMatchObject({ status: 0, stderr: '' })
  // Of times before 1970, bsdtar 3.6 takes the fraction for one that counts forwards.
  const withoutOld = (lines: string[]): string[] => lines.filter((line) => !line.startsWith('./sub/n1 '))
  expect(withoutOld(walk(bsd))).toEqual(withoutOld(walk(source)))
  expect(sums(bsd)).toBe(sums(source))
  // The folder's own attributes are in it, too.
  expect(statSync(gnu).mtimeMs).toBeCloseTo(statSync(source).mtimeMs, 0)
}, 120_000)

test('the whole snapshot has names without a leading slash', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'text')
  at.run('init')
  at.run('backup', source)
  const names = execFileSync('tar', ['-t', '-f', dumped(at, 'root.tar', 'latest')], { encoding: 'utf8' }).trimEnd().split('\n')
  expect(names.at(-1)).toBe(`${source.slice(1)}/file`)
  expect(names.every((name) => !name.startsWith('/'))).toBe(true)
}, 120_000)

test('a folder as a zip is unpacked by unzip and bsdtar', () => {
  const at = place()
  const source = manyKinds(at.folder)
  at.run('init')
  at.run('backup', source)
  const zip = dumped(at, 'all.zip', '--format', 'zip', `latest:${source}`)
  expect(execFileSync('unzip', ['-t', '-qq', zip], { encoding: 'utf8' })).toBe('')
  const target = into(at, 'unzipped')
  execFileSync('unzip', ['-q', zip, '-d', target], { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  for (const name of ['file', 'empty', 'large', 'sub/n299', 'größe-日本', 'a'.repeat(120)]) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
  expect(statSync(join(target, 'empty')).mode & 0o777).toBe(0o711)
  expect(execFileSync('readlink', [join(target, 'link')], { encoding: 'utf8' })).toBe('nowhere/at/all\n')
  expect(statSync(join(target, 'deep')).mtimeMs).toBe(1e12)
  const bsd = into(at, 'bsd')
  execFileSync('bsdtar', ['-x', '-f', zip, '-C', bsd], { env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } })
  expect(readdirSync(bsd).length).toBe(readdirSync(target).length)
}, 120_000)

test('a file comes as its bytes, and wrapped when asked for', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  const bytes = seededBytes('dump', 20_000_001)
  writeFileSync(join(source, 'noise'), bytes)
  at.run('init')
  at.run('backup', source)
  expect(readFileSync(dumped(at, 'out', `latest:${source}/noise`)).equals(bytes)).toBe(true)
  expect(execFileSync('tar', ['-t', '-f', dumped(at, 'one.tar', '--format', 'tar', `latest:${source}/noise`)], { encoding: 'utf8' })).toBe('noise\n')
  // Whoever reads the beginning only ends it, quietly.
  const head = spawnSync('bash', ['-c', 'set -o pipefail; "$0" "$1" dump "$2" | head -c 1000 | wc -c; echo "${PIPESTATUS[0]}"', process.execPath, PROGRAM, `latest:${source}/noise`], { env: at.environment, encoding: 'utf8' })
  expect(head.stdout.trim().split(/\s+/)).toEqual(['1000', '0'])
  expect(head.stderr).toBe('')
}, 120_000)

test('what is damaged or missing is an error, and no byte is invented', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  const bytes = seededBytes('damage', 3_000_000)
  writeFileSync(join(source, 'noise'), bytes)
  at.run('init')
  at.run('backup', source)
  at.run('ls', '--recursive', 'latest')
  const packs = execFileSync('find', [join(at.repo, 'packs'), '-type', 'f', '-size', '+500k'], { encoding: 'utf8' }).trim().split('\n')
  expect(packs.length).toBeGreaterThan(0)
  for (const pack of packs) {
    chmodSync(pack, 0o600)
    const fd = openSync(pack, 'r+')
    writeSync(fd, Buffer.alloc(64, 0xff), 0, 64, Math.floor(statSync(pack).size / 2))
  }
  const child = spawnSync(process.execPath, [PROGRAM, 'dump', `latest:${source}/noise`], { env: at.environment, maxBuffer: 1 << 28 })
  expect(child.status).toBe(1)
  expect(child.stderr.toString()).toMatch(/^nacre: .*cannot be read.*\n$/)
  expect(child.stdout.length).toBeLessThan(bytes.length)
  expect(child.stdout.equals(bytes.subarray(0, child.stdout.length))).toBe(true)
  const tar = spawnSync(process.execPath, [PROGRAM, 'dump', `latest:${source}`], { env: at.environment, maxBuffer: 1 << 28 })
  expect(tar.status).toBe(1)
  expect(spawnSync('tar', ['-t'], { input: tar.stdout }).status).not.toBe(0)
  for (const pack of packs) truncateSync(pack, 10)
  const again = spawnSync(process.execPath, [PROGRAM, 'dump', `latest:${source}/noise`], { env: at.environment, maxBuffer: 1 << 28 })
  expect(again).toMatchObject({ status: 1 })
  expect(again.stderr.toString().trimEnd().split('\n')).toHaveLength(1)
}, 120_000)

test('wrong use is one line', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  at.run('init')
  at.run('backup', join(at.folder, 'file'))
  expect(at.run('dump', 'latest', '--format', 'rar')).toMatchObject({ code: 2, stderr: 'nacre: --format takes tar or zip, not "rar"\n' })
  expect(at.run('dump', 'latest:/nothing')).toMatchObject({ code: 1 })
  expect(at.run('dump', 'nosuch')).toMatchObject({ code: 1 })
}, 120_000)
