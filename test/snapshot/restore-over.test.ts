/** Restoring over what stands there: what is overwritten, left, reused and deleted. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { BackupError } from '../../src/util/errors.ts'
import type { Overwrite, RestoreEvent, RestoreOptions, RestoreResult } from '../../src/snapshot/restore/types.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { seededBytes } from '../support/seeded.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { expectRejected } from '../util/expect-error.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'
import { look } from './trees.ts'

const text = (path: Uint8Array): string => Buffer.from(path).toString()
const THEN = new Date('2020-01-02T03:04:05Z')

/** A snapshot, and a target where it was restored to. */
async function restored(make: (source: string) => void): Promise<SnapshotPlace & { readonly target: string; again(options: Partial<RestoreOptions>): Promise<RestoreResult> }> {
  const at = await snapshotPlace()
  make(at.source)
  await at.save()
  const snapshot = await at.latest()
  const { target } = await at.restoreSource(snapshot)
  return { ...at, target, again: (options) => at.restoreSource(snapshot, { target, ...options }), [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() }
}

const problems = (result: RestoreResult): string[] => result.problems.map(({ path, reason }) => `${text(path)} ${reason}`).sort()

function put(path: string, content: string | Uint8Array, time = THEN): void {
  writeFileSync(path, content)
  utimesSync(path, time, time)
}

describe('a file that stands there', () => {
  const earlier = new Date('2019-01-01T00:00:00Z')
  const later = new Date('2021-01-01T00:00:00Z')

  // Each file's content after the restore: `old` is the snapshot's, `new` what stood there.
  test.each<[Overwrite, Record<string, 'old' | 'new'>, Partial<RestoreResult>, string[]]>([
    ['never', { older: 'new', newer: 'new', longer: 'new', rotten: 'new', touched: 'old' }, { files: 0, overwritten: 0, unchanged: 2, newer: 0 }, ['longer kept', 'newer kept', 'older kept']],
    ['always', { older: 'old', newer: 'old', longer: 'old', rotten: 'old', touched: 'old' }, { files: 4, overwritten: 4, unchanged: 1, newer: 0 }, []],
    ['if-changed', { older: 'old', newer: 'old', longer: 'old', rotten: 'new', touched: 'old' }, { files: 3, overwritten: 3, unchanged: 2, newer: 0 }, []],
    ['if-newer', { older: 'old', newer: 'new', longer: 'new', rotten: 'new', touched: 'old' }, { files: 1, overwritten: 1, unchanged: 1, newer: 3 }, []],
  ])('is dealt with as --overwrite %s says', async (overwrite, wanted, counts, kept) => {
    await using at = await restored((source) => {
      for (const name of Object.keys(wanted)) put(join(source, name), `old ${name}`)
    })
    put(join(at.target, 'older'), 'new older', earlier)
    put(join(at.target, 'newer'), 'new newer', later)
    put(join(at.target, 'longer'), 'new longer by so much', THEN)
    put(join(at.target, 'rotten'), 'new rotten')
    utimesSync(join(at.target, 'touched'), later, later)
    const result = await at.again({ overwrite })
    expect(result).toMatchObject(counts)
    expect(problems(result)).toEqual(kept)
    for (const [name, which] of Object.entries(wanted)) expect(readFileSync(join(at.target, name), 'utf8').slice(0, 3), name).toBe(which)
    // Only what was looked at and may be changed has the snapshot's time again.
    const isSet = overwrite === 'always' || overwrite === 'if-changed'
    expect(lstatSync(join(at.target, 'touched')).mtimeMs === THEN.getTime()).toBe(isSet)
    if (overwrite === 'always') expect(await at.again({ overwrite, verify: true })).toMatchObject({ files: 0, unchanged: 5, verified: 5 })
  })

  test('gets its mode back when its bytes are right, and its ctime stays when all is', async () => {
    await using at = await restored((source) => {
      put(join(source, 'a'), 'a')
      put(join(source, 'b'), 'b')
    })
    chmodSync(join(at.target, 'a'), 0o600)
    const before = lstatSync(join(at.target, 'b')).ctimeMs
    expect(await at.again({ overwrite: 'if-changed' })).toMatchObject({ files: 0, unchanged: 2, problems: [] })
    expect(lstatSync(join(at.target, 'a')).mode).toBe(lstatSync(join(at.source, 'a')).mode)
    expect(lstatSync(join(at.target, 'b')).ctimeMs).toBe(before)
  })

  test('and has another name elsewhere is replaced, never written to or given other attributes', async () => {
    await using at = await restored((source) => {
      put(join(source, 'a'), 'restored')
      put(join(source, 'b'), 'b')
    })
    const precious = join(at.folder, 'precious')
    const twin = join(at.folder, 'twin')
    put(precious, 'precious')
    put(twin, 'b')
    chmodSync(twin, 0o600)
    for (const [from, to] of [[precious, 'a'], [twin, 'b']] as const) {
      rmSync(join(at.target, to))
      linkSync(from, join(at.target, to))
    }
    expect((await at.again({ overwrite: 'always' })).problems).toEqual([])
    expect(readFileSync(precious, 'utf8')).toBe('precious')
    expect(lstatSync(twin).mode & 0o777).toBe(0o600)
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('in a group of hard links is replaced as a group', async () => {
    await using at = await restored((source) => {
      put(join(source, 'one'), 'x')
      linkSync(join(source, 'one'), join(source, 'two'))
    })
    rmSync(join(at.target, 'two'))
    put(join(at.target, 'two'), 'other')
    put(join(at.target, 'one'), 'else')
    expect((await at.again({ overwrite: 'if-changed' })).problems).toEqual([])
    expect(look(at.target)).toEqual(look(at.source))
  })
})

describe('blocks of a file that stands there', () => {
  const SIZE = 4_000_000

  async function changed(size = SIZE): Promise<Awaited<ReturnType<typeof restored>>> {
    const at = await restored((source) => put(join(source, 'image'), bytesOf(1, size)))
    const image = readFileSync(join(at.target, 'image'))
    image.set(bytesOf(2, 5000), 2_000_000)
    put(join(at.target, 'image'), image, new Date('2022-01-01'))
    return at
  }

  test.each<[string, Partial<RestoreOptions>]>([
    ['a file beside it', {}],
    ['itself', { inPlace: true }],
  ])('are not fetched, and go into %s', async (_what, options) => {
    await using at = await changed()
    const { ino } = statSync(join(at.target, 'image'))
    const result = await at.again({ overwrite: 'if-changed', ...options })
    expect(result).toMatchObject({ files: 1, overwritten: 1, problems: [] })
    expect(result.bytes).toBe(SIZE)
    expect(result.bytes - result.bytesReused).toBeLessThan(SIZE / 4)
    expect(result.bytesFetched).toBeLessThan(SIZE / 2)
    expect(look(at.target)).toEqual(look(at.source))
    expect(statSync(join(at.target, 'image')).ino === ino).toBe(options.inPlace === true)
  })

  test.each([false, true])('are found where it is shorter or longer than the snapshot\'s (in place: %s)', async (inPlace) => {
    for (const size of [SIZE - 1_000_000, SIZE + 1_000_000, 0]) {
      await using at = await restored((source) => put(join(source, 'image'), bytesOf(1, SIZE)))
      put(join(at.target, 'image'), bytesOf(1, size), new Date('2022-01-01'))
      const result = await at.again({ overwrite: 'always', inPlace })
      expect(look(at.target)).toEqual(look(at.source))
      if (size > 0) expect(result.bytesReused).toBeGreaterThan(SIZE / 2)
    }
  })

  test.each([false, true])('leave holes where the snapshot has them (in place: %s)', async (inPlace) => {
    await using at = await restored((source) => {
      const path = join(source, 'sparse')
      writeFileSync(path, bytesOf(1, 1_000_000))
      execFileSync('truncate', ['-s', '4000000', path])
      execFileSync('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1000000', 'seek=4', 'count=1', 'conv=notrunc', 'status=none'])
    })
    const filled = readFileSync(join(at.target, 'sparse'))
    filled.fill(7, 1_500_000, 3_500_000)
    put(join(at.target, 'sparse'), filled)
    expect((await at.again({ overwrite: 'always', inPlace })).problems).toEqual([])
    expect(readFileSync(join(at.target, 'sparse')).equals(readFileSync(join(at.source, 'sparse')))).toBe(true)
    expect(statSync(join(at.target, 'sparse')).blocks * 512).toBeLessThan(3_000_000)
  })

  test('are not written into a file that has other names, even in place', async () => {
    await using at = await changed()
    linkSync(join(at.target, 'image'), join(at.folder, 'other'))
    const before = readFileSync(join(at.folder, 'other'))
    await at.again({ overwrite: 'always', inPlace: true })
    expect(readFileSync(join(at.folder, 'other')).equals(before)).toBe(true)
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('are counted in a dry run, which opens nothing to write', async () => {
    await using at = await changed()
    const before = look(at.target)
    const plan: string[] = []
    const onEvent = (event: RestoreEvent): void => {
      if (event.type === 'planned') plan.push(`${event.action} ${text(event.path)} ${event.bytes}`)
    }
    const dry = await at.again({ overwrite: 'if-changed', dryRun: true, onEvent })
    expect(look(at.target)).toEqual(before)
    const real = await at.again({ overwrite: 'if-changed' })
    expect(plan).toEqual([`overwrite image ${real.bytes - real.bytesReused}`])
    expect(dry).toMatchObject({ files: 1, overwritten: 1, bytesFetched: real.bytesFetched, bytesReused: real.bytesReused })
  })

  test('come back whole where the repository is damaged: the file stays as it was', async () => {
    await using at = await changed()
    for await (const { name, sizeBytes } of at.backend.list('packs')) if (sizeBytes > 1_000_000) await at.backend.remove({ type: 'packs', name })
    const before = look(at.target)
    const result = await at.again({ overwrite: 'always' })
    expect(problems(result)).toEqual(['image damaged'])
    expect(look(at.target)).toEqual(before)
  })
})

describe('something else that stands there', () => {
  const make = (source: string): void => {
    mkdirSync(join(source, 'folder'))
    put(join(source, 'folder/inner'), 'inner')
    put(join(source, 'file'), 'file')
    symlinkSync('file', join(source, 'link'))
  }
  /** A file for the folder, a full folder for the file, a link for the link. */
  const cross = (target: string): void => {
    rmSync(join(target, 'folder'), { recursive: true })
    put(join(target, 'folder'), 'a file')
    rmSync(join(target, 'file'))
    mkdirSync(join(target, 'file'))
    put(join(target, 'file/mine'), 'mine')
    rmSync(join(target, 'link'))
    symlinkSync('elsewhere', join(target, 'link'))
  }

  test('is kept and named without a word', async () => {
    await using at = await restored(make)
    cross(at.target)
    expect(problems(await at.again({}))).toEqual(['file kept', 'folder kept', 'link kept'])
    expect(readlinkSync(join(at.target, 'link'))).toBe('elsewhere')
    expect(readFileSync(join(at.target, 'folder'), 'utf8')).toBe('a file')
  })

  test('yields to overwrite, but for a folder: it holds more than its name', async () => {
    await using at = await restored(make)
    cross(at.target)
    const result = await at.again({ overwrite: 'if-changed' })
    expect(problems(result)).toEqual(['file kept'])
    expect(result.overwritten).toBe(2)
    expect(readFileSync(join(at.target, 'file/mine'), 'utf8')).toBe('mine')
    expect(readFileSync(join(at.target, 'folder/inner'), 'utf8')).toBe('inner')
    expect(readlinkSync(join(at.target, 'link'))).toBe('file')
  })

  test('yields altogether to overwrite with delete', async () => {
    await using at = await restored(make)
    cross(at.target)
    const result = await at.again({ overwrite: 'if-changed', delete: true })
    expect(result).toMatchObject({ overwritten: 2, deleted: 2, problems: [] })
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('a link to a folder is replaced by the folder, and what it leads to is untouched', async () => {
    await using at = await restored(make)
    const outside = join(at.folder, 'outside')
    mkdirSync(outside)
    put(join(outside, 'inner'), 'untouched')
    rmSync(join(at.target, 'folder'), { recursive: true })
    symlinkSync(outside, join(at.target, 'folder'))
    expect((await at.again({ overwrite: 'always', delete: true })).problems).toEqual([])
    expect(readFileSync(join(outside, 'inner'), 'utf8')).toBe('untouched')
    expect(look(at.target)).toEqual(look(at.source))
  })
})

describe('what the snapshot does not have', () => {
  const make = (source: string): void => {
    mkdirSync(join(source, 'sub'))
    put(join(source, 'a'), 'a')
    put(join(source, 'sub/b'), 'b')
  }
  const addExtras = (target: string): void => {
    mkdirSync(join(target, 'extra/deep'), { recursive: true })
    put(join(target, 'extra/deep/file'), 'x')
    put(join(target, 'sub/stranger.log'), 'x')
    put(join(target, 'stranger'), 'x')
    symlinkSync('/etc', join(target, 'sub/etc'))
  }

  test('stays unless delete is asked for, goes with it, and is shown by a dry run', async () => {
    await using at = await restored(make)
    addExtras(at.target)
    await at.again({})
    expect(existsSync(join(at.target, 'stranger'))).toBe(true)
    const plan: string[] = []
    const onEvent = (event: RestoreEvent): void => {
      if (event.type === 'planned' && event.action === 'delete') plan.push(text(event.path))
    }
    const extras = ['extra', 'extra/deep', 'extra/deep/file', 'stranger', 'sub/etc', 'sub/stranger.log']
    expect(await at.again({ delete: true, dryRun: true, onEvent })).toMatchObject({ deleted: 6 })
    expect(plan.sort()).toEqual(extras)
    expect(existsSync(join(at.target, 'extra/deep/file'))).toBe(true)
    const asked: unknown[] = []
    await expectRejected(at.again({ delete: true, confirmDelete: (deletion) => asked.push(deletion) === 0 }), 'TARGET_REFUSED')
    expect(asked).toEqual([{ files: 4, folders: 2 }])
    expect(existsSync(join(at.target, 'stranger'))).toBe(true)
    expect(await at.again({ delete: true, confirmDelete: () => true })).toMatchObject({ deleted: 6, problems: [] })
    // Times of folders too are the snapshot's.
    expect(look(at.target)).toEqual(look(at.source))
    expect(existsSync('/etc/passwd')).toBe(true)
  })

  test('is left where patterns leave it out', async () => {
    await using at = await restored(make)
    addExtras(at.target)
    await at.again({ delete: true, exclude: ['deep/'] })
    expect(existsSync(join(at.target, 'extra/deep/file'))).toBe(true)
    expect(existsSync(join(at.target, 'stranger'))).toBe(false)
    addExtras(at.target)
    await at.again({ delete: true, include: ['*.log'] })
    expect(readdirSync(join(at.target, 'sub')).sort()).toEqual(['b', 'etc'])
    expect(existsSync(join(at.target, 'stranger'))).toBe(true)
  })

  test('is left in folders above what was backed up', async () => {
    await using at = await restored(make)
    const whole = join(at.folder, 'whole')
    await at.restoreSource(undefined, { target: whole, path: undefined })
    const above = join(whole, at.source, '..')
    put(join(above, 'neighbour'), 'x')
    put(join(whole, at.source, 'stranger'), 'x')
    await at.restoreSource(undefined, { target: whole, path: undefined, delete: true })
    expect(existsSync(join(above, 'neighbour'))).toBe(true)
    expect(existsSync(join(whole, at.source, 'stranger'))).toBe(false)
  })

  test('is left where the backup could not read it', async () => {
    await using at = await restored(make)
    addExtras(at.target)
    const snapshot = await at.latest()
    const skipped = [{ path: utf8(join(at.source, 'extra')), reason: 'unreadable', message: '' }]
    await at.restoreSource({ ...snapshot, skipped, skippedCount: 1 }, { target: at.target, delete: true })
    expect(existsSync(join(at.target, 'extra/deep/file'))).toBe(true)
    expect(existsSync(join(at.target, 'stranger'))).toBe(false)
  })

  test('is left when something could not be restored, and a notice says so', async () => {
    await using at = await restored(make)
    addExtras(at.target)
    rmSync(join(at.target, 'sub/b'))
    for await (const { name } of at.backend.list('packs')) await at.backend.remove({ type: 'packs', name })
    const notices: string[] = []
    const onEvent = (event: RestoreEvent): void => {
      if (event.type === 'notice') notices.push(event.message)
    }
    const result = await at.again({ delete: true, onEvent })
    expect(problems(result)).toEqual(['sub/b damaged'])
    expect(result.deleted).toBe(0)
    expect(notices).toEqual([expect.stringContaining('nothing more was deleted')])
  })

  test('is left in the home folder and above it without a second word, whatever the target is called', async () => {
    await using at = await restored(make)
    addExtras(at.target)
    const home = process.env['HOME']
    try {
      mkdirSync(join(at.target, 'sub/home'), { recursive: true })
      process.env['HOME'] = join(at.target, 'sub')
      symlinkSync(at.target, join(at.folder, 'alias'))
      for (const target of [at.target, join(at.folder, 'alias')]) await expectRejected(at.again({ target, delete: true }), 'INVALID_ARGUMENT')
      await expectRejected(at.again({ target: '/', dryRun: true, delete: true }), 'INVALID_ARGUMENT')
      expect(existsSync(join(at.target, 'stranger'))).toBe(true)
      expect(await at.again({ delete: true, deleteInHomeOrRoot: true })).toMatchObject({ problems: [] })
      expect(look(at.target)).toEqual(look(at.source))
    } finally {
      process.env['HOME'] = home
    }
  })
})

describe('components taken off', () => {
  test('leave what lies below, and name what has no place any more', async () => {
    await using at = await restored((source) => {
      for (const path of ['one/x/file', 'two/y/file', 'two/x/other', 'loose']) {
        mkdirSync(join(source, path, '..'), { recursive: true })
        put(join(source, path), path)
      }
    })
    const result = await at.restoreSource(undefined, { stripComponents: 1 })
    expect([...look(result.target).keys()]).toEqual(['x', 'x/file', 'y', 'y/file'])
    expect(result.problems.map(({ path }) => text(path).slice(at.source.length)).sort()).toEqual(['loose', 'two/x'])
    await expectRejected(at.again({ stripComponents: 1, delete: true }), 'INVALID_ARGUMENT')
  })
})

describe('what an interrupted restore has left', () => {
  test('is taken away by the next, unless its process lives', async () => {
    await using at = await restored((source) => put(join(source, 'a'), 'a'))
    const dead = join(at.target, '.nacre-zzzzz-1-1')
    const living = join(at.target, `.nacre-${process.ppid.toString(36)}-1-1`)
    for (const path of [dead, living, join(at.target, '.nacre-config')]) writeFileSync(path, '')
    await at.again({})
    expect(readdirSync(at.target).sort()).toEqual(['.nacre-config', living.split('/').at(-1), 'a'].sort())
  })
})

describe('a large file of which an interrupted restore has made a part', () => {
  const SIZE = 12_000_000
  const temporaries = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('.nacre-'))

  /** A restore of one file that ends with a failure of the storage, and the part that it has left. */
  async function interrupted(options: Partial<RestoreOptions> = {}): Promise<SnapshotPlace & { readonly target: string; readonly part: string; readonly notices: string[] }> {
    const at = await snapshotPlace()
    writeFileSync(join(at.source, 'image'), seededBytes('image', SIZE))
    await at.save()
    let loads = 0
    const failing: Backend = {
      ...at.backend,
      load(ref, range, more) {
        if (ref.type === 'packs' && (range?.length ?? 0) > 1_000_000 && ++loads > 2) throw new BackupError('BACKEND_FAILED', 'the storage is gone')
        return at.backend.load(ref, range, more)
      },
    }
    const target = join(at.folder, 'target')
    const notices: string[] = []
    const onEvent = (event: RestoreEvent): void => void (event.type === 'notice' && notices.push(event.message))
    await using repository = await at.open(failing)
    await expectRejected(at.restoreSource(await at.latest(), { target, onEvent, ...options }, repository), 'BACKEND_FAILED')
    const [own] = temporaries(target)
    // As if the process were no more.
    const part = own?.replace(/^\.nacre-[0-9a-z]+/, `.nacre-${spawnSync('true').pid.toString(36)}`) ?? ''
    if (own !== undefined) renameSync(join(target, own), join(target, part))
    return { ...at, target, part, notices, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() }
  }

  test('is gone on with, and what it has is not fetched again', async () => {
    await using at = await interrupted()
    expect(at.notices).toEqual([expect.stringContaining('half-written')])
    const result = await at.restoreSource(await at.latest(), { target: at.target, verify: true })
    expect(result).toMatchObject({ files: 1, problems: [], verified: 1 })
    expect(result.bytesReused).toBeGreaterThan(6_000_000)
    expect(result.bytesFetched).toBeLessThan(SIZE - result.bytesReused + 3_000_000)
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('is gone on with where another file stands, of which it takes blocks as well', async () => {
    await using at = await interrupted()
    const other = seededBytes('other', SIZE)
    other.set(seededBytes('image', SIZE).subarray(9_000_000), 9_000_000)
    put(join(at.target, 'image'), other)
    const result = await at.restoreSource(await at.latest(), { target: at.target, overwrite: 'always' })
    expect(result.bytesReused).toBeGreaterThan(7_000_000)
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('counts for nothing where its bytes are others, however many', async () => {
    await using at = await interrupted()
    writeFileSync(join(at.target, at.part), seededBytes('else', SIZE + 70_000))
    const result = await at.restoreSource(await at.latest(), { target: at.target })
    expect(result).toMatchObject({ files: 1, bytesReused: 0, problems: [] })
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('is not written to where it has another name, and taken away', async () => {
    await using at = await interrupted()
    const twin = join(at.folder, 'twin')
    linkSync(join(at.target, at.part), twin)
    const before = readFileSync(twin)
    expect(await at.restoreSource(await at.latest(), { target: at.target })).toMatchObject({ files: 1, bytesReused: 0 })
    expect(readFileSync(twin).equals(before)).toBe(true)
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('is taken away where the snapshot has no such file', async () => {
    await using at = await interrupted()
    writeFileSync(join(at.source, 'image'), bytesOf(4, 1000))
    await at.save()
    await at.restoreSource(await at.latest(), { target: at.target })
    expect(look(at.target)).toEqual(look(at.source))
  })

  test('does not stay where zeros are to become holes: what is not written would be its bytes', async () => {
    await using at = await interrupted({ sparse: true })
    expect([at.part, at.notices]).toEqual(['', []])
  })
})
