import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cacheInfo, clearCache } from '../../src/features/cache-store.ts'
import { openCatalogue } from '../../src/repository/catalogue/catalogue.ts'

const ONE = '1'.repeat(32)
const TWO = '2'.repeat(32)

async function withCache(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-cache-'))
  try {
    await use(join(folder, 'cache'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Makes a catalogue and leaves it. */
async function warm(cache: string, repositoryId: string): Promise<void> {
  await using catalogue = await openCatalogue(join(cache, repositoryId))
  catalogue.rows.put('tree', new Uint8Array(32), new Uint8Array(1000))
}

describe('cacheInfo', () => {
  test('is empty where there is no cache', () => withCache(async (cache) => {
    expect(await cacheInfo(cache)).toEqual({ folder: cache, repositories: [] })
  }))

  test('tells of each repository what it takes', () => withCache(async (cache) => {
    await warm(cache, TWO)
    await using _open = await openCatalogue(join(cache, ONE))
    await warm(cache, ONE)
    await mkdir(join(cache, 'no repository'))
    const { repositories } = await cacheInfo(cache)
    expect(repositories).toEqual([
      { repositoryId: ONE, catalogues: 2, frames: 0, frameBytes: 0, bytes: expect.any(Number) as number },
      { repositoryId: TWO, catalogues: 1, frames: 0, frameBytes: 0, bytes: expect.any(Number) as number },
    ])
    for (const { bytes } of repositories) expect(bytes).toBeGreaterThan(0)
  }))
})

describe('clearCache', () => {
  test('removes the catalogues of all repositories', () => withCache(async (cache) => {
    await warm(cache, ONE)
    await warm(cache, TWO)
    expect(await clearCache(cache)).toEqual({ removed: 2, inUse: 0, frames: 0 })
    expect(await readdir(cache)).toEqual(['CACHEDIR.TAG'])
    expect(await clearCache(cache)).toEqual({ removed: 0, inUse: 0, frames: 0 })
    await warm(cache, ONE)
  }))

  test('removes those of one repository only', () => withCache(async (cache) => {
    await warm(cache, ONE)
    await warm(cache, TWO)
    expect(await clearCache(cache, ONE)).toEqual({ removed: 1, inUse: 0, frames: 0 })
    expect((await cacheInfo(cache)).repositories.map((entry) => entry.repositoryId)).toEqual([TWO])
    expect(await clearCache(cache, '../..')).toEqual({ removed: 0, inUse: 0, frames: 0 })
  }))

  test('leaves a catalogue that is open, which goes on working', () => withCache(async (cache) => {
    await using catalogue = await openCatalogue(join(cache, ONE))
    await warm(cache, ONE)
    expect(await clearCache(cache)).toEqual({ removed: 1, inUse: 1, frames: 0 })
    catalogue.rows.put('tree', new Uint8Array(32), Uint8Array.of(5))
    await catalogue.rows.flush()
    expect([...catalogue.rows.get('tree', new Uint8Array(32))!]).toEqual([5])
  }))

  test('removes a catalogue that is damaged beyond opening', () => withCache(async (cache) => {
    await warm(cache, ONE)
    const path = join(cache, ONE, 'catalogue-0')
    for (const name of await readdir(path)) await writeFile(join(path, name), 'junk')
    await writeFile(join(path, 'stranger'), 'junk')
    expect(await clearCache(cache)).toEqual({ removed: 1, inUse: 0, frames: 0 })
    expect(existsSync(join(cache, ONE))).toBe(false)
  }))

  test('touches nothing that it did not make', () => withCache(async (cache) => {
    await warm(cache, ONE)
    const kept = ['other/file', `${'A'.repeat(32)}/catalogue-0/file`, `${'1'.repeat(33)}/catalogue-0/file`, `${ONE}/notes`, `${TWO}-old/catalogue-0/file`]
    for (const path of kept) {
      await mkdir(dirname(join(cache, path)), { recursive: true })
      await writeFile(join(cache, path), 'mine')
    }
    await writeFile(join(cache, '3'.repeat(32)), 'a file of such a name')
    expect(await clearCache(cache)).toEqual({ removed: 1, inUse: 0, frames: 0 })
    for (const path of [...kept, '3'.repeat(32)]) expect(existsSync(join(cache, path))).toBe(true)
  }))

  test('follows no links', () => withCache(async (cache) => {
    const elsewhere = join(dirname(cache), 'elsewhere')
    await warm(elsewhere, ONE)
    await mkdir(cache)
    await symlink(join(elsewhere, ONE), join(cache, ONE))
    await mkdir(join(cache, TWO))
    await symlink(join(elsewhere, ONE, 'catalogue-0'), join(cache, TWO, 'catalogue-0'))
    expect(await clearCache(cache)).toEqual({ removed: 0, inUse: 0, frames: 0 })
    expect(await cacheInfo(elsewhere)).toMatchObject({ repositories: [{ repositoryId: ONE, catalogues: 1 }] })
  }))
})

describe('the mark of a cache', () => {
  test('is written into a folder that holds nothing else', () => withCache(async (cache) => {
    await warm(cache, ONE)
    expect(await readFile(join(cache, 'CACHEDIR.TAG'), 'utf8')).toMatch(/^Signature: 8a477f597d28d172789f06886806bc55\n/)
    await warm(cache, TWO)
  }))

  test('is not written into a folder that is used for more', () => withCache(async (cache) => {
    await mkdir(cache)
    await writeFile(join(cache, 'letters'), 'dear to me')
    await warm(cache, ONE)
    expect(existsSync(join(cache, 'CACHEDIR.TAG'))).toBe(false)
  }))
})
