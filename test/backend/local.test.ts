import { spawnSync } from 'node:child_process'
import { readdirSync, statSync, unlinkSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { afterEach, describe, expect, test } from 'vitest'

import { configRef, gcRef, indexRef, packRef, refKey, snapshotRef } from '../../src/backend/layout.ts'
import { createLocalRoot, localBackend } from '../../src/backend/local.ts'
import { withDryRun } from '../../src/backend/with-dry-run.ts'
import type { Backend } from '../../src/backend/backend.ts'
import { backendSuite, collect, id, oneOfEach, pattern } from '../suites/backend-suite.ts'
import { built, filesBelow, ordinaryUser, runAsOrdinaryUser, spawnChild, withFolder } from './local-fixture.ts'

backendSuite(
  'local',
  async () => {
    const root = await fs.mkdtemp(join(tmpdir(), 'nacre-suite-'))
    return { backend: await localBackend(root), cleanup: () => fs.rm(root, { recursive: true }) }
  },
  {
    reopen: ({ backend }) => localBackend(backend.location),
    plant: async ({ backend }, path, bytes) => {
      await fs.mkdir(dirname(join(backend.location, path)), { recursive: true })
      await fs.writeFile(join(backend.location, path), bytes)
    },
  },
)

describe('local: opening', () => {
  test('refuses a folder that is not there, and makes nothing', async () => {
    await withFolder(async (folder) => {
      await expect(localBackend(join(folder, 'no'))).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' })
      expect(await fs.readdir(folder)).toEqual([])
    })
  })

  test('refuses a file', async () => {
    await withFolder(async (folder) => {
      await fs.writeFile(join(folder, 'file'), '')
      await expect(localBackend(join(folder, 'file'))).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' })
      await expect(createLocalRoot(join(folder, 'file'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      await expect(createLocalRoot(join(folder, 'file/x'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
    })
  })

  test('makes a root with the folders above it, and takes one that is there', async () => {
    await withFolder(async (folder) => {
      await createLocalRoot(join(folder, 'a/b/c'))
      await createLocalRoot(join(folder, 'a/b/c'))
      expect((await fs.stat(join(folder, 'a/b/c'))).mode & 0o777).toBe(0o700)
    })
  })
})

describe('local: files', () => {
  test('stand where the layout says, read-only, in folders of their owner alone', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      for (const ref of oneOfEach()) await backend.create(ref, [pattern(5, 1)])
      expect(await filesBelow(root)).toEqual(oneOfEach().map(refKey).sort())
      for (const ref of oneOfEach()) {
        const path = join(root, refKey(ref))
        expect(await fs.stat(path)).toMatchObject({ nlink: 1, size: 5 })
        expect((await fs.stat(path)).mode & 0o7777).toBe(0o400)
        if (ref.type !== 'config') expect((await fs.stat(dirname(path))).mode & 0o777).toBe(0o700)
      }
    })
  })

  test('of killed writers are taken away wherever they lie, by age or all, and nothing else is', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      for (const ref of oneOfEach()) await backend.create(ref, [pattern(5, 1)])
      const uuid = '01234567-89ab-4cde-8f01-23456789abcd'
      const folders = [...new Set(oneOfEach().map((ref) => dirname(refKey(ref))))]
      const old = folders.map((folder) => join(root, folder, `.tmp-${uuid}`))
      const young = folders.map((folder) => join(root, folder, `.tmp-${uuid.replace('0', 'f')}`))
      const strange = [`packs/.tmp-${uuid}x`, '.tmp-1', 'packs/notes', `elsewhere/.tmp-${uuid}`]
      await fs.mkdir(join(root, 'elsewhere'))
      await fs.symlink(join(root, 'config'), join(root, 'gc', `.tmp-${uuid.replace('0', 'e')}`))
      for (const path of [...old, ...young, ...strange.map((path) => join(root, path))]) await fs.writeFile(path, 'litter')
      const hourAgo = new Date(Date.now() - 3_600_000)
      for (const path of old) await fs.utimes(path, hourAgo, hourAgo)
      expect(await backend.removeLeftovers!(2 * 3_600_000)).toEqual({ files: 0, bytes: 0 })
      expect(await backend.removeLeftovers!(1_800_000)).toEqual({ files: old.length, bytes: 6 * old.length })
      expect(await withDryRun(backend).removeLeftovers!(undefined)).toEqual({ files: 0, bytes: 0 })
      expect(await backend.removeLeftovers!(undefined)).toEqual({ files: young.length, bytes: 6 * young.length })
      expect(await filesBelow(root)).toEqual([...oneOfEach().map(refKey), ...strange, `gc/.tmp-${uuid.replace('0', 'e')}`].sort())
    })
  })

  test('that are taken away while they are written are written once more', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await backend.create(gcRef(1, 'plan'), [pattern(9, 1)])
      const { signal } = new AbortController()
      let times = 0
      let most = 1
      // It is looked at between write and link; by then the file is whole.
      Object.defineProperty(signal, 'aborted', {
        get() {
          for (const name of readdirSync(join(root, 'gc'))) {
            if (!name.startsWith('.tmp-') || statSync(join(root, 'gc', name)).size < 9 || times >= most) continue
            unlinkSync(join(root, 'gc', name))
            times++
          }
          return false
        },
      })
      expect(await backend.create(gcRef(2, 'plan'), [pattern(9, 2)], { signal })).toBe('created')
      expect(times).toBe(1)
      expect(await backend.create(gcRef(1, 'plan'), [pattern(9, 3)])).toBe('exists')
      expect(await backend.load(gcRef(2, 'plan'))).toEqual(pattern(9, 2))
      most = 3
      await expect(backend.create(gcRef(3, 'plan'), [pattern(9, 3)], { signal })).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      expect(await filesBelow(root)).toEqual(['gc/0000000001.plan', 'gc/0000000002.plan'])
    })
  })

  test('leave no temporary file behind when the name is taken', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await Promise.all(Array.from({ length: 16 }, (_, i) => backend.create(gcRef(1, 'plan'), [pattern(9, i)])))
      expect(await filesBelow(root)).toEqual(['gc/0000000001.plan'])
    })
  })

  test('leave no temporary file behind when the create is aborted', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      const parts = Array.from({ length: 160 }, () => new Uint8Array(1024 * 1024))
      const controller = new AbortController()
      const reason = new Error('stopped by the test')
      setTimeout(() => controller.abort(reason), 20)
      await expect(backend.create(packRef(id(1)), parts, { signal: controller.signal })).rejects.toBe(reason)
      expect(await filesBelow(root)).toEqual([])
    })
  })

  test('of which one is no regular file are an error, not skipped and not followed', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await backend.create(packRef(id(1)), [pattern(5, 1)])
      const path = join(root, refKey(packRef(id(2))))
      await fs.mkdir(dirname(path), { recursive: true })
      for (const make of [
        () => fs.symlink(join(root, refKey(packRef(id(1)))), path),
        () => fs.symlink('nowhere', path),
        () => fs.mkdir(path),
        () => Promise.resolve(spawnSync('mkfifo', [path])),
      ]) {
        await make()
        await expect(collect(backend.list('packs'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
        await expect(backend.stat(packRef(id(2)))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
        await expect(backend.load(packRef(id(2)))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
        expect(await backend.create(packRef(id(2)), [])).toBe('exists')
        await fs.rm(path, { recursive: true })
      }
    })
  })
})

