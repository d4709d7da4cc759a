import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bytes, load, temporaryFolder, thrown, WAYS } from './support.ts'

const folder = temporaryFolder()

describe.each(WAYS)('create (%s)', async (way) => {
  const posix = await load(way)
  const base = join(folder, way)
  fs.mkdirSync(base)
  const at = posix.openAt(posix.AT_FDCWD, bytes(base), posix.OPEN_DIRECTORY)
  const path = (name: string) => join(base, name)

  test('makes a folder once', () => {
    posix.mkdirAt(at, bytes('folder'), 0o700)
    expect(fs.statSync(path('folder')).mode & 0o7777).toBe(0o700)
    expect(posix.mkdirAtIfAbsent(at, bytes('folder'))).toBe(false)
    expect(posix.mkdirAtIfAbsent(at, bytes('folder 2'))).toBe(true)
    expect(thrown(() => posix.mkdirAt(at, bytes('folder')))).toMatchObject({ code: 'EEXIST', syscall: 'mkdir', path: 'folder' })
    expect(thrown(() => posix.mkdirAt(at, bytes('no/folder'))).code).toBe('ENOENT')
  })

  test('gives a file and a link second names', () => {
    fs.writeFileSync(path('one'), 'x')
    fs.symlinkSync('one', path('to one'))
    posix.linkAt(at, bytes('one'), at, bytes('two'))
    posix.linkAt(at, bytes('to one'), at, bytes('to one too'))
    expect(fs.statSync(path('two')).ino).toBe(fs.statSync(path('one')).ino)
    expect(fs.lstatSync(path('to one too')).isSymbolicLink()).toBe(true)
    expect(thrown(() => posix.linkAt(at, bytes('one'), at, bytes('two'))).code).toBe('EEXIST')
  })

  test('keeps the bytes of a link, whatever they are', () => {
    const target = Buffer.from([0x2f, 0xff, 0x0a, 0x20])
    const long = Buffer.alloc(4095, 0xfe)
    posix.symlinkAt(target, at, bytes('odd link'))
    posix.symlinkAt(long, at, bytes('long link'))
    expect(fs.readlinkSync(path('odd link'), 'buffer')).toEqual(target)
    expect(posix.readlinkAt(at, bytes('odd link'))).toEqual(target)
    expect(posix.readlinkAt(at, bytes('long link'))).toEqual(long)
    expect(thrown(() => posix.symlinkAt(bytes(''), at, bytes('none'))).code).toBe('ENOENT')
    expect(thrown(() => posix.readlinkAt(at, bytes('folder'))).code).toBe('EINVAL')
  })

  test('renames onto a name that is free, and onto no other', () => {
    fs.writeFileSync(path('from'), 'from')
    fs.writeFileSync(path('taken'), 'taken')
    expect(posix.renameAtNoReplace(at, bytes('from'), at, bytes('taken'))).toBe(false)
    expect(fs.readFileSync(path('taken'), 'utf8')).toBe('taken')
    expect(posix.renameAtNoReplace(at, bytes('from'), at, bytes('free'))).toBe(true)
    expect(fs.existsSync(path('from'))).toBe(false)
    expect(thrown(() => posix.renameAtNoReplace(at, bytes('from'), at, bytes('x'))).code).toBe('ENOENT')
    posix.renameAt(at, bytes('free'), at, bytes('taken'))
    expect(fs.readFileSync(path('taken'), 'utf8')).toBe('from')
    posix.mkdirAt(at, bytes('d1'))
    posix.mkdirAt(at, bytes('d2'))
    expect(posix.renameAtNoReplace(at, bytes('d1'), at, bytes('d2'))).toBe(false)
    expect(posix.renameAtNoReplace(at, bytes('d1'), at, bytes('d3'))).toBe(true)
  })

  test('removes names and empty folders', () => {
    fs.mkdirSync(path('full/empty'), { recursive: true })
    fs.writeFileSync(path('gone'), '')
    posix.unlinkAt(at, bytes('gone'))
    expect(posix.unlinkAtIfPresent(at, bytes('gone'))).toBe(false)
    expect(thrown(() => posix.unlinkAt(at, bytes('gone')))).toMatchObject({ code: 'ENOENT', syscall: 'unlink' })
    expect(thrown(() => posix.unlinkAt(at, bytes('full'), { directory: true })).code).toBe('ENOTEMPTY')
    expect(['EISDIR', 'EPERM']).toContain(thrown(() => posix.unlinkAt(at, bytes('full'))).code)
    posix.unlinkAt(at, bytes('full/empty'), { directory: true })
    expect(posix.unlinkAtIfPresent(at, bytes('full'), { directory: true })).toBe(true)
    expect(fs.existsSync(path('full'))).toBe(false)
  })

  test('makes special files where the system calls are to be had', () => {
    const make = (type: 'fifo' | 'socket') => posix.mknodAt(at, bytes(type), { type, mode: 0o600 })
    if (way === 'fallback') {
      expect(thrown(() => make('fifo')).code).toBe('ENOSYS')
      return
    }
    make('fifo')
    make('socket')
    expect(posix.statAt(at, bytes('fifo'))).toMatchObject({ type: 'fifo', mode: 0o600 })
    expect(posix.statAt(at, bytes('socket'))).toMatchObject({ type: 'socket', mode: 0o600 })
    const device = { type: 'block', mode: 0o600, rdevMajor: 0xabc, rdevMinor: 0xabcde } as const
    // Only root may, and in some containers nobody.
    try {
      posix.mknodAt(at, bytes('device'), device)
      expect(posix.statAt(at, bytes('device'))).toMatchObject(device)
    } catch (error) {
      expect(error).toMatchObject({ code: 'EPERM' })
    }
    expect(() => posix.mknodAt(at, bytes('x'), { ...device, rdevMinor: 2 ** 20 })).toThrow(RangeError)
  })
})
