import { execFileSync } from 'node:child_process'
import { appendFileSync, linkSync, mkdirSync, readFileSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, place } from '../support/nacre.ts'

function someFiles(folder: string): string {
  const source = join(folder, 'source')
  mkdirSync(join(source, 'deep/er'), { recursive: true })
  for (let i = 0; i < 300; i++) writeFileSync(join(source, `file-${i}`), `the ${i}th of many files\n`.repeat(i))
  writeFileSync(join(source, 'deep/er/large'), Buffer.alloc(3_000_000, 'abcdefg'))
  writeFileSync(join(source, 'empty'), '')
  writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), 'latin')
  symlinkSync('nowhere', join(source, 'link'))
  linkSync(join(source, 'file-7'), join(source, 'deep/seven'))
  utimesSync(join(source, 'file-9'), 1e9, 1e9)
  return source
}

test('what is backed up is listed, restored byte by byte, and checks clean', () => {
  const at = place()
  const source = someFiles(at.folder)
  expect(at.run('init').code).toBe(0)
  const first = at.run('backup', source, '--tag', 'one,two', '--label', 'l', '--json')
  expect(first).toMatchObject({ code: 0 })
  expect(lastJson(first.stdout)).toMatchObject({ type: 'summary', files_new: 305, files_changed: 0, files_unmodified: 0, total_files: 305, parent: null })

  appendFileSync(join(source, 'file-3'), 'more')
  unlinkSync(join(source, 'file-4'))
  const second = lastJson(at.run('backup', source, '--json').stdout)
  expect(second).toMatchObject({ files_new: 0, files_changed: 1, files_unmodified: 303, total_files: 304 })

  const listed = JSON.parse(at.run('snapshots', '--json').stdout) as { id: string; tags: string[]; label: string; paths: string[]; summary: object }[]
  expect(listed).toHaveLength(2)
  expect(listed[0]).toMatchObject({ tags: ['one', 'two'], label: 'l', paths: [source] })
  expect(listed[1]!.id).toBe(second['snapshot_id'])
  expect(JSON.parse(at.run('snapshots', '--json', '--latest', '1').stdout)).toHaveLength(1)
  expect(JSON.parse(at.run('snapshots', '--json', '--tag', 'two').stdout)).toHaveLength(1)

  const target = join(at.folder, 'target')
  expect(at.run('restore', `latest:${source}`, '--target', target, '--verify')).toMatchObject({ code: 0 })
  execFileSync('diff', ['-r', '--no-dereference', source, target])
  const walk = (folder: string): string => execFileSync('find', [folder, '-mindepth', '1', '-printf', '%P %y %m %s %T@ %n %l\\n'], { encoding: 'latin1' }).split('\n').sort().join('\n')
  // A folder's size is the file system's affair.
  const withoutFolders = (text: string): string => text.replaceAll(/ d (\d+) \d+ /g, ' d $1 ')
  expect(withoutFolders(walk(target))).toBe(withoutFolders(walk(source)))

  expect(at.run('ls', `latest:${source}/deep`).stdout).toBe(`${source}/deep/er\n${source}/deep/seven\n`)
  const whole = join(at.folder, 'whole')
  expect(at.run('restore', 'latest~1', '--target', whole, '--include', 'file-4')).toMatchObject({ code: 0 })
  expect(readFileSync(join(whole, source, 'file-4'), 'utf8')).toBe('the 4th of many files\n'.repeat(4))
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0, stdout: 'no errors\n' })
  expect(JSON.parse(at.run('stats', '--json').stdout)).toMatchObject({ snapshots: 2, files: 609 })
}, 120_000)

test('a file that stands in the target and differs is kept, named, and makes the exit 3', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'same'), 'same')
  writeFileSync(join(source, 'other'), 'ours')
  at.run('init')
  at.run('backup', source)
  const target = join(at.folder, 'target')
  mkdirSync(target)
  writeFileSync(join(target, 'same'), 'same')
  writeFileSync(join(target, 'other'), 'mine')
  const ended = at.run('restore', `latest:${source}`, '--target', target)
  expect(ended.code).toBe(3)
  expect(ended.stderr).toContain(`kept: ${join(target, 'other')}`)
  expect(readFileSync(join(target, 'other'), 'utf8')).toBe('mine')
})