describe('local: what is in doubt', () => {
  test('is never an empty list when the root has gone', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      const backend = await localBackend(root)
      await backend.create(snapshotRef(0, id(1).slice(0, 32)), [])
      await fs.rename(root, join(folder, 'elsewhere'))
      await expectAllFail(backend)
    })
  })

  test('is never an empty list when another folder stands at the path', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      const backend = await localBackend(root)
      await backend.create(snapshotRef(0, id(1).slice(0, 32)), [])
      await fs.rename(root, join(folder, 'elsewhere'))
      await fs.mkdir(root)
      await expectAllFail(backend)
      expect(await filesBelow(root)).toEqual([])
    })
  })

  test('is never an empty list when a type folder is a link that leads nowhere', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await fs.symlink('nowhere', join(root, 'packs'))
      await expect(collect(backend.list('packs'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      await fs.mkdir(join(root, 'index'))
      await fs.symlink('nowhere', join(root, 'index/0'))
      await expect(collect(backend.list('index'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
    })
  })

  test('is never an empty list when a file stands where a folder should', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await fs.writeFile(join(root, 'snapshots'), '')
      await expect(collect(backend.list('snapshots'))).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      const creating = backend.create(snapshotRef(0, id(1).slice(0, 32)), [])
      await expect(creating).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
    })
  })

  test('does not concern a type folder on another disk, reached by a link', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      await fs.mkdir(join(folder, 'disk'))
      await fs.symlink('../disk', join(root, 'packs'))
      const backend = await localBackend(root)
      expect(await backend.create(packRef(id(1)), [pattern(5, 1)])).toBe('created')
      expect(await collect(backend.list('packs'))).toEqual([{ ...packRef(id(1)), sizeBytes: 5 }])
    })
  })
})

