/** What a backup takes for another file system, and for a changed file. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, closeSync, copyFileSync, ftruncateSync, linkSync, mkdirSync, openSync, readFileSync, renameSync, statfsSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastJson, place, type Place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

const listed = (at: Place, below: string): string[] => at.run('ls', 'latest', '--recursive').stdout.split('\n').filter((line) => line.startsWith(`${below}/`)).map((line) => line.slice(below.length + 1))

/** Mounting needs root, and containers may refuse it even then. */
function mounted(folder: string): boolean {
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) return false
  onTestFinished(() => void execFileSync('umount', [folder]))
  return true
}

test('--one-file-system leaves out what is mounted below, and keeps the folder that it is mounted on', (context) => {
  const at = place()
  const source = join(at.folder, 'source')
  const mount = join(source, 'mount')
  mkdirSync(mount, { recursive: true })
  writeFileSync(join(mount, 'underneath'), 'covered')
  writeFileSync(join(source, 'own'), 'own')
  if (!mounted(mount)) context.skip('a tmpfs cannot be mounted here: it needs root')
  mkdirSync(join(mount, 'deep'))
  writeFileSync(join(mount, 'deep/other'), 'other')
  at.run('init')
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  expect(listed(at, source)).toEqual(['mount', 'mount/deep', 'mount/deep/other', 'own'])
  expect(at.run('backup', source, '--one-file-system')).toMatchObject({ code: 0 })
  expect(listed(at, source)).toEqual(['mount', 'own'])
  // A path that is named is taken, whatever it lies on.
  expect(at.run('backup', source, mount, '--one-file-system')).toMatchObject({ code: 0 })
  expect(listed(at, source)).toEqual(['mount', 'mount/deep', 'mount/deep/other', 'own'])
}, 120_000)

/** How many files the next backup takes for changed. */
function changed(at: Place, source: string, ...options: string[]): unknown {
  return lastJson(at.run('backup', source, '--json', '--dry-run', ...options).stdout)['files_changed']
}

function saved(): { at: Place; source: string; file: string } {
  const at = place()
  const source = join(at.folder, 'source')
  const file = join(source, 'file')
  mkdirSync(source)
  writeFileSync(file, 'the same bytes')
  utimesSync(file, 1e9, 1e9)
  at.run('init')
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  return { at, source, file }
}

test('--ignore-ctime takes no file for changed whose ctime alone is another', () => {
  const { at, source, file } = saved()
  const before = statSync(file, { bigint: true }).ctimeNs
  // Until the clock of the file system has gone on.
  while (statSync(file, { bigint: true }).ctimeNs === before) chmodSync(file, statSync(file).mode)
  expect(changed(at, source)).toBe(1)
  expect(changed(at, source, '--ignore-inode')).toBe(1)
  expect(changed(at, source, '--ignore-ctime')).toBe(0)
}, 60_000)

test('--ignore-inode takes no file for changed whose inode alone is another', () => {
  const { at, source, file } = saved()
  copyFileSync(file, `${file}.copy`)
  utimesSync(`${file}.copy`, 1e9, 1e9)
  renameSync(`${file}.copy`, file)
  // A copy has another ctime as well.
  expect(changed(at, source, '--ignore-ctime')).toBe(1)
  expect(changed(at, source, '--ignore-inode', '--ignore-ctime')).toBe(0)
  writeFileSync(file, 'other bytes !!')
  expect(changed(at, source, '--ignore-inode', '--ignore-ctime')).toBe(1)
}, 60_000)

/** A file system that shares blocks, in a file; false where it cannot be had. */
function sharesBlocks(image: string, folder: string): boolean {
  const fd = openSync(image, 'w')
  ftruncateSync(fd, 400 * 1024 * 1024)
  closeSync(fd)
  if (spawnSync('mkfs.xfs', ['-q', '-m', 'reflink=1', image], { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } }).status !== 0) return false
  if (spawnSync('mount', ['-o', 'loop', image, folder]).status !== 0) return false
  onTestFinished(() => void execFileSync('umount', [folder]))
  return true
}

test('a file that is overwritten begins as a clone of the old one where the file system shares blocks', (context) => {
  const at = place()
  const source = join(at.folder, 'source')
  const target = join(at.folder, 'target')
  for (const folder of [source, target]) mkdirSync(folder)
  if (!sharesBlocks(join(at.folder, 'disk'), target)) context.skip('an XFS cannot be mounted here: it needs root, mkfs.xfs and loop devices')
  const bytes = seededBytes('shared', 48 * 1024 * 1024)
  writeFileSync(join(source, 'image'), bytes)
  at.run('init')
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  const changed = Buffer.from(bytes)
  changed.fill(7, 20_000_000, 20_005_000)
  // Longer, and with another name, so that it stays beside the new one.
  writeFileSync(join(target, 'image'), Buffer.concat([changed, Buffer.alloc(100_000, 1)]))
  linkSync(join(target, 'image'), join(target, 'old'))
  const free = (): number => {
    execFileSync('sync', ['-f', target])
    const { bfree, bsize } = statfsSync(target)
    return bfree * bsize
  }
  const before = free()
  const ended = at.run('restore', `latest:${source}`, '--target', target, '--overwrite', 'always', '--json')
  expect(ended.code).toBe(0)
  expect(lastJson(ended.stdout)).toMatchObject({ files_restored: 1 })
  expect(before - free()).toBeLessThan(8 * 1024 * 1024)
  expect(readFileSync(join(target, 'image')).equals(bytes)).toBe(true)
  expect(readFileSync(join(target, 'old')).subarray(0, changed.length).equals(changed)).toBe(true)
}, 120_000)
