/** A tree with everything that a file system can hold, there and back, looked at by another program. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { PROGRAM } from '../support/nacre.ts'
import { walked } from '../support/walker.ts'

const isRoot = process.getuid?.() === 0
const base = mkdtempSync(join(tmpdir(), 'nacre-fidelity-'))
chmodSync(base, 0o755)
afterAll(() => {
  spawnSync('chattr', ['-R', '-i', base])
  // Its paths are too long for Node.
  execFileSync('rm', ['-rf', base])
})

/** What anybody can make. */
const MAKE = String.raw`
import os, socket, sys
os.umask(0o022)
root = sys.argv[1]
os.mkdir(root)
os.chdir(root)
def put(name, data=b'x', mode=0o644):
    with open(name, 'wb') as f: f.write(data)
    os.chmod(name, mode)
for size in (0, 1, 4095, 4096, 100000, 3000000): put('size-%d' % size, os.urandom(size))
for mode in (0, 0o400, 0o666, 0o1755, 0o2755, 0o4755, 0o6711): put('mode-%o' % mode, mode=mode)
os.chmod('mode-0', 0o400)
for when in (-2**31, -1, 0, 1, 2**31 - 1, 2**31, 2**33):
    put('time%d' % when)
    os.utime('time%d' % when, ns=(when * 10**9 + 123456789, when * 10**9 + 987654321))
put(b'\xff\xfe not text'); put(b'n' * 255); put(b'a\nb\tc'); put('\u00fc\U0001f41a'.encode())
os.symlink('nowhere/at all', 'dangling'); os.symlink('/etc', 'absolute'); os.symlink(b'\xff\xfe', 'raw'); os.symlink('.', 'to-folder'); os.symlink('l' * 4000, 'long')
os.mkdir('folder'); os.mkdir('folder/other'); put('folder/first'); os.link('folder/first', 'folder/second'); os.link('folder/first', 'across')
os.mkfifo('fifo', 0o640)
s = socket.socket(socket.AF_UNIX); s.bind('socket')
os.setxattr('size-1', 'user.comment', b'\x00binary\xff')
for name, mode in (('sticky', 0o1777), ('setgid', 0o2775), ('closed', 0o500)):
    os.mkdir(name); put(name + '/inside'); os.chmod(name, mode)
fd = os.open('sparse', os.O_WRONLY | os.O_CREAT)
os.pwrite(fd, b'begin', 0); os.pwrite(fd, os.urandom(200000), 5 * 2**30); os.ftruncate(fd, 2**40); os.close(fd)
put('large', b''); os.truncate('large', 4 * 2**30 + 5)
with open('large', 'r+b') as f: f.seek(4 * 2**30 - 3); f.write(b'across')
# A path of more than 4,096 bytes.
os.mkdir('deep'); here = os.open('deep', os.O_RDONLY)
for i in range(30):
    name = ('%02d' % i) + 'd' * 198
    os.mkdir(name, dir_fd=here)
    below = os.open(name, os.O_RDONLY, dir_fd=here); os.close(here); here = below
fd = os.open('at the bottom', os.O_WRONLY | os.O_CREAT, dir_fd=here); os.write(fd, b'deep'); os.close(fd)
fd = os.open('sparse at the bottom', os.O_WRONLY | os.O_CREAT, dir_fd=here); os.pwrite(fd, b'deep', 3000000); os.close(fd)
fd = os.open('large at the bottom', os.O_WRONLY | os.O_CREAT, dir_fd=here); os.write(fd, os.urandom(5000000)); os.close(fd)
os.symlink('at the bottom', 'link', dir_fd=here); os.link('at the bottom', 'other name', src_dir_fd=here, dst_dir_fd=here)
`

/** What only root can make. */
const MAKE_AS_ROOT = String.raw`
import os, stat, subprocess, sys
os.chdir(sys.argv[1])
os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3)); os.mknod('block', stat.S_IFBLK | 0o600, os.makedev(7, 200))
def put(name):
    with open(name, 'wb') as f: f.write(b'x')
put('owned'); os.chown('owned', 12345, 54321); os.chmod('owned', 0o6755)
put('by name'); os.chown('by name', 1, 1)
put('capable'); os.chown('capable', 1, 1); subprocess.check_call(['setcap', 'cap_net_raw=ep', 'capable'])
os.setxattr('owned', 'trusted.word', b'secret')
os.symlink('x', 'owned link'); os.lchown('owned link', 77, 78)
os.mkdir('acl'); subprocess.check_call(['setfacl', '-m', 'u:7:rwx,g:8:r', '-d', '-m', 'u:9:rwx', 'acl']); put('acl/heir')
put('immutable'); subprocess.call(['chattr', '+i', 'immutable'])
`

interface Person {
  readonly folder: string
  nacre(...args: string[]): { status: number | null; stdout: string; stderr: string }
  python(script: string, ...args: string[]): void
}