async function expectAllFail(backend: Backend): Promise<void> {
  const failed = { code: 'BACKEND_FAILED' }
  for (const ref of oneOfEach()) {
    await expect(collect(backend.list(ref.type)), `list ${ref.type}`).rejects.toMatchObject(failed)
    await expect(backend.stat(ref), `stat ${ref.type}`).rejects.toMatchObject(failed)
    await expect(backend.load(ref), `load ${ref.type}`).rejects.toMatchObject(failed)
    await expect(backend.remove(ref), `remove ${ref.type}`).rejects.toMatchObject(failed)
    await expect(backend.create(ref, []), `create ${ref.type}`).rejects.toMatchObject(failed)
  }
}

describe('local: several processes', () => {
  test('have one winner when 16 of them race for one name', { timeout: 60_000 }, async () => {
    await withFolder(async (root) => {
      const code = (i: number) => `
        const ref = parseKey('snapshots/0/${id(1).slice(0, 32)}')
        return backend.create(ref, [new Uint8Array(50000).fill(${i}), new Uint8Array(${i})])`
      const children = Array.from({ length: 16 }, (_, i) => spawnChild(built(), root, code(i)))
      await Promise.all(children.map((child) => child.ready))
      for (const child of children) child.start()
      const results = await Promise.all(children.map((child) => child.result))
      expect([...results].sort()).toEqual(['created', ...Array<string>(15).fill('exists')])
      const winner = results.indexOf('created')
      const bytes = await (await localBackend(root)).load(snapshotRef(0, id(1).slice(0, 32)))
      expect(bytes.length).toBe(50_000 + winner)
      expect(new Set(bytes.subarray(0, 50_000))).toEqual(new Set([winner]))
      expect(await filesBelow(root)).toHaveLength(1)
    })
  })

  test('can make the folders of the same new root at once', { timeout: 60_000 }, async () => {
    await withFolder(async (root) => {
      const code = (i: number) => `
        const refs = Array.from({ length: 40 }, (_, n) => parseKey('index/' + n + '/' + '${id(i)}'))
        return Promise.all(refs.map((ref) => backend.create(ref, [new Uint8Array(n => 5)])))`
      const children = Array.from({ length: 4 }, (_, i) => spawnChild(built(), root, code(i)))
      await Promise.all(children.map((child) => child.ready))
      for (const child of children) child.start()
      for (const child of children) expect(await child.result).toEqual(Array(40).fill('created'))
      expect(await collect((await localBackend(root)).list('index'))).toHaveLength(160)
    })
  })
})

describe('local: permissions, as a user whom they bind', () => {
  test('say BACKEND_DENIED for a root that cannot be read', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      await fs.chmod(root, 0o000)
      const result = await runAsOrdinaryUser(folder, root, 'return backend')
      expect(result).toMatchObject({ code: 'BACKEND_DENIED', message: expect.stringContaining(root) as string })
    })
  })

  test('say BACKEND_DENIED for a root that became unreadable, and never list it as empty', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      await fs.chown(root, ordinaryUser(), ordinaryUser())
      const code = `
        const fs = await import('node:fs/promises')
        await fs.chmod(root, 0o100)
        const infos = []
        for await (const info of backend.list('packs')) infos.push(info)
        return infos`
      expect(await runAsOrdinaryUser(folder, root, code)).toMatchObject({ code: 'BACKEND_DENIED' })
    })
  })

  test('say BACKEND_DENIED for a folder that cannot be listed', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      await fs.chown(root, ordinaryUser(), ordinaryUser())
      const code = `
        const fs = await import('node:fs/promises')
        await backend.create(parseKey('snapshots/0/${id(1).slice(0, 32)}'), [])
        await fs.chmod(root + '/snapshots/0', 0o300)
        const infos = []
        for await (const info of backend.list('snapshots')) infos.push(info)
        return infos`
      expect(await runAsOrdinaryUser(folder, root, code)).toMatchObject({ code: 'BACKEND_DENIED' })
    })
  })

  test('let a read-only repository be read, and say BACKEND_DENIED for the rest', async () => {
    await withFolder(async (folder) => {
      const root = join(folder, 'root')
      await createLocalRoot(root)
      const backend = await localBackend(root)
      await backend.create(indexRef(0, id(1)), [pattern(5, 1)])
      await fs.chmod(join(root, refKey(indexRef(0, id(1)))), 0o444)
      for (const path of ['', 'index', 'index/0']) await fs.chmod(join(root, path), 0o555)
      const code = `
        const one = parseKey('index/0/${id(1)}')
        const told = (promise) => promise.then((value) => value ?? 'done', (error) => error.code)
        const infos = []
        for await (const info of backend.list('index')) infos.push(info.sizeBytes)
        return [infos, (await backend.load(one)).length,
          await told(backend.create(parseKey('index/0/${id(2)}'), [])),
          await told(backend.create(parseKey('packs/${id(2).slice(0, 2)}/${id(2)}'), [])),
          await told(backend.create(parseKey('config'), [])),
          await told(backend.remove(one))]`
      const denied = 'BACKEND_DENIED'
      expect(await runAsOrdinaryUser(folder, root, code)).toEqual([[5], 5, denied, denied, denied, denied])
      for (const path of ['', 'index', 'index/0']) await fs.chmod(join(root, path), 0o755)
      expect(await filesBelow(root)).toEqual([refKey(indexRef(0, id(1)))])
    })
  })
})

