/** Objects with flipped bits, or cut short, met by check and by all that reads. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backend, ObjectRef, ObjectType } from '../../src/backend/backend.ts'
import { checkRepository } from '../../src/features/check.ts'
import { encodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import { loadReadableIndex } from '../../src/repository/index-loader.ts'
import { encodeMark } from '../../src/repository/mark.ts'
import { BackupError } from '../../src/util/errors.ts'
import { nowNs } from '../../src/util/clock.ts'
import { prunePlace } from '../features/prune/place.ts'
import { namesIn, PERSON, replaceObject } from '../repository/support.ts'
import { type Place, place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { flipped } from '../util/bytes-of.ts'

function prepared(): { at: Place; source: string } {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (let i = 0; i < 40; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${i}`, 200_000))
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source).code).toBe(0)
  return { at, source }
}

function objects(at: Place, type: string): string[] {
  return readdirSync(join(at.repo, type), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function flip(file: string, offset: number): void {
  const bytes = readFileSync(file)
  bytes[offset]! ^= 0x10
  chmodSync(file, 0o600)
  writeFileSync(file, bytes)
}

/** Without the cache, which remembers what it has seen. */
const check = (at: Place): ReturnType<Place['run']> => at.run('check', '--read-data', '--no-cache')

test.each(['packs', 'index', 'snapshots', 'keys'])('one bit anywhere in %s is found', (type) => {
  const { at } = prepared()
  if (type === 'keys') {
    writeFileSync(join(at.folder, 'second'), 'second', { mode: 0o600 })
    expect(at.run('key', 'add', '--new-password-file', join(at.folder, 'second')).code).toBe(0)
  }
  const file = objects(at, type).sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  const whole = readFileSync(file)
  for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
    flip(file, Math.floor(whole.length * share))
    const ended = check(at)
    expect(ended.code, `${type} at ${share}`).toBe(1)
    expect(ended.stderr + ended.stdout).not.toContain('bug')
    writeFileSync(file, whole)
  }
  expect(check(at)).toMatchObject({ code: 0 })
}, 240_000)

test('a flipped or short pack is named with the files that suffer, and restore saves all else', () => {
  const { at, source } = prepared()
  const pack = objects(at, 'packs').sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  const whole = readFileSync(pack)
  for (const damage of ['flip', 'cut'] as const) {
    chmodSync(pack, 0o600)
    writeFileSync(pack, whole)
    if (damage === 'flip') flip(pack, Math.floor(whole.length / 2))
    else truncateSync(pack, Math.floor(whole.length / 2))
    const checked = check(at)
    expect(checked.code).toBe(1)
    const [finding, ...others] = checked.stdout.split('\nerror: ')
    expect(finding).toContain(`packs/${pack.split('/').at(-1)!}`)
    expect(others).toEqual([])
    const suffering = [...finding!.matchAll(/suffers: \w+:(\S+)/g)].map((match) => match[1]!)
    expect(suffering.length).toBeGreaterThan(0)
    if (damage === 'cut') {
      const events = at.run('check', '--json', '-v').stdout.trim().split('\n').map((line) => JSON.parse(line) as { type: string; object: string; suffers: unknown[]; blobs: string[] })
      const found = events.find(({ type }) => type === 'finding')!
      expect(found.object).toBe(`packs/${pack.split('/').at(-1)!}`)
      expect(found.suffers.length).toBeGreaterThan(0)
      expect(found.blobs.length).toBeGreaterThan(3)
    } else expect(at.run('check', '--read-data', '-v').stdout.match(/^ {2}blob: [0-9a-f]{64}$/gm)!.length).toBeGreaterThan(3)
    expect(checked.stdout).not.toContain('  blob: ')
    const target = join(at.folder, `target-${damage}`)
    const restored = at.run('restore', `latest:${source}`, '--target', target)
    expect(restored.code).toBe(3)
    let missing = 0
    for (const name of readdirSync(source)) {
      if (readdirSync(target).includes(name)) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name)))).toBe(true)
      else {
        missing++
        expect(restored.stderr).toContain(`damaged: ${join(target, name)}`)
      }
    }
    expect(missing).toBeGreaterThan(0)
    expect(missing).toBeLessThan(40)
    expect(readdirSync(target).filter((name) => name.startsWith('.nacre'))).toEqual([])
  }
}, 240_000)

