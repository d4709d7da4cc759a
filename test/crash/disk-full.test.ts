/** A repository on a disk that is full: it says so, stays sound, and goes on when there is room. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

function mountSmallDisk(at: string, size: string): boolean {
  mkdirSync(at, { recursive: true })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at]).status !== 0) return false
  onTestFinished(() => void spawnSync('umount', [at]))
  return true
}

test('a full disk ends the backup with 1, and the next one succeeds when there is room', ({ skip }) => {
  const at = place()
  const disk = join(at.folder, 'disk')
  if (!mountSmallDisk(disk, '96m')) skip('a small disk can only be mounted by root')
  const repo = join(disk, 'repo')
  const filler = join(disk, 'filler')
  const source = join(at.folder, 'source')
  mkdirSync(source)
  writeFileSync(join(source, 'small'), 'small')
  const run = (...args: string[]): ReturnType<typeof at.run> => at.run('-r', repo, ...args)
  expect(run('init').code).toBe(0)
  expect(run('backup', source).code).toBe(0)
  // What is stored before the disk is full stays until a prune: the next backup needs room beside it.
  writeFileSync(filler, Buffer.alloc(78_000_000))
  writeFileSync(join(source, 'large'), seededBytes('large', 35_000_000))
  const failed = run('backup', source)
  expect(failed.code).toBe(1)
  expect(failed.stderr).toMatch(/^nacre: .*(full|space)/im)
  expect(failed.stderr).not.toContain('bug')
  expect(run('check', '--read-data')).toMatchObject({ code: 0 })
  rmSync(filler)
  expect(run('backup', source)).toMatchObject({ code: 0 })
  expect(run('check', '--read-data')).toMatchObject({ code: 0 })
  const target = join(at.folder, 'target')
  expect(run('restore', `latest:${source}`, '--target', target)).toMatchObject({ code: 0 })
  execFileSync('diff', ['-r', source, target])
}, 240_000)

test('a target that is full ends the restore with 1; what is complete stays, and the same restore goes on when there is room', ({ skip }) => {
  const at = place()
  const disk = join(at.folder, 'disk')
  if (!mountSmallDisk(disk, '8m')) skip('a small disk can only be mounted by root')
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 4; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, 3_000_000))
  at.run('init')
  at.run('backup', source)
  const target = join(disk, 'target')
  const restore = (...options: string[]): ReturnType<typeof at.run> => at.run('restore', `latest:${source}`, '--target', target, ...options)
  const ended = restore()
  expect(ended.code).toBe(1)
  expect(ended.stderr).toMatch(/^nacre: the target is full: /m)
  const whole = readdirSync(target)
  expect(whole.filter((name) => !name.startsWith('file-'))).toEqual([])
  for (const name of whole) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
  expect(spawnSync('mount', ['-o', 'remount,size=16m', disk]).status).toBe(0)
  expect(restore('--verify')).toMatchObject({ code: 0 })
  // Over files that differ it is the same: each is the old or the new one.
  for (let i = 0; i < 4; i++) writeFileSync(join(target, `file-${i}`), seededBytes(`other ${i}`, 3_000_000))
  spawnSync('mount', ['-o', 'remount,size=13m', disk])
  expect(restore('--overwrite', 'always')).toMatchObject({ code: 1 })
  for (let i = 0; i < 4; i++) {
    const bytes = readFileSync(join(target, `file-${i}`))
    expect(bytes.equals(seededBytes(`${i}`, 3_000_000)) || bytes.equals(seededBytes(`other ${i}`, 3_000_000))).toBe(true)
  }
  // Where there is no room for a second one, what stands there can be written into.
  expect(restore('--overwrite', 'always', '--in-place', '--verify')).toMatchObject({ code: 0 })
  execFileSync('diff', ['-r', source, target])
}, 240_000)
