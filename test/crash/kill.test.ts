/** Backups that are really killed: nothing that was there suffers, and what was stored is used. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, place, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

const KILLS = 50
/** By then the smaller backups of this test are over: kills fall evenly before it. */
const LATEST_MS = 900

test(`${KILLS} backups killed at points from start to end lose nothing`, async () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 400; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, 20_000))
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  const kept = join(at.folder, 'kept')
  cpSync(source, kept, { recursive: true })
  let committed = 1
  for (let kill = 0; kill < KILLS; kill++) {
    // Something new to store each time, in many small pieces and a large one.
    for (let i = 0; i < 20; i++) appendFileSync(join(source, `file-${(kill * 20 + i) % 400}`), `round ${kill}`)
    writeFileSync(join(source, 'large'), seededBytes(`large ${kill}`, 12_000_000))
    const child = start(at, 'backup', source)
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const timer = setTimeout(() => child.kill('SIGKILL'), 60 + (kill * LATEST_MS) / KILLS)
    if ((await ended) === 0) committed++
    clearTimeout(timer)
    if (kill % 5 === 4) expect(at.run('check', '--read-data'), `after kill ${kill}`).toMatchObject({ code: 0 })
    else expect(at.run('check'), `after kill ${kill}`).toMatchObject({ code: 0 })
  }
  const listed = JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]
  // One that was killed after its commit counts as well.
  expect(listed.length).toBeGreaterThanOrEqual(committed)
  const target = join(at.folder, 'target')
  expect(at.run('restore', `${listed[0]!.id}:${source}`, '--target', target)).toMatchObject({ code: 0 })
  execFileSync('diff', ['-r', kept, target])
  expect(lastJson(at.run('backup', source, '--json').stdout)).toMatchObject({ type: 'summary' })
  rmSync(target, { recursive: true })
  expect(at.run('restore', `latest:${source}`, '--target', target, '--verify')).toMatchObject({ code: 0 })
  execFileSync('diff', ['-r', source, target])
}, 1_200_000)

test('two backups into one repository at once both succeed', async () => {
  const at = place()
  const ends: Promise<number | null>[] = []
  expect(at.run('init').code).toBe(0)
  for (const name of ['a', 'b', 'c']) {
    const source = join(at.folder, name)
    mkdirSync(source)
    for (let i = 0; i < 200; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${name}${i % 100}`, 30_000))
    ends.push(new Promise((resolve) => start(at, 'backup', source).once('exit', resolve)))
  }
  expect(await Promise.all(ends)).toEqual([0, 0, 0])
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(3)
}, 240_000)