function person(name: string, uid: number): Person {
  const folder = join(base, name)
  mkdirSync(folder)
  if (isRoot) execFileSync('chown', [`${uid}:${uid}`, folder])
  const as = isRoot && uid !== 0 ? ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'] : []
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, NACRE_REPOSITORY: join(folder, 'repo'), NACRE_PASSWORD: 'correct horse', NACRE_CACHE_DIR: join(folder, 'cache') }
  const run = (words: readonly string[]): { status: number | null; stdout: string; stderr: string } => {
    const [program = '', ...args] = [...as, ...words]
    return spawnSync(program, args, { env, cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 })
  }
  return {
    folder,
    nacre: (...args) => run([process.execPath, PROGRAM, ...args]),
    python(script, ...args) {
      // What stands first in the PATH may be root's own.
      const ended = run([existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3', '-c', script, ...args])
      if (ended.status !== 0) throw new Error(ended.stderr)
    },
  }
}

function restored(who: Person, target: string, ...options: string[]): { stderr: string; summary: Record<string, unknown> } {
  const ended = who.nacre('restore', `latest:${join(who.folder, 'source')}`, '--target', target, '--verify', '--json', ...options)
  expect(ended.status, ended.stderr + ended.stdout.slice(-2000)).toBe(0)
  return { stderr: ended.stderr, summary: JSON.parse(ended.stdout.trim().split('\n').at(-1)!) as Record<string, unknown> }
}

/** The target itself is not in the tree. */
const everything = (root: string): string[] => walked(root, '--atime')

test.skipIf(!isRoot)('root gets everything back, with the times of the last access', () => {
  const who = person('root', 0)
  const source = join(who.folder, 'source')
  who.python(MAKE, source)
  who.python(MAKE_AS_ROOT, source)
  const before = everything(source)
  expect(who.nacre('init').status).toBe(0)
  const saved = who.nacre('backup', source, '--with-atime')
  expect(saved.status, saved.stderr).toBe(0)
  // Nothing of the source has changed by being read: not even when it was.
  expect(everything(source)).toEqual(before)
  const target = join(who.folder, 'target')
  expect(restored(who, target).summary).toMatchObject({ warnings: 0, problems: 0 })
  expect(everything(target)).toEqual(before)
  expect(statSync(join(target, 'sparse')).blocks * 512).toBeLessThan(1_000_000)
  const again = who.nacre('backup', source, '--with-atime', '--json')
  expect(JSON.parse(again.stdout.trim().split('\n').at(-1)!)).toMatchObject({ files_new: 0, skipped: 0 })
  expect(who.nacre('check', '--read-data').status).toBe(0)
  execFileSync('chattr', ['-i', join(source, 'immutable')])
}, 300_000)

test('an ordinary user gets everything back that is his', () => {
  const uid = isRoot ? 65_534 : process.getuid!()
  const who = person('user', uid)
  const source = join(who.folder, 'source')
  who.python(MAKE, source)
  const before = everything(source)
  expect(who.nacre('init').status).toBe(0)
  const saved = who.nacre('backup', source, '--with-atime')
  expect(saved.status, saved.stderr).toBe(0)
  expect(everything(source)).toEqual(before)
  const target = join(who.folder, 'target')
  expect(restored(who, target).summary).toMatchObject({ problems: 0 })
  expect(everything(target)).toEqual(before)
}, 300_000)

test.skipIf(!isRoot)('an ordinary user restores what root has saved: what the system refuses is counted, and every byte is there', () => {
  const who = person('mixed', 65_534)
  const source = join(who.folder, 'source')
  mkdirSync(source)
  execFileSync('chmod', ['755', source])
  execFileSync('python3', ['-c', MAKE_AS_ROOT, source])
  execFileSync('chattr', ['-i', join(source, 'immutable')])
  const before = walked(source, '--no-owner')
  who.nacre('init')
  const env = { ...process.env, NACRE_REPOSITORY: join(who.folder, 'repo'), NACRE_PASSWORD: 'correct horse', NACRE_CACHE_DIR: join(base, 'cache-of-root') }
  expect(spawnSync(process.execPath, [PROGRAM, 'backup', source], { env }).status).toBe(0)
  execFileSync('chown', ['-R', '65534:65534', join(who.folder, 'repo')])
  const target = join(who.folder, 'target')
  const { summary } = restored(who, target, '--numeric-ids')
  // Devices, owners, a capability and a trusted attribute.
  expect(summary).toMatchObject({ problems: 0, files_restored: before.filter((line) => /^\S+ - /.test(line)).length })
  expect(Number(summary['warnings'])).toBeGreaterThan(4)
  expect(existsSync(join(target, 'null'))).toBe(false)
  expect(statSync(join(target, 'owned')).mode & 0o7777).toBe(0o755)
}, 120_000)
