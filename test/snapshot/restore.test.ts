import { chmodSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { restore } from '../../src/snapshot/restore/restore.ts'
import type { RestoreEvent } from '../../src/snapshot/restore/types.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { namesIn, replaceObject } from '../repository/support.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRejected } from '../util/expect-error.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'
import { look, makeMany } from './trees.ts'

async function prepared(): Promise<SnapshotPlace> {
  const at = await snapshotPlace()
  for (const path of ['a.txt', 'b.log', 'sub/c.txt', 'sub/d.log', 'sub/deep/e.txt', 'other/f.txt']) {
    mkdirSync(join(at.source, path, '..'), { recursive: true })
    writeFileSync(join(at.source, path), `content of ${path}`)
  }
  mkdirSync(join(at.source, 'empty'))
  await at.save()
  return at
}

const text = (path: Uint8Array): string => Buffer.from(path).toString()

describe('what is restored', () => {
  test.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['all of it', [], [], ['a.txt', 'b.log', 'empty', 'other', 'other/f.txt', 'sub', 'sub/c.txt', 'sub/d.log', 'sub/deep', 'sub/deep/e.txt']],
    ['what matches an include, with the folders above it', ['*.log'], [], ['b.log', 'sub', 'sub/d.log']],
    ['a folder that matches, with all in it', ['deep/'], [], ['sub', 'sub/deep', 'sub/deep/e.txt']],
    ['all but what matches an exclude', [], ['*.log', 'other/'], ['a.txt', 'empty', 'sub', 'sub/c.txt', 'sub/deep', 'sub/deep/e.txt']],
    ['what is included and not excluded', ['*.txt'], ['deep/'], ['a.txt', 'other', 'other/f.txt', 'sub', 'sub/c.txt']],
    ['nothing where nothing matches', ['*.none'], [], []],
  ])('is %s', async (_what, include, exclude, wanted) => {
    await using at = await prepared()
    const result = await at.restoreSource(undefined, { include, exclude })
    expect(result.problems).toEqual([])
    expect([...look(result.target).keys()]).toEqual(wanted)
    for (const [path, line] of look(result.target)) if (!line.startsWith('folder')) expect(line).toBe(look(at.source).get(path))
  })

  test('is what lies below a path of the snapshot', async () => {
    await using at = await prepared()
    const result = await at.restoreSource(undefined, { path: utf8(`${at.source}/sub/`) })
    expect([...look(result.target).keys()]).toEqual(['c.txt', 'd.log', 'deep', 'deep/e.txt'])
  })

  test('is nothing where the path is not in the snapshot, and no target is made', async () => {
    await using at = await prepared()
    for (const path of ['/nowhere', `${at.source}/sub/none`, `${at.source}/a.txt/b`, `${at.source}/..`, `${at.source}/sub/../a.txt`]) {
      await expectRejected(at.restoreSource(undefined, { path: utf8(path) }), 'PATH_NOT_FOUND')
    }
    expect(readdirSync(at.folder).filter((name) => name.startsWith('target'))).toEqual([])
  })

  test('is counted', async () => {
    await using at = await prepared()
    symlinkSync('a.txt', join(at.source, 'link'))
    await at.save()
    const bytes = [...look(at.source).values()].filter((line) => line.startsWith('file')).reduce((sum, line) => sum + Number(line.split(' ')[4]), 0)
    expect(await at.restoreSource()).toMatchObject({ files: 6, folders: 4, others: 1, bytes, unchanged: 0, warnings: 0 })
  })

  test('is an older snapshot\'s state when that is asked for', async () => {
    await using at = await prepared()
    const before = look(at.source)
    const old = await at.latest()
    writeFileSync(join(at.source, 'a.txt'), 'changed')
    rmSync(join(at.source, 'sub'), { recursive: true })
    await at.save()
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
    const back = look((await at.restoreSource(old)).target)
    // The folder's own time alone is that of its restored state.
    expect(back).toEqual(before)
  })
})