test('without one of its index objects a repository gives back all that others state, and takes backups', () => {
  const { at, source } = prepared()
  const whole = objects(at, 'index')
  const later = join(at.folder, 'later')
  mkdirSync(later)
  writeFileSync(join(later, 'file'), seededBytes('later', 300_000))
  expect(at.run('backup', later).code).toBe(0)
  const [index] = objects(at, 'index').filter((file) => !whole.includes(file))
  flip(index!, 200)
  const name = `index/0/${index!.split('/').at(-1)!}`

  const restored = at.run('restore', `latest~1:${source}`, '--target', join(at.folder, 'target'), '--no-cache')
  expect(restored).toMatchObject({ code: 0 })
  expect(readdirSync(join(at.folder, 'target'))).toHaveLength(40)
  for (const read of [restored, at.run('ls', `latest~1:${source}`, '--no-cache'), at.run('dump', `latest~1:${source}`, '--no-cache'), at.run('stats', 'latest~1', '--no-cache')]) {
    expect(read.code).toBe(0)
    expect(read.stderr.match(new RegExp(`${name} is damaged.*"nacre check" tells more`, 'g'))).toHaveLength(1)
  }
  const checked = check(at)
  expect(checked).toMatchObject({ code: 1 })
  expect(checked.stdout).toContain(`error: ${name}: `)
  expect(checked.stdout).toContain('"nacre repair index --apply"')

  const packs = objects(at, 'packs').length
  expect(at.run('prune', '--no-cache')).toMatchObject({ code: 1 })
  const again = at.run('backup', later, '--no-cache')
  expect(again).toMatchObject({ code: 0 })
  expect(again.stderr).toContain(name)
  expect(objects(at, 'packs').length).toBeGreaterThan(packs)
  expect(at.run('restore', `latest:${later}`, '--target', join(at.folder, 'anew'), '--no-cache')).toMatchObject({ code: 0 })
  expect(readFileSync(join(at.folder, 'anew', 'file')).equals(readFileSync(join(later, 'file')))).toBe(true)
}, 60_000)

/** Each damage to each of the objects in turn, and whole again afterwards. */
async function* damaged(backend: Backend, types: readonly ObjectType[]): AsyncGenerator<ObjectRef & { readonly note: string }> {
  for (const type of types) {
    for (const name of await namesIn(backend, type)) {
      const ref = { type, name }
      const whole = await backend.load(ref)
      const damages = { flip: flipped(whole, Math.floor(whole.length * 0.7) * 8), cut: whole.subarray(0, whole.length - 1), empty: whole.subarray(0, 0) }
      for (const [note, bytes] of Object.entries(damages)) {
        await replaceObject(backend, ref, bytes)
        yield { ...ref, note }
      }
      await replaceObject(backend, ref, whole)
    }
  }
}

test('check finds and names every damaged object, whatever this machine remembers of it', async () => {
  await using at = await prunePlace()
  at.fill(0, 2)
  const first = await at.keep()
  at.fill(2, 3)
  await at.keep()
  await at.forget(first)
  const { keyring } = at.repository
  const name = `0/${first}.0`
  await at.backend.create({ type: 'marks', name }, [encodeMark(keyring, name, { timeNs: nowNs(), ...PERSON, program: 'test', label: 'marked' })])
  for (const kind of ['plan', 'verdict', 'done'] as const) await at.backend.create({ type: 'gc', name: gcName(1, kind) }, [encodeGcRecord(keyring, 1, kind, { packs: [], sweep: [], sweptBefore: [] })])
  const check = async (): Promise<string[]> => {
    const { findings } = await checkRepository(at.repository, { threads: 0, readData: { kind: 'all' } })
    return findings.filter(({ severity }) => severity === 'error').map(({ object }) => object)
  }
  expect(await check()).toEqual([])
  let tried = 0
  for await (const { type, name, note } of damaged(at.backend, ['packs', 'index', 'snapshots', 'forgotten', 'marks', 'gc', 'keys'])) {
    tried++
    expect(await check(), `${type}/${name} ${note}`).toContain(`${type}/${name}`)
  }
  expect(tried).toBeGreaterThan(3 * 11)
  expect(await check()).toEqual([])
  await at.expectWhole(at.repository)
  for await (const { type, name, note } of damaged(at.backend, ['config', 'keys'])) {
    const refused = await at.open().then(() => undefined, (error: unknown) => error as BackupError)
    expect(refused, `${type}/${name} ${note}`).toBeInstanceOf(BackupError)
    expect(refused!.message).toContain(name.slice(0, 8))
  }
}, 60_000)

test('a backup notices an index object that was cut short, and refers to nothing that only this one states', async () => {
  await using at = await prunePlace()
  at.fill(0, 2)
  await at.keep()
  const [name] = await namesIn(at.backend, 'index')
  const ref = { type: 'index', name: name! } as const
  const whole = await at.backend.load(ref)
  await replaceObject(at.backend, ref, whole.subarray(0, whole.length - 1))
  const again = await at.keep()
  expect(at.notices.join()).toContain(`index/${name} is damaged`)
  await at.backend.remove(ref)
  const elsewhere = await at.open()
  expect((await loadReadableIndex(elsewhere)).problems).toEqual([])
  expect((await at.restoreSource(await at.latest(elsewhere), {}, elsewhere)).problems).toEqual([])
  expect((await at.latest(elsewhere)).id).toBe(again)
}, 60_000)

test('a snapshot that cannot be read is named by what lists, finds and follows', () => {
  const { at, source } = prepared()
  const [snapshot] = objects(at, 'snapshots')
  flip(snapshot!, statSync(snapshot!).size - 20)
  for (const args of [['snapshots'], ['find', 'file-1'], ['history', join(source, 'file-1')]]) {
    const ended = at.run(...args, '--no-cache')
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain(`0/${snapshot!.split('/').at(-1)}`)
  }
}, 60_000)
