import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, type Place, place, PROGRAM } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

/** As a walker of another make sees it; folders' sizes and links are the file system's affair. */
function walk(folder: string): string[] {
  const text = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%p %y %m %U %G %n %s %T@ %l\\n'], { cwd: folder, encoding: 'latin1' })
  return text.trimEnd().split('\n').map((line) => line.replace(/ d (\d+ \d+ \d+) \d+ \d+ /, ' d $1 ')).sort()
}

function sums(folder: string): string {
  return execFileSync('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 sha256sum'], { cwd: folder, encoding: 'latin1' })
}

function xattrs(folder: string): string {
  return execFileSync('sh', ['-c', 'getfattr -R -h -d -m "^user" -e hex . | sort'], { cwd: folder, encoding: 'latin1' })
}

function someSource(folder: string): string {
  const source = join(folder, 'source')
  mkdirSync(join(source, 'b/deep'), { recursive: true })
  mkdirSync(join(source, 'b-2'))
  for (let i = 0; i < 400; i++) writeFileSync(join(source, 'b', `n${i}`), `the ${i}th\n`.repeat(i % 50))
  writeFileSync(join(source, 'b/deep/large'), seededBytes('tar', 12_000_000))
  writeFileSync(join(source, 'a'.repeat(130)), 'long')
  writeFileSync(Buffer.concat([Buffer.from(`${source}/b-2/caf`), Buffer.from([0xe9])]), 'latin1')
  writeFileSync(join(source, 'größe'), 'utf8')
  symlinkSync('/etc/passwd', join(source, 'absolute'))
  symlinkSync('y'.repeat(200), join(source, 'long-link'))
  linkSync(join(source, 'b/n7'), join(source, 'z-hard'))
  linkSync(join(source, 'b/n7'), join(source, '0-hard'))
  execFileSync('mkfifo', [join(source, 'fifo')])
  chmodSync(join(source, 'b-2'), 0o3750)
  const sparse = openSync(join(source, 'sparse'), 'w')
  writeSync(sparse, 'begin')
  writeSync(sparse, 'middle', 3_000_000)
  truncateSync(join(source, 'sparse'), 5_000_000)
  execFileSync('setfattr', ['-n', 'user.eq=ual', '-v', '0x00ff0a3d', join(source, 'größe')])
  execFileSync('setfattr', ['-n', 'user.plain', '-v', 'text', join(source, 'b')])
  return source
}

function piped(at: Place, input: Buffer, ...args: string[]): { code: number | null; stderr: string; stdout: string } {
  const child = spawnSync(process.execPath, [PROGRAM, 'import-tar', '-', ...args], { env: at.environment, cwd: at.folder, input })
  return { code: child.status, stderr: child.stderr.toString(), stdout: child.stdout.toString() }
}

const LOCALE = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' }
const made: readonly (readonly [name: string, ...command: string[]])[] = [
  ['GNU tar, pax', 'tar', '-c', '--format=pax', '--xattrs', '-S'],
  ['GNU tar, gnu', 'tar', '-c', '--format=gnu', '-S'],
  ['bsdtar, pax', 'bsdtar', '-c', '--format=pax'],
]

test.each(made)('a tar of %s is imported, exported, and unpacked as it was', (name, program, ...options) => {
  const at = place()
  const source = someSource(at.folder)
  const tar = execFileSync(program!, [...options, '-C', source, '-f', '-', '.'], { maxBuffer: 1 << 28, env: LOCALE })
  at.run('init')
  const imported = piped(at, tar, '--below', '/old/place', '--tag', 'kept', '--json')
  expect(imported).toMatchObject({ code: 0, stderr: '' })
  expect(lastJson(imported.stdout)).toMatchObject({ type: 'summary', total_files: walk(source).filter((line) => !line.includes(' d ')).length })

  const out = join(at.folder, 'out.tar')
  expect(at.run('export-tar', 'latest:/old/place', out)).toMatchObject({ code: 0 })
  const target = join(at.folder, 'target')
  mkdirSync(target)
  execFileSync('tar', ['-x', '-p', '--xattrs', '-C', target, '-f', out], { env: LOCALE })
  // The gnu format keeps whole seconds, and no attributes.
  const seconds = (lines: string[]): string[] => (name.endsWith('gnu') ? lines.map((line) => line.replace(/(\d+)\.\d+/, '$1')) : lines)
  expect(seconds(walk(target))).toEqual(seconds(walk(source)))
  expect(sums(target)).toBe(sums(source))
  if (!name.endsWith('gnu')) expect(xattrs(target)).toBe(xattrs(source))
  // What is in the repository already is not stored again.
  expect(lastJson(piped(at, tar, '--json').stdout)['data_added']).toBeLessThan(200_000)
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
}, 240_000)

