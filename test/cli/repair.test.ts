/**
 * Damage to a repository on disk, and its repair by the built program. Each kind of damage is met in
 * memory as well, which is faster (test/features/repair): here one of each, and all with NACRE_TORTURE=1.
 */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lastJson, type Place, place, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

const IS_LONG = process.env['NACRE_TORTURE'] === '1'

interface Prepared {
  readonly at: Place
  readonly source: string
}

/** What every test begins with; made once, for each run of the program takes most of a second. */
const base = mkdtempSync(join(tmpdir(), 'nacre-repair-'))
afterAll(() => rmSync(base, { recursive: true, force: true }))
const source = join(base, 'source')

function prepared(): Prepared {
  const at = place()
  const [repo, cache] = [join(base, 'repo'), join(base, 'cache')]
  const ownCache = at.environment['NACRE_CACHE_DIR']!
  if (!existsSync(source)) {
    mkdirSync(join(source, 'below'), { recursive: true })
    for (let i = 0; i < 12; i++) writeFileSync(join(source, i % 3 === 0 ? 'below' : '', `file-${i}`), seededBytes(`${i}`, 150_000))
    writeFileSync(join(source, 'long'), seededBytes('long', 3_000_000))
    expect(at.run('init').code).toBe(0)
    expect(at.run('backup', source).code).toBe(0)
    writeFileSync(join(source, 'second'), seededBytes('second', 150_000))
    expect(at.run('backup', source).code).toBe(0)
    cpSync(at.repo, repo, { recursive: true })
    cpSync(ownCache, cache, { recursive: true })
  } else {
    cpSync(repo, at.repo, { recursive: true })
    cpSync(cache, ownCache, { recursive: true })
  }
  return { at, source }
}

function objects(at: Place, type: string): string[] {
  return readdirSync(join(at.repo, type), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).size - statSync(a).size)
}

function flip(file: string, share = 0.5): void {
  const bytes = readFileSync(file)
  bytes[Math.floor(bytes.length * share)]! ^= 0x10
  chmodSync(file, 0o600)
  writeFileSync(file, bytes)
}

/** Everything is read, by a process that knows nothing from before. */
function expectSound(at: Place): void {
  const checked = at.run('check', '--read-data', '--no-cache', '--threads', '0')
  expect(checked.stdout).toContain('no errors')
  expect(checked.code).toBe(0)
}

function expectRestores({ at, source }: Prepared, except: readonly string[] = []): void {
  const target = join(at.folder, 'target')
  expect(at.run('restore', `latest:${source}`, '--target', target, '--no-cache').code).toBe(0)
  for (const name of readdirSync(source, { recursive: true }).map(String)) {
    if (statSync(join(source, name)).isDirectory()) continue
    if (except.includes(name)) expect(readdirSync(target, { recursive: true })).not.toContain(name)
    else expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name))), name).toBe(true)
  }
  rmSync(target, { recursive: true })
}

test.each(IS_LONG ? (['flipped', 'gone'] as const) : (['flipped'] as const))('with every index object %s the packs give the index back, and prune runs again', (damage) => {
  const { at, source } = prepared()
  for (const file of objects(at, 'index')) {
    if (damage === 'gone') rmSync(file)
    else flip(file)
  }
  const objectsBefore = objects(at, 'index').length
  expect(at.run('prune').code).toBe(1)
  const planned = at.run('repair', 'index', '--no-cache')
  expect(planned).toMatchObject({ code: 0 })
  expect(planned.stdout).toContain('nothing was changed')
  expect(objects(at, 'index')).toHaveLength(objectsBefore)
  expect(at.run('repair', 'index', '--apply')).toMatchObject({ code: 0 })
  expectSound(at)
  expect(at.run('repair', 'index').stdout).toContain('nothing to repair')
  expect(at.run('prune')).toMatchObject({ code: 0 })
  // The damaged are gone by now, and one that knows nothing of before reads on.
  expect(objects(at, 'index').length).toBeLessThanOrEqual(2)
  expectSound(at)
  expectRestores({ at, source })
})

