/** Worker threads run what was built: a worker that begins in TypeScript does not start on every Node. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { bytesOf } from '../util/bytes-of.ts'
import { look, make, makeMany, SIZES } from './trees.ts'

type Library = typeof import('../../src/index.ts')
const built = new URL('../../dist/index.js', import.meta.url)
const isBuilt = existsSync(fileURLToPath(built))

const folder = mkdtempSync(join(tmpdir(), 'nacre-threads-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PERSON = { user: 'ada', host: 'nautilus' }
const source = join(folder, 'source')

async function prepared(): Promise<{ library: Library; repository: Awaited<ReturnType<Library['openRepository']>>; backend: ReturnType<Library['memoryBackend']> }> {
  const library = (await import(built.href)) as Library
  const backend = library.memoryBackend()
  const password = Buffer.from('x')
  await library.createRepository({ backend, password, person: PERSON, kdf: { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } })
  const repository = await library.openRepository({ backend, password, cacheFolder: mkdtempSync(join(folder, 'cache-')) })
  return { library, repository, backend }
}

describe.skipIf(!isBuilt)('with worker threads', () => {
  mkdirSync(source)
  make(Buffer.from(source), SIZES.map((size) => [Buffer.from(`size ${size}`), { kind: 'file', seed: size, size, mode: 0o640, time: { s: 5, ns: 7 } }] as const))
  makeMany(join(source, 'many'), 1200)
  writeFileSync(join(source, 'large'), bytesOf(1, 20 * 1024 * 1024 + 5))
  const bytes = Buffer.from(source)

  /** The list of the source's entries, which depends on nothing but the source and the keys. */
  async function listOf({ library, repository }: Omit<Awaited<ReturnType<typeof prepared>>, 'backend'>, tree: Uint8Array): Promise<string> {
    for await (const { node } of library.listTree(repository, { tree }, Buffer.from(folder), {})) {
      if (Buffer.from(node.name).toString() === 'source') return Buffer.from(node.subtree!).toString('hex')
    }
    throw new Error('the source is not in the tree')
  }

  test('a backup gives the tree that one thread alone gives, with 1, 2 and 4 of them', async () => {
    const at = await prepared()
    const lists = new Set<string>()
    for (const threads of [0, 1, 2, 4]) {
      const { tree } = await at.library.backup(at.repository, { paths: [source], person: PERSON, threads, force: true })
      lists.add(await listOf(at, tree))
    }
    expect(lists.size).toBe(1)
    await at.repository[Symbol.asyncDispose]()
  }, 120_000)

  test('a first backup by two threads has the tree of a first backup by none', async () => {
    // Ids depend on the keys, so each begins in a copy of one empty repository.
    const library = (await import(built.href)) as Library
    const password = Buffer.from('x')
    const [one, other] = [mkdtempSync(join(folder, 'one-')), mkdtempSync(join(folder, 'other-'))]
    await library.createRepository({ backend: await library.createBackend(library.parseLocation(one)), password, person: PERSON, kdf: { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } })
    cpSync(one, other, { recursive: true })
    const first = async (repositoryFolder: string, threads: number): Promise<{ list: string; summary: object }> => {
      const repository = await library.openRepository({ backend: await library.createBackend(library.parseLocation(repositoryFolder)), password, cacheFolder: mkdtempSync(join(folder, 'cache-')) })
      const { tree, summary } = await library.backup(repository, { paths: [source], person: PERSON, threads })
      const list = await listOf({ library, repository }, tree)
      await repository[Symbol.asyncDispose]()
      return { list, summary: { files: summary.totalFiles, bytes: summary.totalBytes } }
    }
    const two = await first(one, 2)
    expect(await first(other, 0)).toEqual(two)
  }, 120_000)

  test('a restore by any number of threads gives back the source, and leaves no descriptor open', async () => {
    const at = await prepared()
    await at.library.backup(at.repository, { paths: [source], person: PERSON, threads: 2 })
    const { snapshots } = await at.library.loadSnapshots(at.repository)
    const descriptors: number[] = []
    for (const threads of [0, 1, 2, 4, 4, 4]) {
      const target = mkdtempSync(join(folder, 'target-'))
      const result = await at.library.restore(at.repository, { snapshot: snapshots[0]!, path: bytes, target, threads, verify: true })
      expect(result.problems).toEqual([])
      expect(look(target)).toEqual(look(source))
      rmSync(target, { recursive: true })
      descriptors.push(readdirSync('/proc/self/fd').length)
    }
    expect(descriptors[5]! - descriptors[3]!).toBeLessThan(4)
    await at.repository[Symbol.asyncDispose]()
  }, 120_000)

  test('a check reads every pack', async () => {
    const at = await prepared()
    await at.library.backup(at.repository, { paths: [source], person: PERSON, threads: 2 })
    const result = await at.library.checkRepository(at.repository, { threads: 2, readData: { kind: 'all' } })
    expect(result.findings).toEqual([])
    expect(result.packsRead).toBe(result.packs)
    await at.repository[Symbol.asyncDispose]()
  }, 120_000)

  test('a file that cannot be read to its end costs itself alone', async () => {
    const at = await prepared()
    const own = join(folder, 'shrinking')
    makeMany(own, 300)
    writeFileSync(join(own, 'large'), bytesOf(3, 9 * 1024 * 1024))
    let done = false
    const result = await at.library.backup(at.repository, {
      paths: [own],
      person: PERSON,
      threads: 2,
      onEvent(event) {
        if (event.type !== 'file' || done) return
        done = true
        writeFileSync(join(own, 'large'), 'short')
      },
    })
    expect(result.summary.totalFiles).toBe(301)
    const { snapshots } = await at.library.loadSnapshots(at.repository)
    const target = mkdtempSync(join(folder, 'target-'))
    expect((await at.library.restore(at.repository, { snapshot: snapshots[0]!, path: Buffer.from(own), target, threads: 2 })).problems).toEqual([])
    for (let i = 0; i < 300; i++) {
      const name = `file ${String(i).padStart(6, '0')}`
      expect(readFileSync(join(target, name), 'utf8')).toBe(`content ${i}`)
    }
    await at.repository[Symbol.asyncDispose]()
  }, 60_000)
})