describe('what stands in the target', () => {
  test('and is the same is left as it is', async () => {
    await using at = await prepared()
    const first = await at.restoreSource()
    const again = await at.restoreSource(undefined, { target: first.target })
    expect(again).toMatchObject({ files: 0, unchanged: 6, problems: [] })
    expect(look(first.target)).toEqual(look(at.source))
  })

  test('and is different is kept, and told', async () => {
    await using at = await prepared()
    const target = join(at.folder, 'standing')
    mkdirSync(join(target, 'sub'), { recursive: true })
    const mine = { 'a.txt': 'mine', 'sub/c.txt': `content of sub/c.txu` }
    for (const [path, content] of Object.entries(mine)) writeFileSync(join(target, path), content)
    writeFileSync(join(target, 'stranger'), 'not in the snapshot')
    const result = await at.restoreSource(undefined, { target })
    expect(result.problems.map(({ path, reason }) => `${text(path)} ${reason}`).sort()).toEqual(['a.txt kept', 'sub/c.txt kept'])
    for (const [path, content] of Object.entries(mine)) expect(readFileSync(join(target, path), 'utf8')).toBe(content)
    expect(readFileSync(join(target, 'stranger'), 'utf8')).toBe('not in the snapshot')
    expect(readFileSync(join(target, 'sub/d.log'), 'utf8')).toBe('content of sub/d.log')
    expect(result.files).toBe(4)
  })

  test('is never followed out of it: links in place of folders and files stay, and nothing is written through them', async () => {
    await using at = await prepared()
    const outside = mkdtempSync(join(at.folder, 'outside-'))
    writeFileSync(join(outside, 'victim'), 'untouched')
    const target = join(at.folder, 'trapped')
    mkdirSync(target)
    symlinkSync(outside, join(target, 'sub'))
    symlinkSync(join(outside, 'victim'), join(target, 'a.txt'))
    symlinkSync(join(outside, 'new'), join(target, 'b.log'))
    const result = await at.restoreSource(undefined, { target })
    expect(look(outside).size).toBe(1)
    expect(readFileSync(join(outside, 'victim'), 'utf8')).toBe('untouched')
    expect(result.problems.map(({ path, reason }) => `${text(path)} ${reason}`).sort()).toEqual(['a.txt kept', 'b.log kept', 'sub kept'])
    expect(readFileSync(join(target, 'other/f.txt'), 'utf8')).toBe('content of other/f.txt')
  })

  test('is kept where a folder stands in a file\'s place and a file in a folder\'s', async () => {
    await using at = await prepared()
    const target = join(at.folder, 'crossed')
    mkdirSync(join(target, 'a.txt'), { recursive: true })
    writeFileSync(join(target, 'sub'), 'a file')
    const result = await at.restoreSource(undefined, { target })
    expect(result.problems.map(({ path, reason }) => `${text(path)} ${reason}`).sort()).toEqual(['a.txt kept', 'sub kept'])
    expect(readFileSync(join(target, 'sub'), 'utf8')).toBe('a file')
  })

  test('and is a hard link of something else is not written into', async () => {
    await using at = await prepared()
    const precious = join(at.folder, 'precious')
    writeFileSync(precious, 'precious')
    const target = join(at.folder, 'linked')
    mkdirSync(target)
    linkSync(precious, join(target, 'a.txt'))
    const result = await at.restoreSource(undefined, { target })
    expect(result.problems).toHaveLength(1)
    expect(readFileSync(precious, 'utf8')).toBe('precious')
  })

  test('keeps no temporary file, whatever came of the restore', async () => {
    await using at = await prepared()
    const target = join(at.folder, 'clean')
    mkdirSync(target)
    writeFileSync(join(target, 'a.txt'), 'mine')
    await at.restoreSource(undefined, { target })
    expect([...look(target).keys()].filter((name) => name.includes('.nacre'))).toEqual([])
  })

  test('may be a path that is made, and refuses to be a file', async () => {
    await using at = await prepared()
    const target = join(at.folder, 'x/ü/z')
    await at.restoreSource(undefined, { target })
    expect(look(target)).toEqual(look(at.source))
    const file = join(at.folder, 'file')
    writeFileSync(file, '')
    await expectRejected(at.restoreSource(undefined, { target: file }), 'TARGET_REFUSED')
    await expectRejected(at.restoreSource(undefined, { target: join(file, 'below') }), 'TARGET_REFUSED')
  })
})