describe('local: a full disk', () => {
  test('says BACKEND_FULL and leaves nothing, and the next fitting object goes in', async (context) => {
    await withFolder(async (folder) => {
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', folder])
      if (mounted.status !== 0) return context.skip(`a small tmpfs cannot be mounted: ${String(mounted.stderr)}`)
      try {
        const backend = await localBackend(folder)
        expect(await backend.create(packRef(id(1)), [pattern(500_000, 1)])).toBe('created')
        for (const parts of [[pattern(4_000_000, 2)], Array.from({ length: 4000 }, () => pattern(1000, 2))]) {
          const creating = backend.create(packRef(id(2)), parts)
          await expect(creating).rejects.toMatchObject({ code: 'BACKEND_FULL', retryable: false })
        }
        expect(await backend.stat(packRef(id(2)))).toBeUndefined()
        expect(await filesBelow(folder)).toEqual([refKey(packRef(id(1)))])
        expect(await backend.create(packRef(id(2)), [pattern(500_000, 2)])).toBe('created')
        expect(await backend.load(packRef(id(1)))).toEqual(pattern(500_000, 1))
      } finally {
        spawnSync('umount', [folder])
      }
    })
  })
})

describe('local: faults of the file system', () => {
  const restores: (() => void)[] = []

  afterEach(() => {
    for (const restore of restores.splice(0)) restore()
  })

  /** Replaces a method of every open file. */
  async function onFiles<K extends 'sync' | 'writev' | 'read'>(
    method: K,
    make: (original: (...args: never[]) => Promise<unknown>) => (this: fs.FileHandle, ...args: never[]) => unknown,
  ): Promise<void> {
    const handle = await fs.open('/', 'r')
    const prototype = Object.getPrototypeOf(handle) as Record<string, unknown>
    await handle.close()
    const original = prototype[method] as (...args: never[]) => Promise<unknown>
    prototype[method] = make(original)
    restores.push(() => (prototype[method] = original))
  }

  function systemError(code: string): Error {
    return Object.assign(new Error(`${code}: as the test wants, fsync`), { code, syscall: 'fsync', errno: -5 })
  }

  async function isFolder(handle: fs.FileHandle): Promise<boolean> {
    return (await handle.stat()).isDirectory()
  }

  test('throw the file away when it cannot be synced', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await onFiles('sync', (original) => async function () {
        if (!(await isFolder(this))) throw systemError('EIO')
        return original.call(this)
      })
      const creating = backend.create(configRef, [pattern(5, 1)])
      await expect(creating).rejects.toMatchObject({ code: 'BACKEND_FAILED', details: { errno: 'EIO' } })
      expect(await filesBelow(root)).toEqual([])
    })
  })

  test('fail every later create in a folder whose sync failed once', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await backend.create(gcRef(1, 'plan'), [])
      await onFiles('sync', (original) => async function () {
        if (await isFolder(this)) throw systemError('EIO')
        return original.call(this)
      })
      await expect(backend.create(gcRef(2, 'plan'), [])).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      restores.pop()?.()
      await expect(backend.create(gcRef(2, 'plan'), [])).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      await expect(backend.create(gcRef(3, 'plan'), [])).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
      expect(await backend.create(packRef(id(1)), [])).toBe('created')
    })
  })

  test('do not include folders that cannot be synced at all', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await onFiles('sync', (original) => async function () {
        if (await isFolder(this)) throw systemError('EINVAL')
        return original.call(this)
      })
      expect(await backend.create(gcRef(1, 'plan'), [])).toBe('created')
    })
  })

  test('sync the file before it has its name, and the folder and those above it after', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      const synced: string[] = []
      await onFiles('sync', (original) => async function () {
        const path = await fs.readlink(`/proc/self/fd/${this.fd}`)
        const there = await fs.stat(join(root, refKey(indexRef(7, id(1))))).catch(() => undefined)
        const what = path.includes('.tmp-') ? 'temporary' : path.slice(root.length) || '/'
        synced.push(`${what} ${there ? 'named' : 'unnamed'}`)
        return original.call(this)
      })
      await backend.create(indexRef(7, id(1)), [pattern(5, 1)])
      expect(synced).toEqual(['/ unnamed', '/index unnamed', 'temporary unnamed', '/index/7 named'])
      synced.length = 0
      await backend.create(indexRef(7, id(2)), [pattern(5, 1)])
      expect(synced).toEqual(['temporary named', '/index/7 named'])
      synced.length = 0
      expect(await backend.create(indexRef(7, id(1)), [])).toBe('exists')
      expect(synced.at(-1)).toBe('/index/7 named')
      synced.length = 0
      await backend.remove(indexRef(7, id(1)))
      expect(synced).toEqual(['/index/7 unnamed'])
      synced.length = 0
      await collect((await localBackend(root)).list('index'))
      expect(synced).toEqual(['/ unnamed', '/index unnamed', '/index unnamed', '/index/7 unnamed'])
    })
  }, 30_000)

  test('share one sync of the folder among creates that run at once', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await backend.create(gcRef(0, 'plan'), [])
      let folders = 0
      await onFiles('sync', (original) => async function () {
        if (await isFolder(this)) folders += 1
        return original.call(this)
      })
      await Promise.all(Array.from({ length: 32 }, (_, i) => backend.create(gcRef(i + 1, 'plan'), [])))
      expect(folders).toBeLessThan(25)
    })
  })

  test('do not shorten an object when the system writes or reads less than asked', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await onFiles('writev', (original) => async function (...args) {
        const [parts] = args as unknown as [Uint8Array[]]
        const first = parts[0] ?? new Uint8Array(0)
        return original.call(this, ...([[first.subarray(0, Math.ceil(first.length / 2))]] as unknown as never[]))
      })
      await onFiles('read', (original) => async function (...args) {
        const [buffer, offset, length, position] = args as unknown as [Uint8Array, number, number, number]
        return original.call(this, ...([buffer, offset, Math.min(length, 7), position] as unknown as never[]))
      })
      await backend.create(packRef(id(1)), [pattern(100, 1), new Uint8Array(0), pattern(55, 2), pattern(1, 3)])
      const wanted = [...pattern(100, 1), ...pattern(55, 2), ...pattern(1, 3)]
      expect([...(await backend.load(packRef(id(1))))]).toEqual(wanted)
    })
  })

  test.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'])('explain a refusal of links with %s', async (errno) => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await onLinks(() => Promise.reject(systemError(errno)))
      await expect(backend.create(configRef, [])).rejects.toMatchObject({
        code: 'BACKEND_FAILED',
        message: expect.stringContaining('hard links') as string,
      })
      expect(await filesBelow(root)).toEqual([])
    })
  })

  test('count a link whose answer was lost as ours', async () => {
    await withFolder(async (root) => {
      const backend = await localBackend(root)
      await onLinks(async (original, from, to) => {
        await original(from, to)
        return original(from, to)
      })
      expect(await backend.create(configRef, [pattern(5, 1)])).toBe('created')
      expect(await backend.create(configRef, [pattern(5, 1)])).toBe('exists')
      expect(await filesBelow(root)).toEqual(['config'])
    })
  })

  /** Replaces link(2) for those who imported it before, too. */
  async function onLinks(
    link: (original: typeof fs.link, from: string, to: string) => Promise<void>,
  ): Promise<void> {
    const { syncBuiltinESMExports } = await import('node:module')
    const { default: module } = await import('node:fs/promises')
    const original = module.link
    module.link = (from, to) => link(original, String(from), String(to))
    syncBuiltinESMExports()
    restores.push(() => {
      module.link = original
      syncBuiltinESMExports()
    })
  }
})
