/** What a backup takes for another file system, and for a changed file. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastJson, place, type Place } from '../support/nacre.ts'

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
