/** Tree frames that are kept on this machine: they save requests, are trusted for nothing, and stay within their limit. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { checkRepository } from '../../src/features/check.ts'
import { cacheInfo, clearCache } from '../../src/features/cache-store.ts'
import { listTree } from '../../src/features/list-tree.ts'
import { loadReadableIndex } from '../../src/repository/index-loader.ts'
import { type FrameAddress, openFrameCache } from '../../src/repository/catalogue/frame-cache.ts'
import { openRepository } from '../../src/repository/repository.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { toHex } from '../../src/util/bytes.ts'
import { snapshotPlace } from '../snapshot/place.ts'
import { noRequests, withCounting } from '../support/counting.ts'
import { bytesOf, randomOf } from '../util/bytes-of.ts'
import { namesIn, PASSWORD } from './support.ts'

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-frames-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

interface Far {
  readonly backend: Backend
  readonly cache: string
  /** Lists all of the newest snapshot with a catalogue that has seen none of its trees; tells how many pieces of packs were fetched. */
  list(): Promise<{ readonly names: readonly string[]; readonly fetched: number }>
  /** Paths of the frames that are kept. */
  frames(): string[]
}

/** A repository that is far away, of folders that fill a few frames. */
async function far(): Promise<Far> {
  const backend: Backend = { ...memoryBackend(), isRemote: true }
  const at = await snapshotPlace(backend)
  onTestFinished(() => at[Symbol.asyncDispose]())
  for (let run = 0; run < 3; run++) {
    mkdirSync(join(at.source, String(run)))
    for (let i = 0; i < 20; i++) writeFileSync(join(at.source, String(run), `file ${i}`), bytesOf(i, 20))
    await at.save()
  }
  const cache = temporaryFolder()
  const folderOf = (): string => join(cache, at.repository.id)
  return {
    backend,
    cache,
    async list() {
      for (const name of readdirSync(cache).includes(at.repository.id) ? readdirSync(folderOf()) : []) if (name.startsWith('catalogue-')) rmSync(join(folderOf(), name), { recursive: true })
      const counts = noRequests()
      let fetched = 0
      const counting = withCounting(backend, counts)
      await using repository = await openRepository({
        backend: { ...counting, load: (ref, ...rest) => ((fetched += ref.type === 'packs' ? 1 : 0), counting.load(ref, ...rest)) },
        password: PASSWORD,
        cacheFolder: cache,
      })
      const names: string[] = []
      await loadReadableIndex(repository)
      const { snapshots } = await loadSnapshots(repository)
      for await (const { path } of listTree(repository, snapshots.at(-1)!, undefined, { recursive: true })) names.push(toHex(path))
      return { names, fetched }
    },
    frames: () => readdirSync(join(folderOf(), 'frames'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)),
  }
}