const BLOCK = 512

/** A header as anybody may forge it. */
function header(name: string, fields: { type?: string; size?: number | Buffer; link?: string } = {}): Buffer {
  const block = Buffer.alloc(BLOCK)
  block.write(name)
  block.write('0000644\x000000000\x000000000\x00', 100)
  if (Buffer.isBuffer(fields.size)) fields.size.copy(block, 124)
  else block.write(`${(fields.size ?? 0).toString(8).padStart(11, '0')}\0`, 124)
  block.write('00000000000\0        ', 136)
  block.write(fields.type ?? '0', 156)
  block.write(fields.link ?? '', 157)
  block.write('ustar\x0000', 257)
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

const end = Buffer.alloc(2 * BLOCK)
const huge = Buffer.from([0x80, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0])
const pax = (text: string): Buffer[] => [header('pax', { type: 'x', size: text.length }), Buffer.concat([Buffer.from(text), Buffer.alloc(BLOCK - text.length)])]

test('a hostile or broken tar makes one clear line and no snapshot', () => {
  const at = place()
  at.run('init')
  const file = Buffer.concat([Buffer.from('text'), Buffer.alloc(BLOCK - 4)])
  const cases: readonly (readonly [Buffer[], string])[] = [
    [[header('../evil', { size: 4 }), file, end], 'leads out of its folder'],
    [[header('a/../../evil'), end], 'leads out of its folder'],
    [[header('/etc/passwd'), end], 'is absolute'],
    [[header('hard', { type: '1', link: '../../etc/passwd' }), end], 'leads out of its folder'],
    [[header('hard', { type: '1', link: '/etc/passwd' }), end], 'is absolute'],
    [[header('hard', { type: '1', link: 'nothing' }), end], 'is not among its files'],
    [[header('link', { type: '2', link: '/etc' }), header('link/passwd'), end], 'which is no folder'],
    [[header('huge', { size: huge }), end], 'a size that nothing has'],
    [[...pax('28 size=1152921504606846976\n'), header('huge'), end], 'a size that nothing has'],
    [[header('large', { size: 2 ** 32 }), file], 'cut short'],
    [[header('file', { size: 4 }), file], 'cut short'],
    [[header('file', { size: 4 }), file.subarray(0, 100)], 'cut short'],
    [[header('file', { size: 4 }), file, Buffer.alloc(100)], 'cut short'],
    [[...pax('999 path=x\n'), header('file'), end], 'pax header of the tar is broken'],
    [[header('pax', { type: 'x', size: 2 ** 30 }), end], 'more than any file has'],
    [[Buffer.from('this is not a tar at all, it is text\n'.repeat(40))], 'no tar'],
    [[], 'empty'],
    [[header('strange', { type: 'M' }), end], 'does not know'],
  ]
  for (const [parts, words] of cases) {
    const ended = piped(at, Buffer.concat(parts))
    expect([words, ended.code, ended.stderr]).toEqual([words, 1, expect.stringContaining(words)])
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
  }
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toEqual([])
  expect(readdirSync(join(at.repo, 'sessions'), { recursive: true }).filter((name) => String(name).length > 10)).toEqual([])
  // Nothing of what was put aside is left.
  expect(execFileSync('find', [join(at.folder, 'cache'), '-name', 'import-*'], { encoding: 'utf8' })).toBe('')
  expect(at.run('import-tar', join(at.folder, 'missing.tar'))).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be read') as string })
}, 240_000)

test('later entries replace earlier ones, and folders that are not told of are there', () => {
  const at = place()
  at.run('init')
  const text = (content: string): Buffer => Buffer.concat([Buffer.from(content), Buffer.alloc(BLOCK - content.length)])
  const parts = [header('x/y/twice', { size: 3 }), text('old'), header('z', { size: 1 }), text('z'), header('./x//y/twice', { size: 5 }), text('newer'), header('x/', { type: '0' }), end]
  expect(piped(at, Buffer.concat(parts))).toMatchObject({ code: 0 })
  expect(at.run('ls', 'latest', '--recursive').stdout).toBe('/x\n/x/y\n/x/y/twice\n/z\n')
  expect(at.run('dump', 'latest:/x/y/twice').stdout).toBe('newer')
  const out = join(at.folder, 'out.tar')
  expect(at.run('export-tar', 'latest', out).code).toBe(0)
  const before = readFileSync(out)
  expect(at.run('export-tar', 'latest', out)).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be made') as string })
  expect(readFileSync(out).equals(before)).toBe(true)
  expect(statSync(out).mode & 0o777).toBe(0o600)
}, 120_000)
