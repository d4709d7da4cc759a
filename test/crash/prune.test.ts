/** Prunes that are really killed, and backups that really sleep while one runs. */
import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { localBackend } from '../../src/backend/local.ts'
import { encodeForgotten } from '../../src/repository/forgotten.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { nowNs } from '../../src/util/clock.ts'
import { lastJson, type Place, place, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

const isLong = process.env['NACRE_TORTURE'] === '1'
const KILLS = isLong ? 200 : 12
const STOPS = isLong ? 50 : 5

function snapshots(at: Place): { id: string }[] {
  return JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]
}

async function forget(at: Place, ...ids: string[]): Promise<void> {
  const repository = await openRepository({ backend: await localBackend(at.repo), password: Buffer.from('correct horse'), cacheFolder: join(at.folder, 'cache') })
  try {
    for (const id of ids) {
      const name = `0/${id}`
      await repository.backend.create({ type: 'forgotten', name }, [encodeForgotten(repository.keyring, name, { timeNs: nowNs(), host: 'test', user: 'test', program: 'test' })])
    }
  } finally {
    await repository[Symbol.asyncDispose]()
  }
}

function folder(at: Place, files: number, bytes: number): string {
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < files; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, bytes))
  return source
}

test(`${KILLS} prunes killed at points from start to end lose nothing, and the next one finishes`, async () => {
  const at = place()
  const source = folder(at, 120, 60_000)
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  const first = snapshots(at)[0]!.id
  const kept = join(at.folder, 'kept')
  cpSync(source, kept, { recursive: true })
  let killed = 0
  let latestMs = 900
  for (let round = 0; round < KILLS; round++) {
    // Each round leaves a snapshot that goes, and packs of which a part is used.
    for (let i = 0; i < 12; i++) writeFileSync(join(source, `file-${(round * 7 + i * 5) % 120}`), seededBytes(`${round} ${i}`, 60_000))
    expect(at.run('backup', source).code).toBe(0)
    const ids = snapshots(at).map(({ id }) => id)
    await forget(at, ...ids.filter((id) => id !== first).slice(0, -1))
    const child = start(at, 'prune', '--max-unused', '0', '--fence')
    const started = performance.now()
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const timer = setTimeout(() => child.kill('SIGKILL'), 150 + (round * (latestMs - 150)) / KILLS)
    const code = await ended
    clearTimeout(timer)
    if (code === null) killed++
    else latestMs = Math.max(300, Math.min(latestMs, performance.now() - started))
    expect(at.run('check', '--read-data'), `after kill ${round}`).toMatchObject({ code: 0 })
    if (round % 3 === 2) expect(at.run('prune', '--max-unused', '0', '--fence'), `after kill ${round}`).toMatchObject({ code: 0 })
  }
  expect(killed).toBeGreaterThan(0)
  expect(at.run('prune', '--max-unused', '0', '--fence')).toMatchObject({ code: 0 })
  expect(at.run('prune', '--max-unused', '0').stdout).toContain('nothing to free')
  // A kill may leave a temporary file, which is no session.
  expect(readdirSync(join(at.repo, 'sessions', '0')).filter((name) => !name.startsWith('.tmp-'))).toEqual([])
  expect(at.run('check', '--read-data').stdout).toContain('no errors\n')
  for (const [id, like] of [[first, kept], ['latest', source]] as const) {
    const target = join(at.folder, 'target')
    expect(at.run('restore', `${id}:${source}`, '--target', target)).toMatchObject({ code: 0 })
    execFileSync('diff', ['-r', like, target])
    rmSync(target, { recursive: true })
  }
}, 3_600_000)

test(`backups suspended at ${STOPS} points around a prune are fenced and begin again, or were done`, async () => {
  const at = place()
  const source = folder(at, 100, 60_000)
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  for (let round = 0; round < STOPS; round++) {
    const before = snapshots(at).map(({ id }) => id)
    // What it goes on to refer to is forgotten, and freed while it sleeps.
    await forget(at, ...before)
    appendFileSync(join(source, `file-${round}`), `round ${round}`)
    const child = start(at, 'backup', source)
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    await sleep(200 + (round * 700) / STOPS)
    child.kill('SIGSTOP')
    const pruned = at.run('prune', '--fence', '--max-unused', '0', '--json')
    child.kill('SIGCONT')
    expect(pruned.code, pruned.stderr).toBe(0)
    expect(lastJson(pruned.stdout)).toMatchObject({ type: 'summary' })
    expect(await ended, `round ${round}`).toBe(0)
    expect(at.run('check', '--read-data'), `round ${round}`).toMatchObject({ code: 0 })
    const target = join(at.folder, 'target')
    expect(at.run('restore', `latest:${source}`, '--target', target)).toMatchObject({ code: 0 })
    execFileSync('diff', ['-r', source, target])
    rmSync(target, { recursive: true })
  }
}, 3_600_000)

test('a young backup makes prune leave its generation open with 11, and sessions can be listed and fenced', async () => {
  const at = place()
  const source = folder(at, 60, 60_000)
  at.run('init')
  at.run('backup', source)
  await forget(at, snapshots(at)[0]!.id)
  for (let i = 0; i < 60; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`new ${i}`, 60_000))
  expect(at.run('backup', source).code).toBe(0)
  writeFileSync(join(source, 'large'), seededBytes('large', 60_000_000))
  const child = start(at, 'backup', source)
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const sessions = (): { id: string; state: string }[] => JSON.parse(at.run('sessions', '--json').stdout) as { id: string; state: string }[]
  while (!readdirSync(join(at.repo, 'sessions', '0')).some((name) => /^[0-9a-f]{32}$/.test(name))) await sleep(5)
  child.kill('SIGSTOP')
  expect(sessions()).toMatchObject([{ kind: 'backup', state: 'open' }])
  const open = at.run('prune')
  expect(open.code).toBe(11)
  expect(open.stdout).toContain('left open')
  expect(at.run('sessions', 'fence', sessions()[0]!.id.slice(0, 10)).code).toBe(0)
  expect(at.run('prune')).toMatchObject({ code: 0 })
  child.kill('SIGCONT')
  expect(await ended).toBe(0)
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
}, 300_000)

test('mistakes are one line and exit code 2', () => {
  const at = place()
  at.run('init')
  for (const [args, said] of [
    [['prune', '--max-unused', 'much'], '--max-unused takes a share'],
    [['prune', '--keep-recoverable', '7 days'], '--keep-recoverable takes a time such as 7d'],
    [['prune', '--fence-after', '-1h'], '--fence-after'],
    [['prune', '--lost', 'xyz'], '--lost takes the id of a snapshot'],
    [['sessions', 'fense', 'x'], 'did you mean'],
    [['sessions', 'fence'], 'which session?'],
    [['sessions', 'fence', '77'], 'there is no open session "77"'],
  ] as const) {
    const ended = at.run(...args)
    expect(ended.code, args.join(' ')).toBe(2)
    expect(ended.stderr).toContain(said)
    expect(ended.stderr).not.toContain('    at ')
  }
}, 120_000)