test('a repository in the source is left out with a word', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  at.run('init')
  const ended = at.run('backup', at.folder)
  expect(ended.code).toBe(0)
  expect(ended.stderr).toContain('is the repository itself and is left out')
  expect(at.run('ls', 'latest', '--recursive').stdout).not.toContain(join(at.repo, 'config'))
})

test('a wiped or damaged catalogue costs one line at most', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  at.run('init')
  at.run('backup', join(at.folder, 'file'))
  expect(at.run('cache', 'clear').code).toBe(0)
  expect(at.run('ls', 'latest', '--recursive')).toMatchObject({ code: 0, stderr: '' })
  execFileSync('sh', ['-c', `for f in ${join(at.folder, 'cache')}/*/catalogue-0/*; do echo broken > "$f"; done`])
  const ended = at.run('ls', 'latest', '--recursive')
  expect(ended.code).toBe(0)
  expect(ended.stderr.trim().split('\n')).toHaveLength(1)
  expect(ended.stdout).toContain(join(at.folder, 'file'))
})

test('passwords are added, changed and removed, and the last one stays', () => {
  const at = place()
  at.run('init')
  const file = join(at.folder, 'new-password')
  writeFileSync(file, 'second\n', { mode: 0o600 })
  expect(at.run('key', 'add', '--new-password-file', file).code).toBe(0)
  expect(at.runWith({ NACRE_PASSWORD: 'second' }, 'snapshots').code).toBe(0)
  const keys = JSON.parse(at.run('key', 'list', '--json').stdout) as { id: string; current: boolean }[]
  expect(keys).toHaveLength(2)
  const other = keys.find((key) => !key.current)!
  expect(at.run('key', 'remove', other.id.slice(0, 12)).code).toBe(0)
  expect(at.runWith({ NACRE_PASSWORD: 'second' }, 'snapshots').code).toBe(12)
  expect(at.run('key', 'remove', keys.find((key) => key.current)!.id).code).not.toBe(0)
  expect(at.run('key', 'passwd', '--new-password-file', file).code).toBe(0)
  expect(at.run('snapshots').code).toBe(12)
  expect(at.runWith({ NACRE_PASSWORD: 'second' }, 'snapshots').code).toBe(0)
})

test('cat shows what every kind of object says', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'file'), 'content of the file')
  at.run('init')
  at.run('backup', source)
  const cat = (...args: string[]): Record<string, unknown> => JSON.parse(at.run('cat', ...args).stdout) as Record<string, unknown>
  expect(cat('config')).toMatchObject({ version: 1, chunk_average: 131072 })
  const snapshot = cat('snapshot', 'latest')
  expect(cat('tree', String(snapshot['tree']))).toMatchObject({ kind: 'directory', level: 0 })
  const pack = execFileSync('find', [join(at.repo, 'packs'), '-type', 'f', '-printf', '%f\\n'], { encoding: 'utf8' }).split('\n')[0]!
  const frames = cat('pack', pack)['frames'] as { type: string; blobs: { id: string }[] }[]
  const packs = cat('index', execFileSync('ls', [join(at.repo, 'index/0')], { encoding: 'utf8' }).trim())['packs'] as { id: string }[]
  expect(packs.map((entry) => entry.id)).toContain(pack)
  const key = cat('key', execFileSync('ls', [join(at.repo, 'keys')], { encoding: 'utf8' }).trim())
  expect(key).toMatchObject({ kdf: 'argon2id', memory_kib: 65536, role: 'owner' })
  const listed = JSON.parse(at.run('ls', `latest:${source}/file`, '--json').stdout) as { content: { id: string }[] }[]
  expect(at.run('cat', 'blob', listed[0]!.content[0]!.id).stdout).toBe('content of the file')
  expect(frames.length).toBeGreaterThan(0)
})