test.each(IS_LONG ? (['cut', 'flipped', 'gone'] as const) : (['cut'] as const))('a pack that is %s is healed from the files that are still there', (damage) => {
  const { at, source } = prepared()
  const [pack] = objects(at, 'packs')
  if (damage === 'flipped') flip(pack!)
  else if (damage === 'gone') rmSync(pack!)
  else {
    chmodSync(pack!, 0o600)
    truncateSync(pack!, Math.floor(statSync(pack!).size * 0.7))
  }
  const packs = objects(at, 'packs')
  expect(at.run('repair', 'packs')).toMatchObject({ code: 0 })
  expect(objects(at, 'packs')).toEqual(packs)
  const saved = at.run('repair', 'packs', '--apply', '--json')
  expect(saved.code).toBe(3)
  expect(lastJson(saved.stdout)).toMatchObject({ applied: true, damaged: 1, left: 0 })
  expect(Number(lastJson(saved.stdout)['saved_blobs']) > 0).toBe(damage !== 'gone')
  // Only what was truly lost is an error now, and what prune needs it does not find.
  expect(at.run('check', '--read-data', '--no-cache', '--threads', '0').stdout).toMatch(/1 error/)
  expect(at.run('prune').code).toBe(1)
  expect(lastJson(at.run('repair', 'files', '--from', source, '--json').stdout)).toMatchObject({ applied: false, lost: 0 })
  expect(at.run('repair', 'files', '--from', source, '--apply')).toMatchObject({ code: 0 })
  expectSound(at)
  expect(at.run('prune')).toMatchObject({ code: 0 })
  expectSound(at)
  expectRestores({ at, source })
})

test('a copy of the files that lies elsewhere heals as well, and what differs there does not', () => {
  const { at, source } = prepared()
  rmSync(objects(at, 'packs')[0]!)
  expect(at.run('repair', 'packs', '--apply').code).toBe(3)
  const copy = join(at.folder, 'copy')
  cpSync(source, copy, { recursive: true })
  writeFileSync(join(copy, 'long'), seededBytes('another', 3_000_000))
  const healed = at.run('repair', 'files', '--from', copy, '--apply', '--json')
  expect(healed.code).toBe(3)
  expect(Number(lastJson(healed.stdout)['healed'])).toBeGreaterThan(0)
  expect(healed.stdout).toContain(`"path":"${source}/long"`)
})

test('what is lost for good is left out of new snapshots that say so; the old ones go only when asked, and prune runs again', () => {
  const { at, source } = prepared()
  rmSync(objects(at, 'packs')[0]!)
  expect(at.run('repair', 'packs', '--apply').code).toBe(3)
  const before = JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]
  expect(at.run('repair', 'snapshots').stdout).toContain('nothing was changed')
  expect(at.run('repair', 'snapshots', '--apply')).toMatchObject({ code: 0 })
  const both = JSON.parse(at.run('snapshots', '--json').stdout) as { id: string; repaired_from?: string; skipped: number }[]
  expect(both.filter(({ repaired_from: from }) => from !== undefined).map(({ repaired_from: from }) => from).sort()).toEqual(before.map(({ id }) => id).sort())
  // Again, it knows what it has made.
  expect(at.run('repair', 'snapshots', '--apply', '--forget').stdout).toContain('was made anew before')
  const after = JSON.parse(at.run('snapshots', '--json').stdout) as { id: string; repaired_from?: string }[]
  expect(after).toHaveLength(before.length)
  expect(after.every(({ repaired_from: from }) => from !== undefined)).toBe(true)
  const lost = at.run('cat', 'skipped', 'latest').stdout.split('\n').filter((line) => line.startsWith('lost: ')).map((line) => line.split(': ')[1]!.slice(source.length + 1))
  expect(lost.length).toBeGreaterThan(0)
  expect(at.run('prune')).toMatchObject({ code: 0 })
  expectSound(at)
  expectRestores({ at, source }, lost)
  // The next backup reads what is not in its parent.
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  expectRestores({ at, source })
})

