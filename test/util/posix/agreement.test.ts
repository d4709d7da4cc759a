import * as fs from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bytes, load } from './support.ts'

const native = await load('native')
const fallback = await load('fallback')

test('both ways say the same of the same folders', () => {
  // Devices, links and files that this project does not make itself.
  for (const path of ['/dev', '/etc', '/usr/bin', new URL('.', import.meta.url).pathname]) {
    const one = native.openAt(native.AT_FDCWD, bytes(path), native.O_RDONLY | native.O_DIRECTORY)
    const two = fallback.openAt(fallback.AT_FDCWD, bytes(path), fallback.O_RDONLY | fallback.O_DIRECTORY)
    const entries = native.readEntries(one)
    expect(fallback.readEntries(two)).toEqual(entries)
    for (const { name, type } of entries) {
      const stat = native.statAtIfPresent(one, name)
      // Access times move while others read.
      const { atimeS: _s, atimeNs: _ns, ...expected } = stat ?? native.fstat(one)
      expect(fallback.statAtIfPresent(two, name)).toMatchObject(expected)
      expect(stat?.type).toBe(type)
      if (type === 'symlink') expect(fallback.readlinkAt(two, name)).toEqual(native.readlinkAt(one, name))
    }
    native.close(one)
    fallback.close(two)
  }
})

test('capabilities say what is lost', () => {
  expect(native.posixCapabilities()).toEqual({ native: true, missing: [] })
  const { missing } = fallback.posixCapabilities()
  expect(missing[0]).toContain('NACRE_POSIX=fs')
  expect(missing.join('\n')).toContain('extended attributes')
  expect(fs.existsSync(join('/', 'etc'))).toBe(true)
})