describe('files with several names', () => {
  test('are linked again, also when only some of the names are restored or one stands there', async () => {
    await using at = await snapshotPlace()
    mkdirSync(join(at.source, 'd'))
    writeFileSync(join(at.source, 'one'), 'x'.repeat(5000))
    linkSync(join(at.source, 'one'), join(at.source, 'd/two'))
    linkSync(join(at.source, 'one'), join(at.source, 'three'))
    writeFileSync(join(at.source, 'alone'), 'x'.repeat(5000))
    await at.save()
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
    const some = await at.restoreSource(undefined, { exclude: ['one'] })
    expect(some.problems).toEqual([])
    expect(readFileSync(join(some.target, 'd/two'), 'utf8')).toBe('x'.repeat(5000))
    expect(look(some.target).get('three')).toContain('= d/two')
    const again = await at.restoreSource(undefined, { target: some.target })
    expect(again.problems).toEqual([])
    expect(readFileSync(join(some.target, 'one'), 'utf8')).toBe('x'.repeat(5000))
  })
})

describe('a dry run', () => {
  test('plans what a restore would do, and writes nothing', async () => {
    await using at = await prepared()
    const target = join(at.folder, 'planned')
    mkdirSync(join(target, 'sub'), { recursive: true })
    writeFileSync(join(target, 'a.txt'), 'mine')
    writeFileSync(join(target, 'sub/c.txt'), 'content of sub/c.txt')
    const before = look(target)
    const plan: string[] = []
    const onEvent = (event: RestoreEvent): void => {
      if (event.type === 'planned') plan.push(`${event.action} ${text(event.path)}`)
    }
    await at.restoreSource(undefined, { target, dryRun: true, onEvent })
    expect(look(target)).toEqual(before)
    expect(plan.sort()).toEqual(['create b.log', 'create other/f.txt', 'create sub/d.log', 'create sub/deep/e.txt', 'keep a.txt', 'same sub/c.txt'])
    const nowhere = await at.restoreSource(undefined, { dryRun: true })
    expect(nowhere.files).toBe(6)
    expect(readdirSync(at.folder)).not.toContain(nowhere.target.split('/').at(-1))
  })
})

describe('verification', () => {
  test('reads every file again', async () => {
    await using at = await prepared()
    expect(await at.restoreSource(undefined, { verify: true })).toMatchObject({ verified: 6, problems: [] })
  })
})

describe('damage', () => {
  async function damaged(harm: (backend: Backend, pack: string) => Promise<void>): Promise<{ at: SnapshotPlace; files: Map<string, Uint8Array> }> {
    const at = await snapshotPlace()
    const files = new Map<string, Uint8Array>()
    // Each backup has packs of its own; one of them is harmed.
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 6; i++) files.set(`${round} ${i}`, bytesOf(round * 10 + i, 150_000))
      for (const [name, bytes] of files) writeFileSync(join(at.source, name), bytes)
      await at.save()
    }
    const sizes: [string, number][] = []
    for await (const info of at.backend.list('packs')) sizes.push([info.name, info.sizeBytes])
    await harm(at.backend, sizes.sort((a, b) => b[1] - a[1])[0]![0])
    return { at, files }
  }

  const ref = (name: string): { type: 'packs'; name: string } => ({ type: 'packs', name })

  test.each<[string, (backend: Backend, pack: string) => Promise<void>]>([
    ['is missing', (backend, pack) => backend.remove(ref(pack))],
    ['is cut short', async (backend, pack) => replaceObject(backend, ref(pack), (await backend.load(ref(pack))).subarray(0, 100_000))],
    ['has a flipped bit', async (backend, pack) => replaceObject(backend, ref(pack), flipped(await backend.load(ref(pack)), 200_000 * 8))],
    ['is zeros', async (backend, pack) => replaceObject(backend, ref(pack), new Uint8Array((await backend.load(ref(pack))).length))],
    ['is another pack', async (backend, pack) => {
      const other = (await namesIn(backend, 'packs')).find((name) => name !== pack)!
      await replaceObject(backend, ref(pack), await backend.load(ref(other)))
    }],
  ])('of one pack that %s costs the files in it, which are named, and no others; no wrong byte is written', async (_what, harm) => {
    const { at, files } = await damaged(harm)
    await using _ = at
    let done = 0
    const result = await at.restoreSource(undefined, { onEvent: (event) => void (event.type === 'done' && done++) })
    expect(result.problems.length).toBeGreaterThan(0)
    expect(result.problems.length).toBeLessThan(files.size)
    const lost = new Set(result.problems.map(({ path }) => text(path)))
    for (const problem of result.problems) expect(problem.reason).toBe('damaged')
    for (const [name, bytes] of files) {
      const there = readdirSync(result.target).includes(name)
      expect(there, name).toBe(!lost.has(name))
      if (there) expect(Buffer.compare(readFileSync(join(result.target, name)), bytes)).toBe(0)
    }
    expect(readdirSync(result.target)).toHaveLength(files.size - lost.size)
    expect(result).toMatchObject({ files: files.size - lost.size, bytes: 150_000 * (files.size - lost.size) })
    expect(done).toBe(files.size - lost.size)
  })

  test('of one copy costs nothing where there is another', async () => {
    await using at = await snapshotPlace()
    for (let i = 0; i < 5; i++) writeFileSync(join(at.source, `${i}`), bytesOf(i, 100_000))
    await at.save()
    const first = await namesIn(at.backend, 'packs')
    // A pack that cannot be listed whole is not referred to: all of it is stored again.
    const whole = new Map<string, Uint8Array>()
    for (const name of first) {
      whole.set(name, await at.backend.load(ref(name)))
      await at.backend.remove(ref(name))
    }
    await at.save({ force: true })
    for (const [name, bytes] of whole) await at.backend.create(ref(name), [bytes])
    const second = (await namesIn(at.backend, 'packs')).filter((name) => !first.includes(name))
    expect(second.length).toBeGreaterThan(0)
    // Trees are read from the catalogue: what lies above the source changes as others work, and has one copy.
    await (await at.repository.catalogue()).rows.flush()
    for (const harmed of [first, second]) {
      for (const name of harmed) await replaceObject(at.backend, ref(name), new Uint8Array((await at.backend.load(ref(name))).length))
      const result = await at.restoreSource()
      expect(result.problems).toEqual([])
      expect(look(result.target)).toEqual(look(at.source))
      for (const [name, bytes] of whole) if (harmed.includes(name)) await replaceObject(at.backend, ref(name), bytes)
    }
  })

  test('of the source\'s kind is no damage: a target on which nothing can be written is refused', async () => {
    await using at = await prepared()
    const error = await restore(at.repository, { snapshot: await at.latest(), target: '/proc/nacre', threads: 0 }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'TARGET_REFUSED' })
  })
})