test.each(IS_LONG ? (['gone', 'flipped'] as const) : (['gone'] as const))('of a snapshot that is %s the tree is recovered', (damage) => {
  const { at, source } = prepared()
  const [newest] = JSON.parse(at.run('snapshots', '--latest', '1', '--json').stdout) as { id: string }[]
  const file = objects(at, 'snapshots').find((path) => path.endsWith(newest!.id))!
  if (damage === 'gone') rmSync(file)
  else flip(file)
  expect(at.run('recover', '--no-cache').stdout).toContain('would make 1 snapshot')
  expect(at.run('recover', '--apply', '--no-cache')).toMatchObject({ code: 0 })
  expect(at.run('recover', '--no-cache').stdout).toContain('no tree is without a snapshot')
  expect(at.run('snapshots').stdout).toContain('recovered')
  expectRestores({ at, source })
  if (damage === 'flipped') expect(at.run('forget', newest!.id)).toMatchObject({ code: 0 })
  expect(at.run('prune', ...(damage === 'gone' ? ['--lost', newest!.id] : []))).toMatchObject({ code: 0 })
  expectSound(at)
  expectRestores({ at, source })
})

test('a full verification is spread over runs: what was found sound lately is passed over, and a cleared cache forgets it', () => {
  const { at } = prepared()
  const packs = objects(at, 'packs').length
  const verify = (...more: string[]): Record<string, unknown> => lastJson(at.run('check', '--json', '--threads', '0', ...more).stdout)
  expect(verify('--max-age', '30d', '--max-duration', '0s')).toMatchObject({ packs_read: 0, packs_left: packs, packs_skipped: 0, errors: 0 })
  expect(verify('--read-data')).toMatchObject({ packs_read: packs, packs_left: 0 })
  expect(verify('--max-age', '30d')).toMatchObject({ packs_read: 0, packs_skipped: packs })
  expect(verify('--max-age', '0s')).toMatchObject({ packs_read: packs, packs_skipped: 0 })
  expect(at.run('cache', 'clear').code).toBe(0)
  expect(verify('--max-age', '30d')).toMatchObject({ packs_read: packs, packs_skipped: 0 })
  // What is damaged is remembered as nothing.
  flip(objects(at, 'packs')[0]!)
  expect(at.run('check', '--read-data', '--threads', '0').code).toBe(1)
  expect(verify('--max-age', '30d')).toMatchObject({ packs_read: 1, packs_skipped: packs - 1, errors: 1 })
  expect(at.run('check', '--max-age', '30d', '--read-data-subset', '10%').code).toBe(2)
})

test('a repair that is killed anywhere leaves spare objects, and the next one does it', async () => {
  const { at, source } = prepared()
  flip(objects(at, 'packs')[0]!)
  for (const file of objects(at, 'index')) flip(file)
  const steps: string[][] = [['repair', 'index', '--apply'], ['repair', 'packs', '--apply', '--threads', '0'], ['repair', 'files', '--from', source, '--apply', '--threads', '0']]
  for (const step of steps) {
    // Killed at the first sign of a write of its own: a session.
    const sessions = objects(at, 'sessions').length
    const child = start(at, ...step)
    const ended = new Promise((resolve) => child.on('close', resolve))
    while (child.exitCode === null && objects(at, 'sessions').length === sessions) await new Promise((resolve) => setImmediate(resolve))
    child.kill('SIGKILL')
    await ended
    expect([0, 3]).toContain(at.run(...step).code)
  }
  expect(at.run('prune', '--fence')).toMatchObject({ code: 0 })
  expectSound(at)
  expectRestores({ at, source })
})

test('a mistake is told in a line, and nothing is done', () => {
  const { at, source } = prepared()
  for (const args of [['repair'], ['repair', 'pack'], ['repair', 'files'], ['repair', 'index', '--from', source], ['repair', 'packs', '--forget'], ['repair', 'packs', 'xyz'], ['repair', 'packs', '0123456789abcdef'], ['recover', 'zz'], ['check', '--max-age', 'soon'], ['forget', '--keep-last', '1', '--lost', 'x']]) {
    const ended = at.run(...args)
    expect(ended.code, args.join(' ')).toBe(2)
    expect(ended.stderr.split('\n').length, args.join(' ')).toBeLessThan(4)
  }
  rmSync(objects(at, 'index')[0]!)
  for (const file of objects(at, 'index')) flip(file)
  const refused = at.run('repair', 'packs', '--no-cache')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('"nacre repair index --apply" comes first')
})
