import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bytes, load, temporaryFolder, thrown, WAYS } from './support.ts'

const folder = temporaryFolder()
const kinds = join(folder, 'kinds')
fs.mkdirSync(kinds)
fs.writeFileSync(join(kinds, 'file'), '')
fs.mkdirSync(join(kinds, 'directory'))
fs.symlinkSync('x', join(kinds, 'link'))
execFileSync('mkfifo', [join(kinds, 'fifo')])
const server = createServer()
await new Promise<void>((resolve) => server.listen(join(kinds, 'socket'), resolve))

const odd = join(folder, 'odd')
fs.mkdirSync(odd)
/** Dots that are names, bytes that are no text, and the longest name there is. */
const oddNames = [
  Buffer.from([0xff]),
  Buffer.from([0x01]),
  Buffer.from([0xc3, 0xa4]),
  Buffer.from([0xe4]),
  bytes('a'),
  bytes('a '),
  bytes('a\x01'),
  bytes('aa'),
  bytes('.a'),
  bytes('...'),
  bytes('..a'),
  Buffer.alloc(255, 0xfe),
]
for (const name of oddNames) fs.writeFileSync(Buffer.concat([bytes(`${odd}/`), name]), '')

const many = join(folder, 'many')
fs.mkdirSync(many)
for (let i = 0; i < 9_000; i++) fs.writeFileSync(join(many, `${(i * 7919) % 9001} ${'n'.repeat(i % 60)}`), '')

describe.each(WAYS)('directory (%s)', async (way) => {
  const posix = await load(way)
  const entriesOf = (path: string) => {
    const fd = posix.openAt(posix.AT_FDCWD, bytes(path), posix.OPEN_DIRECTORY)
    try {
      return posix.readEntries(fd)
    } finally {
      posix.close(fd)
    }
  }

  test('tells the type of every entry', () => {
    const found = entriesOf(kinds).map(({ name, type }) => [name.toString(), type])
    expect(found).toEqual([
      ['directory', 'directory'],
      ['fifo', 'fifo'],
      ['file', 'file'],
      ['link', 'symlink'],
      ['socket', 'socket'],
    ])
  })

  test('gives raw names in the order of their bytes', () => {
    const expected = oddNames.map((name) => name.toString('hex')).sort()
    expect(entriesOf(odd).map(({ name }) => name.toString('hex'))).toEqual(expected)
  })

  test('finds all entries of a large folder, again from the same descriptor', () => {
    const expected = fs.readdirSync(many).sort()
    const fd = posix.openAt(posix.AT_FDCWD, bytes(many), posix.OPEN_DIRECTORY)
    expect(posix.readEntries(fd).map(({ name }) => String(name))).toEqual(expected)
    expect(posix.readEntries(fd).map(({ name }) => String(name))).toEqual(expected)
    posix.close(fd)
  })

  test.each([300, 4_000, 70_000, 1_000_000])('finds all entries of a folder with room for %i bytes of names at once', (mostBytes) => {
    for (const path of [odd, many]) {
      if (path === many && mostBytes < 4_000) continue
      const fd = posix.openAt(posix.AT_FDCWD, bytes(path), posix.OPEN_DIRECTORY)
      const list = posix.listEntries(fd, mostBytes)
      const found: string[] = []
      for (let entry = list.next(); entry !== undefined; entry = list.next()) found.push(`${entry.name.toString('hex')} ${entry.type}`)
      expect(list.next()).toBeUndefined()
      expect(found).toEqual(fs.readdirSync(path, { encoding: 'buffer' }).map((name) => `${name.toString('hex')} file`).sort())
      expect([list.has('aa'), list.has('a'), list.has('aaa'), list.has('')]).toEqual(path === odd ? [true, true, false, false] : [false, false, false, false])
      posix.close(fd)
    }
  })

  test('sorts names of which one begins the other, in any number', () => {
    const folder = join(many, '..', `prefixes ${way}`)
    fs.mkdirSync(folder)
    const names = Array.from({ length: 200 }, (_, i) => 'x'.repeat(i + 1))
    for (const name of names) fs.writeFileSync(join(folder, name), '')
    expect(entriesOf(folder).map(({ name }) => String(name))).toEqual(names)
  })

  test('an empty folder has no entries, and a file is none', () => {
    fs.mkdirSync(join(folder, `empty ${way}`))
    expect(entriesOf(join(folder, `empty ${way}`))).toEqual([])
    const fd = posix.openAt(posix.AT_FDCWD, bytes(join(kinds, 'file')), posix.O_RDONLY)
    expect(thrown(() => posix.readEntries(fd))).toMatchObject({ code: 'ENOTDIR', syscall: 'scandir' })
    posix.close(fd)
  })

  test('names stay as they are when another folder is read', () => {
    const first = entriesOf(odd)
    const before = first.map(({ name }) => name.toString('hex'))
    entriesOf(many)
    expect(first.map(({ name }) => name.toString('hex'))).toEqual(before)
  })
})

test('the socket is closed again', async () => {
  await new Promise((resolve) => server.close(resolve))
  expect(server.listening).toBe(false)
})