describe('many files', () => {
  test('beyond one window of the restorer come back', async () => {
    await using at = await snapshotPlace()
    makeMany(join(at.source, 'many'), 5000)
    await at.save()
    const result = await at.restoreSource()
    expect(result.files).toBe(5000)
    expect(look(result.target)).toEqual(look(at.source))
  }, 60_000)

  test('in many folders leave no descriptor open', async () => {
    await using at = await snapshotPlace()
    for (let i = 0; i < 200; i++) makeMany(join(at.source, `folder ${i}`), 2)
    await at.save()
    const open = (): number => readdirSync('/proc/self/fd').length
    await at.restoreSource()
    const before = open()
    for (let i = 0; i < 3; i++) await at.restoreSource()
    expect(open()).toBeLessThan(before + 5)
  }, 60_000)
})

test('folders that may not be written have their mode when all is in them', async () => {
  await using at = await snapshotPlace()
  mkdirSync(join(at.source, 'closed/inner'), { recursive: true })
  writeFileSync(join(at.source, 'closed/inner/file'), 'x')
  utimesSync(join(at.source, 'closed/inner'), 1, 2)
  chmodSync(join(at.source, 'closed/inner'), 0o000)
  chmodSync(join(at.source, 'closed'), 0o500)
  utimesSync(join(at.source, 'closed'), 3, 4)
  await at.save()
  if (process.getuid?.() !== 0) return
  expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
})

describe('a file of which one blob is nowhere', () => {
  test('is not made of the others', async () => {
    await using at = await snapshotPlace()
    const front = bytesOf(1, 1024 * 1024)
    writeFileSync(join(at.source, 'front'), front)
    await at.save()
    const [lost] = await namesIn(at.backend, 'index')
    writeFileSync(join(at.source, 'both'), Buffer.concat([front, bytesOf(2, 1000)]))
    writeFileSync(join(at.source, 'own'), bytesOf(3, 1024 * 1024))
    await at.save()
    await at.backend.remove({ type: 'index', name: lost! })
    const result = await at.restoreSource(undefined, {}, await at.open())
    expect(result.problems.map(({ path, reason }) => [text(path), reason]).sort()).toEqual([['both', 'damaged'], ['front', 'damaged']])
    expect(readdirSync(result.target)).toEqual(['own'])
    expect(readFileSync(join(result.target, 'own')).equals(bytesOf(3, 1024 * 1024))).toBe(true)
  })
})
