import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileTypeOfMode } from '../../../src/util/posix/file-stat.ts'
import { bytes, load, temporaryFolder, thrown, WAYS } from './support.ts'

const folder = temporaryFolder()

function inFolder(name: string): string {
  return join(folder, name)
}

fs.writeFileSync(inFolder('file'), Buffer.alloc(12_345, 1), { mode: 0o640 })
fs.linkSync(inFolder('file'), inFolder('second name'))
fs.mkdirSync(inFolder('directory'))
fs.symlinkSync('file', inFolder('link'))
fs.symlinkSync('nowhere', inFolder('dangling'))
execFileSync('mkfifo', [inFolder('fifo')])
fs.truncateSync(inFolder('file'), 12_345)
fs.writeFileSync(inFolder('sparse'), '')
fs.truncateSync(inFolder('sparse'), 5 * 2 ** 40)

describe.each(WAYS)('stat (%s)', async (way) => {
  const posix = await load(way)
  const cwd = posix.AT_FDCWD

  test.each(['file', 'second name', 'directory', 'link', 'dangling', 'fifo', 'sparse'])(
    'agrees with node:fs on %s',
    (name) => {
      const path = inFolder(name)
      const expected = fs.lstatSync(path, { bigint: true })
      const found = posix.statAt(cwd, bytes(path))
      expect(BigInt(found.inode)).toBe(expected.ino)
      expect(BigInt(found.size)).toBe(expected.size)
      expect(BigInt(found.blocks)).toBe(expected.blocks)
      expect(BigInt(found.links)).toBe(expected.nlink)
      expect(found.mode).toBe(Number(expected.mode) & 0o7777)
      expect([found.uid, found.gid]).toEqual([Number(expected.uid), Number(expected.gid)])
      expect(BigInt(found.mtimeS) * 10n ** 9n + BigInt(found.mtimeNs)).toBe(expected.mtimeNs)
      expect(BigInt(found.ctimeS) * 10n ** 9n + BigInt(found.ctimeNs)).toBe(expected.ctimeNs)
      expect(BigInt(found.atimeS) * 10n ** 9n + BigInt(found.atimeNs)).toBe(expected.atimeNs)
      expect(found.type === 'file').toBe(expected.isFile())
      expect(found.type === 'directory').toBe(expected.isDirectory())
      expect(found.type === 'symlink').toBe(expected.isSymbolicLink())
      expect(found.type === 'fifo').toBe(expected.isFIFO())
    },
  )

  test.runIf(process.platform === 'linux')('agrees with stat(1) on device numbers', () => {
    const found = posix.statAt(cwd, bytes('/dev/null'))
    expect(found).toMatchObject({ type: 'character', rdevMajor: 1, rdevMinor: 3 })
    const device = execFileSync('stat', ['-c', '%d', inFolder('file')], { encoding: 'utf8' })
    const own = posix.statAt(cwd, bytes(inFolder('file'))).device
    const major = Math.floor(own / 2 ** 32)
    const minor = own % 2 ** 32
    const packed = ((BigInt(major) & 0xfffn) << 8n) | (BigInt(minor) & 0xffn) | ((BigInt(minor) >> 8n) << 20n)
    expect(packed).toBe(BigInt(device))
  })

  test('follows a link only when asked to', () => {
    expect(posix.statAt(cwd, bytes(inFolder('link'))).type).toBe('symlink')
    expect(posix.statAt(cwd, bytes(inFolder('link')), { follow: true }).size).toBe(12_345)
  })

  test('finds a name below a directory descriptor, and the descriptor itself', () => {
    const fd = posix.openAt(cwd, bytes(folder), posix.OPEN_DIRECTORY)
    expect(posix.statAt(fd, bytes('file')).size).toBe(12_345)
    expect(posix.fstat(fd)).toEqual(posix.statAt(cwd, bytes(folder)))
    posix.close(fd)
  })

  test('answers undefined for what is absent, and throws where asked to', () => {
    expect(posix.statAtIfPresent(cwd, bytes(inFolder('absent')))).toBeUndefined()
    expect(posix.statAtIfPresent(cwd, bytes(inFolder('file/below')))).toBeUndefined()
    expect(posix.statAtIfPresent(cwd, bytes(inFolder('file')))?.size).toBe(12_345)
    const error = thrown(() => posix.statAt(cwd, bytes(inFolder('absent'))))
    expect(error).toMatchObject({ code: 'ENOENT', errno: -2, syscall: 'stat', path: inFolder('absent') })
    expect(error.message).toBe(`ENOENT: no such file or directory, stat '${inFolder('absent')}'`)
    expect(thrown(() => posix.statAt(cwd, bytes(inFolder('file/below')))).code).toBe('ENOTDIR')
    expect(thrown(() => posix.fstat(987_654)).code).toBe('EBADF')
  })

  test('refuses names that are empty, too long or hold a NUL', () => {
    expect(thrown(() => posix.statAt(cwd, bytes(''))).code).toBe('ENOENT')
    expect(thrown(() => posix.statAt(cwd, bytes('/etc\0/passwd'))).code).toBe('EINVAL')
    expect(thrown(() => posix.statAt(cwd, bytes(`/etc\0${'x'.repeat(100)}`))).code).toBe('EINVAL')
    expect(thrown(() => posix.statAt(cwd, bytes('x'.repeat(256)))).code).toBe('ENAMETOOLONG')
    expect(thrown(() => posix.statAt(cwd, bytes('x/'.repeat(2100)))).code).toBe('ENAMETOOLONG')
  })

  test('shows names that are no text as escapes', () => {
    const name = Buffer.from([0x61, 0xff, 0x5c, 0x0a])
    expect(thrown(() => posix.statAt(cwd, name)).path).toBe('a\\xff\\\\\\x0a')
    expect(thrown(() => posix.statAt(cwd, bytes('grün\u202e\n'))).path).toBe('grün\\xe2\\x80\\xae\\x0a')
  })
})

test('a mode of no known kind is an error, not a file', () => {
  expect(fileTypeOfMode(0o100644)).toBe('file')
  expect(thrown(() => fileTypeOfMode(0o644)).code).toBe('EINVAL')
})
