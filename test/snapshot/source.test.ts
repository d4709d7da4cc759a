import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { createBackend } from '../../src/backend/location.ts'
import type { BackupEvent } from '../../src/snapshot/backup-types.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { walkTree } from '../../src/snapshot/tree-walk.ts'
import { AT_FDCWD } from '../../src/util/posix/stat.ts'
import { mknodAt } from '../../src/util/posix/create.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { expectRejected } from '../util/expect-error.ts'
import { memoryRepository, namesIn } from '../repository/support.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'
import { look, makeMany } from './trees.ts'

/** Paths of the latest snapshot, below the source. */
async function saved(at: SnapshotPlace): Promise<string[]> {
  const trees = await openTreeReader(at.repository)
  const paths: string[] = []
  for await (const { path } of walkTree(trees, (await at.latest()).tree)) {
    const text = Buffer.from(path).toString()
    if (text.startsWith(`${at.source}/`)) paths.push(text.slice(at.source.length + 1))
  }
  return paths
}

function touch(at: SnapshotPlace, ...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(join(at.source, path, '..'), { recursive: true })
    writeFileSync(join(at.source, path), path)
  }
}

describe('excludes', () => {
  test('leave out what they match, by gitignore\'s rules', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a.log', 'keep.log', 'sub/b.log', 'sub/c.txt', 'cache/x', 'sub/cache/y', 'build', 'sub/build/z')
    await at.save({ exclude: ['*.log', '!keep.log', 'cache/', `${at.source}/build`] })
    expect(await saved(at)).toEqual(['keep.log', 'sub', 'sub/build', 'sub/build/z', 'sub/c.txt'])
  })

  test('know case and bytes that are no text', async () => {
    await using at = await snapshotPlace()
    touch(at, 'A', 'a', 'ü')
    writeFileSync(Buffer.concat([Buffer.from(`${at.source}/`), Buffer.of(0xff, 0x2e, 0x78)]), 'x')
    await at.save({ exclude: ['a', 'ü', '?.x'] })
    expect(await saved(at)).toEqual(['A'])
  })

  test('that are taken back bring a file into a snapshot without reading the others', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a', 'b', 'c')
    await at.save({ exclude: ['b'] })
    const second = await at.save()
    expect(second.summary).toMatchObject({ filesNew: 1, filesUnmodified: 2 })
    expect(await saved(at)).toEqual(['a', 'b', 'c'])
  })

  test('that are new take a file out of the next snapshot', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a', 'b', 'c')
    await at.save()
    await at.save({ exclude: ['b'] })
    expect(await saved(at)).toEqual(['a', 'c'])
  })
})

describe('the paths of a backup', () => {
  test('may be several, one inside another, twice the same, and in any order', async () => {
    await using at = await snapshotPlace()
    touch(at, 'one/a', 'one/deep/b', 'two/c', 'three/d')
    const paths = ['two', 'one/deep', 'one', 'two/../two', 'one/'].map((path) => `${at.source}/${path}`)
    await at.save({ paths })
    expect(await saved(at)).toEqual(['one', 'one/a', 'one/deep', 'one/deep/b', 'two', 'two/c'])
    const { paths: stated } = await at.latest()
    expect(stated.map((path) => Buffer.from(path).toString())).toEqual(['one', 'one/deep', 'two'].map((path) => join(at.source, path)))
  })

  test('may be a single file, or a link, which is kept as a link', async () => {
    await using at = await snapshotPlace()
    touch(at, 'file', 'folder/inside')
    symlinkSync('folder', join(at.source, 'link'))
    await at.save({ paths: [join(at.source, 'file'), join(at.source, 'link')] })
    expect(await saved(at)).toEqual(['file', 'link'])
  })

  test('may lead through a link: the folder it points to stands there', async () => {
    await using at = await snapshotPlace()
    touch(at, 'folder/sub/inside')
    symlinkSync('folder', join(at.source, 'link'))
    await at.save({ paths: [join(at.source, 'link/sub')] })
    expect(await saved(at)).toEqual(['link', 'link/sub', 'link/sub/inside'])
  })

  test('may be bytes that are no text', async () => {
    await using at = await snapshotPlace()
    const path = Buffer.concat([Buffer.from(`${at.source}/`), Buffer.of(0xe9)])
    writeFileSync(path, 'x')
    await at.save({ paths: [path] })
    expect((await at.latest()).summary.totalFiles).toBe(1)
  })

  test('that are missing are told, as long as one is there', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a')
    const gone = join(at.source, 'gone')
    const result = await at.save({ paths: [at.source, gone] })
    expect(result.skipped).toMatchObject([{ path: utf8(gone), reason: 'missing' }])
    expect((await at.latest()).skippedCount).toBe(1)
  })

  test('that are all missing make no snapshot and no session', async () => {
    await using at = await snapshotPlace()
    await expectRejected(at.save({ paths: [join(at.source, 'gone')] }), 'SOURCE_NOT_FOUND')
    await expectRejected(at.save({ paths: [] }), 'INVALID_ARGUMENT')
    for (const type of ['snapshots', 'sessions', 'packs'] as const) expect(await namesIn(at.backend, type)).toEqual([])
  })
})

