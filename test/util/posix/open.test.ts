import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bytes, load, temporaryFolder, thrown, WAYS, type Posix } from './support.ts'

const folder = temporaryFolder()
fs.mkdirSync(join(folder, 'a/b'), { recursive: true })
fs.writeFileSync(join(folder, 'a/b/file'), 'inside')
fs.writeFileSync(join(folder, 'outside'), 'outside')
fs.symlinkSync('b', join(folder, 'a/inner'))
fs.symlinkSync('../outside', join(folder, 'a/outer'))
execFileSync('mkfifo', [join(folder, 'fifo')])

function content(posix: Posix, fd: number): string {
  const buffer = Buffer.alloc(100)
  const length = posix.read(fd, buffer, 0, 100)
  posix.close(fd)
  return buffer.toString('utf8', 0, length)
}

describe.each(WAYS)('open (%s)', async (way) => {
  const posix = await load(way)
  const cwd = posix.AT_FDCWD
  const openFolder = (name = 'a') => posix.openAt(cwd, bytes(join(folder, name)), posix.OPEN_DIRECTORY)

  test('opens below a directory descriptor, even when the directory was renamed', () => {
    fs.mkdirSync(join(folder, 'moving'))
    fs.writeFileSync(join(folder, 'moving/file'), 'moved')
    const fd = openFolder('moving')
    fs.renameSync(join(folder, 'moving'), join(folder, 'moved'))
    expect(content(posix, posix.openAt(fd, bytes('file'), posix.OPEN_TO_READ))).toBe('moved')
    posix.close(fd)
    fs.rmSync(join(folder, 'moved'), { recursive: true })
  })

  test('never waits for the other end of a FIFO', () => {
    const fd = posix.openAt(cwd, bytes(join(folder, 'fifo')), posix.OPEN_TO_READ)
    expect(posix.fstat(fd).type).toBe('fifo')
    expect(posix.read(fd, Buffer.alloc(10), 0, 10)).toBe(0)
    posix.close(fd)
  })

  test('refuses a link, with the code of the system', () => {
    const path = join(folder, 'a/outer')
    expect(thrown(() => posix.openAt(cwd, bytes(path), posix.OPEN_TO_READ))).toMatchObject({
      code: 'ELOOP',
      syscall: 'open',
      path,
    })
    const directory = thrown(() => posix.openAt(cwd, bytes(join(folder, 'a/inner')), posix.OPEN_DIRECTORY))
    expect(['ELOOP', 'ENOTDIR']).toContain(directory.code)
  })

  test('creates a file once, with its mode', () => {
    const fd = openFolder()
    const flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW
    const name = Buffer.from([0x6e, 0xff])
    posix.close(posix.openAt(fd, name, flags, 0o600))
    expect(posix.statAt(fd, name)).toMatchObject({ type: 'file', mode: 0o600, size: 0 })
    expect(thrown(() => posix.openAt(fd, name, flags)).code).toBe('EEXIST')
    posix.unlinkAt(fd, name)
    posix.close(fd)
  })

  test('a name that is absent answers undefined where asked to', () => {
    expect(posix.openAtIfPresent(cwd, bytes(join(folder, 'absent')), posix.OPEN_TO_READ)).toBeUndefined()
    expect(thrown(() => posix.openAt(cwd, bytes(join(folder, 'absent')), posix.OPEN_TO_READ)).code).toBe('ENOENT')
  })

  test('a path below may neither climb nor pass a link', () => {
    const fd = openFolder()
    const open = (path: string) => posix.openBeneath(fd, bytes(path), posix.OPEN_TO_READ)
    expect(content(posix, open('b/file'))).toBe('inside')
    expect(content(posix, open('./b//file'))).toBe('inside')
    expect(thrown(() => open('../outside')).code).toBe('EXDEV')
    expect(thrown(() => open(join(folder, 'outside'))).code).toBe('EXDEV')
    expect(thrown(() => open('outer')).code).toBe('ELOOP')
    expect(['ELOOP', 'ENOTDIR']).toContain(thrown(() => open('inner/file')).code)
    expect(thrown(() => open('b/absent')).code).toBe('ENOENT')
    posix.close(fd)
  })

  test('reaches deeper than a path can be long', () => {
    const name = Buffer.alloc(250, 0x64)
    const base = `deep ${way}`
    fs.mkdirSync(join(folder, base))
    let fd = openFolder(base)
    for (let depth = 0; depth < 20; depth++) {
      posix.mkdirAt(fd, name)
      const next = posix.openAt(fd, name, posix.OPEN_DIRECTORY)
      posix.close(fd)
      fd = next
    }
    posix.close(posix.openAt(fd, bytes('bottom'), posix.O_WRONLY | posix.O_CREAT))
    posix.close(fd)
    const top = openFolder(base)
    const path = Buffer.concat([...Array.from({ length: 20 }, () => Buffer.concat([name, bytes('/')])), bytes('bottom')])
    expect(path.length).toBeGreaterThan(4096)
    const bottom = posix.openBeneath(top, path, posix.OPEN_TO_READ)
    expect(posix.fstat(bottom).type).toBe('file')
    posix.close(bottom)
    posix.close(top)
    execFileSync('rm', ['-rf', join(folder, base)])
  })

  test.runIf(process.platform === 'linux')('reads files of others, whose access time it may not spare', () => {
    const geteuid = process.geteuid?.() ?? 0
    if (geteuid === 0) process.seteuid?.(65_534)
    try {
      const fd = posix.openAt(cwd, bytes('/etc/passwd'), posix.OPEN_TO_READ)
      expect(posix.fstat(fd).type).toBe('file')
      posix.close(fd)
      const root = posix.openAt(cwd, bytes('/'), posix.OPEN_DIRECTORY)
      posix.close(posix.openBeneath(root, bytes('etc/passwd'), posix.OPEN_TO_READ))
      posix.close(root)
    } finally {
      if (geteuid === 0) process.seteuid?.(0)
    }
  })

  test('reads and writes at positions', () => {
    const path = bytes(join(folder, `data ${way}`))
    const fd = posix.openAt(cwd, path, posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC)
    posix.write(fd, bytes('abcdef'), 1, 4)
    posix.pwrite(fd, bytes('--XY'), 2, 2, 2 ** 33)
    const buffer = Buffer.alloc(10, 0x2e)
    expect(posix.pread(fd, buffer, 3, 2, 1)).toBe(2)
    expect(posix.pread(fd, buffer, 7, 3, 2 ** 33)).toBe(2)
    expect(buffer.toString()).toBe('...cd..XY.')
    expect(posix.pread(fd, buffer, 0, 10, 2 ** 34)).toBe(0)
    posix.close(fd)
    expect(thrown(() => posix.pread(fd, buffer, 0, 1, 0)).code).toBe('EBADF')
    expect(thrown(() => posix.close(987_654))).toMatchObject({ code: 'EBADF', syscall: 'close' })
  })

  test('leaves no descriptor to child processes', () => {
    const fd = posix.openAt(cwd, bytes(join(folder, 'outside')), posix.O_RDONLY)
    const inherited = execFileSync('sh', ['-c', `if [ -e /dev/fd/${fd} ]; then readlink /proc/self/fd/${fd} || echo open; fi`])
    expect(inherited.toString()).not.toContain('outside')
    posix.close(fd)
  })

  test('finds data and holes', () => {
    const fd = posix.openAt(cwd, bytes(join(folder, `sparse ${way}`)), posix.O_RDWR | posix.O_CREAT)
    fs.ftruncateSync(fd, 2 ** 33)
    const data = Buffer.alloc(65_536, 1)
    posix.pwrite(fd, data, 0, data.length, 2 ** 32)
    const from = posix.seekData(fd, 0)
    if (way === 'native' && process.platform === 'linux') {
      expect(from).toBe(2 ** 32)
      expect(posix.seekHole(fd, 2 ** 32)).toBe(2 ** 32 + 65_536)
      expect(posix.seekData(fd, 2 ** 32 + 65_536)).toBeUndefined()
      expect(posix.seekHole(fd, 0)).toBe(0)
    } else {
      expect(from).toBe(0)
      expect(posix.seekHole(fd, 0)).toBe(2 ** 33)
    }
    expect(posix.seekData(fd, 2 ** 33)).toBeUndefined()
    posix.close(fd)
  })
})