describe('kept tree frames', () => {
  test('are fetched once', async () => {
    const at = await far()
    const first = await at.list()
    expect(first.names.length).toBeGreaterThan(60)
    expect(first.fetched).toBeGreaterThan(1)
    expect(at.frames()).toHaveLength(first.fetched)
    expect(await at.list()).toEqual({ names: first.names, fetched: 0 })
  })

  const damages: readonly [string, (path: string, all: readonly string[]) => void][] = [
    ['gone', (path) => rmSync(path)],
    ['empty', (path) => truncateSync(path, 0)],
    ['cut short', (path) => truncateSync(path, statSync(path).size - 1)],
    ['longer', (path) => writeFileSync(path, Buffer.concat([Buffer.alloc(10), readFileSync(path)]))],
    ['flipped in one bit', (path) => {
      const bytes = readFileSync(path)
      bytes[bytes.length >> 1]! ^= 4
      writeFileSync(path, bytes)
    }],
    ['another frame', (path, all) => writeFileSync(path, readFileSync(all.find((other) => other !== path)!))],
    ['a folder', (path) => {
      rmSync(path)
      mkdirSync(path)
    }],
  ]
  test.each(damages)('one that is %s is fetched again, and nothing else happens', async (what, damage) => {
    const at = await far()
    const { names } = await at.list()
    const all = at.frames()
    for (const path of all.slice(1)) damage(path, all)
    expect(await at.list()).toEqual({ names, fetched: all.length - 1 })
    // What stands in the way of a frame stays there.
    expect(await at.list()).toEqual({ names, fetched: what === 'a folder' ? all.length - 1 : 0 })
  })

  test('say nothing about what the repository holds', async () => {
    const at = await far()
    await at.list()
    const packs = await namesIn(at.backend, 'packs')
    for (const name of packs) await at.backend.remove({ type: 'packs', name })
    await using repository = await openRepository({ backend: at.backend, password: PASSWORD, cacheFolder: at.cache })
    const { findings } = await checkRepository(repository, { threads: 0 })
    expect(findings.filter(({ code }) => code === 'pack_missing').length).toBe(packs.length)
  })

  test('are shown, and cleared', async () => {
    const at = await far()
    const { fetched } = await at.list()
    const [entry] = (await cacheInfo(at.cache)).repositories
    expect(entry).toMatchObject({ frames: fetched })
    expect(entry!.frameBytes).toBe(at.frames().reduce((bytes, path) => bytes + statSync(path).size, 0))
    expect(await clearCache(at.cache)).toEqual({ removed: 1, inUse: 0, frames: fetched })
    expect((await cacheInfo(at.cache)).repositories).toEqual([])
  })
})

const at = (seed: number, bytes = 1000): FrameAddress => ({ pack: { packId: toHex(bytesOf(seed, 32)) }, frameOffset: 60, storedBytes: bytes })

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).reduce((sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0), 0)
}

describe('a frame cache', () => {
  test('stays within its limit, and keeps what was used last', async () => {
    const folder = temporaryFolder()
    const cache = openFrameCache({ folder, limitBytes: 50_000 })
    for (let i = 0; i < 200; i++) {
      await cache.put(at(i), bytesOf(i, 1000))
      // Times of files have the system's own grain.
      const path = join(folder, at(i).pack.packId.slice(0, 2), `${at(i).pack.packId}.60`)
      utimesSync(path, 1_000_000 + i, 1_000_000 + i)
      expect(await cache.get(at(0)), String(i)).toEqual(bytesOf(0, 1000))
      expect(sizeOf(folder)).toBeLessThanOrEqual(50_000)
    }
    expect(await cache.get(at(199))).toEqual(bytesOf(199, 1000))
    expect(await cache.get(at(1))).toBeUndefined()
    // A run with less room begins by making it.
    await openFrameCache({ folder, limitBytes: 20_000 }).put(at(500), bytesOf(500, 1000))
    expect(sizeOf(folder)).toBeLessThanOrEqual(20_000)
  })

  test('of several at once gives what was put, or nothing', async () => {
    const folder = temporaryFolder()
    const random = randomOf(7)
    const users = Array.from({ length: 4 }, () => openFrameCache({ folder, limitBytes: 30_000 }))
    await Promise.all(users.map(async (cache) => {
      for (let i = 0; i < 150; i++) {
        const seed = random() % 60
        const found = await cache.get(at(seed))
        if (found === undefined) await cache.put(at(seed), bytesOf(seed, 1000))
        else expect(found).toEqual(bytesOf(seed, 1000))
        if (i % 20 === 0) await cache.forget(at(seed))
      }
    }))
    expect(sizeOf(folder)).toBeLessThanOrEqual(30_000 + 4 * 3000)
  })

  test('in a folder that takes no file keeps nothing, and fails nobody', async () => {
    const folder = join(temporaryFolder(), 'file')
    writeFileSync(folder, '')
    const cache = openFrameCache({ folder: join(folder, 'frames'), limitBytes: 30_000 })
    await cache.put(at(1), bytesOf(1, 1000))
    expect(await cache.get(at(1))).toBeUndefined()
  })
})