describe('in the source', () => {
  test('a FIFO is kept as one, and nobody waits for what it may say', async () => {
    await using at = await snapshotPlace()
    mknodAt(AT_FDCWD, utf8(join(at.source, 'fifo')), { type: 'fifo', mode: 0o600, rdevMajor: 0, rdevMinor: 0 })
    touch(at, 'file')
    expect((await at.save()).skipped).toEqual([])
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
    // Given by itself as well.
    await at.save({ paths: [join(at.source, 'fifo')] })
  })

  test('a file that vanishes, or becomes a FIFO, between scan and reading is told and no harm', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 5)
    let done = false
    const onEvent = (event: BackupEvent): void => {
      if (event.type !== 'file' || done) return
      done = true
      unlinkSync(join(at.source, 'file 000001'))
      unlinkSync(join(at.source, 'file 000003'))
      mknodAt(AT_FDCWD, utf8(join(at.source, 'file 000003')), { type: 'fifo', mode: 0o600, rdevMajor: 0, rdevMinor: 0 })
    }
    const result = await at.save({ onEvent })
    expect(result.skipped.map(({ path }) => Buffer.from(path).toString().slice(-1)).sort()).toEqual(['1', '3'])
    expect(result.skipped.map(({ reason }) => reason)).toContain('vanished')
    expect(await saved(at)).toEqual(['file 000000', 'file 000002', 'file 000004'])
  })

  test('a file that grows or shrinks between scan and reading is read again, and is whole then', async () => {
    await using at = await snapshotPlace()
    for (const name of ['grows', 'shrinks', 'grows much']) writeFileSync(join(at.source, name), 'x'.repeat(10_000))
    let done = false
    const onEvent = (event: BackupEvent): void => {
      if (event.type !== 'file' || done) return
      done = true
      writeFileSync(join(at.source, 'grows'), 'y'.repeat(20_000))
      writeFileSync(join(at.source, 'shrinks'), 'z')
      writeFileSync(join(at.source, 'grows much'), 'w'.repeat(20 * 1024 * 1024))
    }
    const result = await at.save({ onEvent })
    expect(result.skipped).toEqual([])
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
    expect((await at.save()).summary.filesUnmodified).toBe(3)
  }, 60_000)

  test('a file that changes each time it is read is stored as it was read, and told', async () => {
    await using at = await snapshotPlace()
    writeFileSync(join(at.source, 'log'), 'x'.repeat(10_000))
    writeFileSync(join(at.source, 'quiet'), 'quiet')
    let length = 20_000
    const onEvent = (event: BackupEvent): void => {
      if (event.type === 'file') writeFileSync(join(at.source, 'log'), 'y'.repeat((length += 1000)))
    }
    const result = await at.save({ onEvent })
    expect(result.skipped).toMatchObject([{ path: utf8(join(at.source, 'log')), reason: 'changed' }])
    expect((await at.restoreSource()).problems).toEqual([])
    // The next backup does not take the mixture for the file.
    expect((await at.save()).summary).toMatchObject({ filesUnmodified: 1, filesChanged: 1 })
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  })

  test('the repository itself and its cache are left out, and that is said', async () => {
    await using outer = await snapshotPlace()
    const place = join(outer.source, 'repository')
    const backend: Backend = await createBackend({ kind: 'local', path: place })
    await using inner = await memoryRepository(backend)
    touch(outer, 'file')
    const notices: string[] = []
    const { backup } = await import('../../src/snapshot/backup.ts')
    const result = await backup(inner.repository, { paths: [outer.source], person: { user: 'u', host: 'h' }, threads: 0, onEvent: (event) => event.type === 'notice' && notices.push(event.message) })
    expect(notices.join()).toContain('the repository itself')
    expect(result.summary.totalFiles).toBe(1)
  })

  const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

  test.skipIf(!existsSync(built))('what may not be read is told, and all else is saved', async () => {
    await using at = await snapshotPlace()
    touch(at, 'open', 'closed', 'folder/inside', 'last')
    chmodSync(join(at.source, 'closed'), 0)
    chmodSync(join(at.source, 'folder'), 0)
    chmodSync(at.folder, 0o777)
    chmodSync(at.source, 0o755)
    // Nothing is closed to root, so another user makes the backup.
    const script = `
      import { mkdtempSync, rmSync } from 'node:fs'
      import { backup, createRepository, memoryBackend, openRepository } from ${JSON.stringify(built)}
      const password = new TextEncoder().encode('x')
      const person = { user: 'u', host: 'h' }
      const backend = memoryBackend()
      await createRepository({ backend, password, person, kdf: { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } })
      const cacheFolder = mkdtempSync(process.argv[1] + '/cache-')
      const repository = await openRepository({ backend, password, cacheFolder })
      const result = await backup(repository, { paths: [process.argv[2]], person, threads: 0 })
      const skipped = result.skipped.map(({ path, reason }) => [Buffer.from(path).toString(), reason])
      console.log(JSON.stringify({ skipped, files: result.summary.totalFiles }))
      await repository[Symbol.asyncDispose]()
      rmSync(cacheFolder, { recursive: true })`
    const isRoot = process.getuid?.() === 0
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, at.folder, at.source], { encoding: 'utf8', ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}) })
    chmodSync(join(at.source, 'folder'), 0o755)
    expect(child.status, child.stderr).toBe(0)
    const { skipped, files } = JSON.parse(child.stdout) as { skipped: [string, string][]; files: number }
    expect(skipped.sort()).toEqual([[join(at.source, 'closed'), 'unreadable'], [join(at.source, 'folder'), 'unreadable']])
    expect(files).toBe(2)
  })
})

