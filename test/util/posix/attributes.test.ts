import * as fs from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bytes, load, temporaryFolder, thrown, WAYS } from './support.ts'

const folder = temporaryFolder()
const isRoot = process.getuid?.() === 0

describe.each(WAYS)('attributes (%s)', async (way) => {
  const posix = await load(way)
  const base = join(folder, way)
  fs.mkdirSync(base)
  fs.writeFileSync(join(base, 'file'), 'x')
  fs.symlinkSync('file', join(base, 'link'))
  const at = posix.openAt(posix.AT_FDCWD, bytes(base), posix.OPEN_DIRECTORY)
  const fd = posix.openAt(at, bytes('file'), posix.O_RDWR)
  const statOf = (name: string) => posix.statAt(at, bytes(name))

  test('sets permissions, also of a file that nobody may open', () => {
    posix.fchmod(fd, 0o4751)
    expect(statOf('file').mode).toBe(0o4751)
    posix.fchmodAt(at, bytes('file'), 0)
    expect(statOf('file').mode).toBe(0)
    posix.fchmodAt(at, bytes('file'), 0o100_644)
    expect(statOf('file').mode).toBe(0o644)
    expect(thrown(() => posix.fchmodAt(at, bytes('absent'), 0o600))).toMatchObject({ code: 'ENOENT', syscall: 'chmod' })
  })

  test('does not change what a link points to', () => {
    expect(thrown(() => posix.fchmodAt(at, bytes('link'), 0o777)).code).toBe('ENOTSUP')
    expect(statOf('file').mode).toBe(0o644)
    const own = statOf('file')
    posix.fchownAt(at, bytes('link'), isRoot ? 1234 : own.uid, isRoot ? 4_000_000_000 : own.gid)
    expect(statOf('file')).toMatchObject({ uid: own.uid, gid: own.gid })
    if (isRoot) expect(statOf('link')).toMatchObject({ uid: 1234, gid: 4_000_000_000 })
  })

  test('sets owners, or leaves them where -1 says so', () => {
    const own = statOf('file')
    posix.fchown(fd, -1, -1)
    posix.fchownAt(at, bytes('file'), -1, -1)
    expect(statOf('file')).toMatchObject({ uid: own.uid, gid: own.gid })
    const [uid, gid] = isRoot ? [1111, 2222] : [own.uid, own.gid]
    posix.fchown(fd, uid, gid)
    expect(statOf('file')).toMatchObject({ uid, gid })
    expect(thrown(() => posix.fchown(987_654, 0, 0)).code).toBe('EBADF')
  })

  const times = [
    { mtimeS: 1_700_000_000, mtimeNs: 123_456_789, atimeS: 1_600_000_000, atimeNs: 1 },
    { mtimeS: -1, mtimeNs: 999_999_999, atimeS: -86_400 * 365, atimeNs: 500_000_000 },
    { mtimeS: -1, mtimeNs: 0, atimeS: 0, atimeNs: 0 },
    { mtimeS: 2 ** 31 + 5, mtimeNs: 7, atimeS: 2 ** 32 + 9, atimeNs: 999_999_999 },
  ]
  test.each(times)('sets the times $mtimeS s $mtimeNs ns and $atimeS s $atimeNs ns', (time) => {
    const check = (name: string) => {
      const found = statOf(name)
      if (way === 'native') {
        expect(found).toMatchObject(time)
      } else {
        expect(Math.abs(found.mtimeS + found.mtimeNs / 1e9 - time.mtimeS - time.mtimeNs / 1e9)).toBeLessThan(2e-6)
        expect(Math.abs(found.atimeS + found.atimeNs / 1e9 - time.atimeS - time.atimeNs / 1e9)).toBeLessThan(2e-6)
      }
    }
    posix.setTimes(fd, { mtimeS: 5, mtimeNs: 5, atimeS: 5, atimeNs: 5 })
    posix.setTimesAt(at, bytes('link'), time)
    check('link')
    expect(statOf('file').mtimeS).toBe(5)
    posix.setTimesAt(at, bytes('file'), time)
    check('file')
    posix.setTimes(fd, { mtimeS: 5, mtimeNs: 5 })
    posix.setTimes(fd, time)
    check('file')
  })

  test('leaves the access time alone where none is given', () => {
    posix.setTimes(fd, { mtimeS: 10, mtimeNs: 0, atimeS: -20, atimeNs: 0 })
    posix.setTimes(fd, { mtimeS: 30, mtimeNs: 0 })
    expect(statOf('file')).toMatchObject({ mtimeS: 30, atimeS: -20 })
    posix.setTimesAt(at, bytes('file'), { mtimeS: 31, mtimeNs: 0 })
    expect(statOf('file')).toMatchObject({ mtimeS: 31, atimeS: -20 })
  })

  test('refuses nanoseconds that would mean something else to the kernel', () => {
    for (const mtimeNs of [-1, 1e9, 0x3fffffff, 0.5]) {
      expect(() => posix.setTimes(fd, { mtimeS: 0, mtimeNs })).toThrow(RangeError)
    }
    expect(() => posix.setTimes(fd, { mtimeS: 2 ** 53, mtimeNs: 0 })).toThrow(RangeError)
  })

  test('sets, lists, reads and removes extended attributes', () => {
    const name = Buffer.from([0x6e, 0xff])
    fs.writeFileSync(Buffer.concat([bytes(`${base}/`), name]), '')
    if (way === 'fallback') {
      expect(posix.listXattrsAt(at, name)).toEqual([])
      expect(posix.getXattrAt(at, name, bytes('user.a'))).toBeUndefined()
      expect(thrown(() => posix.setXattrAt(at, name, bytes('user.a'), bytes(''))).code).toBe('ENOTSUP')
      return
    }
    expect(posix.listXattrsAt(at, name)).toEqual([])
    const odd = Buffer.concat([bytes('user.'), Buffer.from([0xfe, 0x20])])
    const value = Buffer.from([0, 1, 255])
    posix.setXattrAt(at, name, odd, value)
    posix.setXattrAt(at, name, bytes('user.empty'), new Uint8Array(0))
    expect(posix.listXattrsAt(at, name).map((each) => each.toString('hex')).sort()).toEqual(
      [odd.toString('hex'), bytes('user.empty').toString('hex')].sort(),
    )
    expect(posix.getXattrAt(at, name, odd)).toEqual(value)
    expect(posix.getXattrAt(at, name, bytes('user.empty'))).toEqual(Buffer.alloc(0))
    expect(posix.getXattrAt(at, name, bytes('user.none'))).toBeUndefined()
    const whole = Buffer.concat([bytes(`${base}/`), name])
    expect(posix.getXattrAt(posix.AT_FDCWD, whole, odd)).toEqual(value)
    posix.removeXattrAt(at, name, odd)
    expect(thrown(() => posix.removeXattrAt(at, name, odd))).toMatchObject({ code: 'ENODATA', syscall: 'removexattr' })
    expect(thrown(() => posix.listXattrsAt(at, bytes('absent')))).toMatchObject({ code: 'ENOENT', path: 'absent' })
    // Of a link nothing but its own attributes is listed.
    expect(posix.listXattrsAt(at, bytes('link'))).toEqual([])
  })

  test('attributes of open files, beyond the usual size', () => {
    if (way === 'fallback') {
      expect(posix.listXattrs(fd)).toEqual([])
      expect(posix.getXattr(fd, bytes('user.large'))).toBeUndefined()
      return
    }
    const large = Buffer.alloc(2000, 7)
    posix.setXattr(fd, bytes('user.large'), large)
    expect(posix.getXattr(fd, bytes('user.large'))).toEqual(large)
    expect(posix.listXattrs(fd)).toEqual([bytes('user.large')])
    posix.removeXattr(fd, bytes('user.large'))
    expect(posix.getXattr(fd, bytes('user.large'))).toBeUndefined()
    const names = Array.from({ length: 30 }, (_, i) => `user.${'n'.repeat(50)}${i + 10}`)
    for (const each of names) posix.setXattr(fd, bytes(each), bytes(''))
    expect(posix.listXattrs(fd).map(String).sort()).toEqual(names)
    expect(posix.listXattrsAt(at, bytes('file')).map(String).sort()).toEqual(names)
  })

  test('knows the names of owners, both ways', () => {
    expect(posix.userName(0)).toBe('root')
    expect(posix.groupName(0)).toBe(process.platform === 'darwin' ? 'wheel' : 'root')
    for (const line of fs.readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const [name, , uid] = line.split(':')
      if (name === undefined || uid === undefined) continue
      expect(posix.userId(name)).toBe(Number(uid))
      expect(posix.userName(Number(uid))).toBeTypeOf('string')
    }
    for (const line of fs.readFileSync('/etc/group', 'utf8').split('\n')) {
      const [name, , gid] = line.split(':')
      if (name === undefined || gid === undefined) continue
      expect(posix.groupId(name)).toBe(Number(gid))
    }
    for (let twice = 0; twice < 2; twice++) {
      expect(posix.userName(3_999_999_999)).toBeUndefined()
      expect(posix.groupName(3_999_999_999)).toBeUndefined()
      expect(posix.userId('no such user')).toBeUndefined()
      expect(posix.groupId('no such group')).toBeUndefined()
    }
    posix.forgetOwners()
    expect(posix.userName(0)).toBe('root')
  })
})