describe('a dry run', () => {
  test('says what it would add and writes nothing', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 100)
    const result = await at.save({ dryRun: true })
    expect(result.snapshotId).toBeUndefined()
    expect(result.summary).toMatchObject({ filesNew: 100, totalFiles: 100 })
    expect(result.summary.dataAdded).toBeGreaterThan(0)
    for (const type of ['snapshots', 'sessions', 'packs', 'index'] as const) expect(await namesIn(at.backend, type)).toEqual([])
    // And leaves no trace in the catalogue that a later backup would trust.
    expect((await at.save()).summary).toMatchObject({ filesNew: 100 })
    expect(look((await at.restoreSource(undefined, {}, await at.open())).target)).toEqual(look(at.source))
  })
})

describe('what is shown where it does not lie', () => {
  test('below a path of which all is wanted stands among what is there, at any depth, and in the place of what bears its name', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a/own', 'a/z', 'b/replaced', 'c', 'd/own')
    const elsewhere = join(at.folder, 'elsewhere')
    mkdirSync(join(elsewhere, 'sub'), { recursive: true })
    writeFileSync(join(elsewhere, 'sub/file'), 'from elsewhere')
    writeFileSync(join(elsewhere, 'one'), 'one')
    const asPaths = [['sub', 'a/m'], ['sub', 'b'], ['one', 'c'], ['sub', 'new/x/y'], ['one', 'd/0']].map(([real, shown]) => ({ real: join(elsewhere, real!), shown: join(at.source, shown!) }))
    for (let run = 0; run < 2; run++) {
      const { summary, skipped } = await at.save({ asPaths })
      expect(skipped).toEqual([])
      expect(await saved(at)).toEqual(['a', 'a/m', 'a/m/file', 'a/own', 'a/z', 'b', 'b/file', 'c', 'd', 'd/0', 'd/own', 'new', 'new/x', 'new/x/y', 'new/x/y/file'])
      if (run === 1) expect(summary).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 8 })
    }
    const { target } = await at.restoreSource()
    expect([readFileSync(join(target, 'c'), 'utf8'), readFileSync(join(target, 'a/m/file'), 'utf8')]).toEqual(['one', 'from elsewhere'])
  })

  test('below a file makes a folder of it, and the file is told to be left out', async () => {
    await using at = await snapshotPlace()
    touch(at, 'a', 'b')
    const { skipped } = await at.save({ asPaths: [{ real: join(at.source, 'b'), shown: join(at.source, 'a/below') }] })
    expect(skipped.map(({ path }) => Buffer.from(path).toString())).toEqual([join(at.source, 'a')])
    expect(await saved(at)).toEqual(['a', 'a/below', 'b'])
  })

  test('keeps what was named below it, from where that lies', async () => {
    await using at = await snapshotPlace()
    touch(at, 'sub/live', 'sub/other')
    const frozen = join(at.folder, 'frozen')
    mkdirSync(join(frozen, 'sub'), { recursive: true })
    for (const name of ['file', 'sub/old']) writeFileSync(join(frozen, name), 'frozen')
    await at.save({ paths: [join(at.source, 'sub')], asPaths: [{ real: frozen, shown: at.source }] })
    expect(await saved(at)).toEqual(['file', 'sub', 'sub/live', 'sub/other'])
  })
})
