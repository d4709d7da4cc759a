/** How often the storage is asked: with a warm catalogue, looking takes six requests and a backup without a change twelve. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { addKey } from '../../src/features/keys.ts'
import { diffSnapshots } from '../../src/features/diff/diff-snapshots.ts'
import { findNames } from '../../src/features/find/find.ts'
import { listTree } from '../../src/features/list-tree.ts'
import { prune } from '../../src/features/prune/prune.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { backup } from '../../src/snapshot/backup.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { encodeForgotten } from '../../src/repository/forgotten.ts'
import { CHEAP_KDF, memoryRepository, PASSWORD, PERSON } from '../repository/support.ts'
import { noRequests, type RequestCounts, withCounting } from '../support/counting.ts'

interface Place {
  readonly backend: Backend
  readonly source: string
  /** What a process of its own asks for, from opening the repository on, with the cache that the others had. */
  asks(work: (repository: Repository) => Promise<unknown>, who?: { readonly password?: Uint8Array; readonly machine?: string }): Promise<RequestCounts>
}

async function place(): Promise<Place> {
  const backend = memoryBackend()
  const at = await memoryRepository(backend)
  onTestFinished(() => at[Symbol.asyncDispose]())
  const source = join(at.folder, 'source')
  for (let folder = 0; folder < 5; folder++) {
    mkdirSync(join(source, String(folder)), { recursive: true })
    for (let i = 0; i < 10; i++) writeFileSync(join(source, String(folder), String(i)), `file ${folder} ${i}`)
  }
  return {
    backend,
    source,
    async asks(work, { password = PASSWORD, machine = 'one' } = {}) {
      const counts = noRequests()
      await using repository = await openRepository({ backend: withCounting(backend, counts), password, cacheFolder: join(at.folder, `cache of ${machine}`) })
      await work(repository)
      return counts
    },
  }
}

// What lies above a path is part of a snapshot, and changes on a busy machine: these folders are made up.
const save = ({ source }: Place) => (repository: Repository): Promise<unknown> => backup(repository, { paths: [], asPaths: [{ real: utf8(source), shown: utf8('/nowhere/source') }], person: PERSON, threads: 0 })

async function all(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

const newest = async (repository: Repository) => (await loadSnapshots(repository)).snapshots.slice(-2)

const LOOKS: readonly [string, (repository: Repository) => Promise<unknown>][] = [
  ['snapshots', loadSnapshots],
  ['ls', async (repository) => all(listTree(repository, (await newest(repository)).at(-1)!, undefined, { recursive: true }))],
  ['find', async (repository) => all(findNames(repository, await newest(repository), { patterns: ['3'] }))],
  ['diff', async (repository) => {
    const [before, after] = await newest(repository)
    await all(diffSnapshots(repository, { snapshot: before!, path: undefined }, { snapshot: after!, path: undefined }, {}))
  }],
]

const sum = (counts: RequestCounts): number => Object.values(counts).reduce((total: number, count: number) => total + count, 0)

async function expectFew(at: Place): Promise<void> {
  for (const [name, look] of LOOKS) expect(await at.asks(look), name).toEqual({ create: 0, load: 2, stat: 0, list: 4, remove: 0 })
  // The session and the register, which is looked at, its removal; of config and slot; gc twice, index, packs, snapshots, forgotten.
  expect(await at.asks(save(at)), 'backup').toEqual({ create: 2, load: 2, stat: 1, list: 6, remove: 1 })
}

describe('requests', () => {
  test('are few when everything is known', async () => {
    const at = await place()
    for (let i = 0; i < 2; i++) await at.asks(save(at))
    await expectFew(at)
  })

  test('are one more for each snapshot that another machine has made', async () => {
    const at = await place()
    for (let i = 0; i < 2; i++) await at.asks(save(at))
    await at.asks(loadSnapshots)
    for (let i = 0; i < 3; i++) await at.asks(save(at), { machine: 'two' })
    expect(sum(await at.asks(loadSnapshots))).toBe(6 + 3)
    expect(sum(await at.asks(loadSnapshots))).toBe(6)
  })

  test('are no more after a prune, or with several passwords', async () => {
    const at = await place()
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(at.source, '0', 'changing'), `version ${i}`.repeat(1000 * (i + 1)))
      await at.asks(save(at))
    }
    await at.asks(async (repository) => {
      const { snapshots } = await loadSnapshots(repository)
      const name = `0/${snapshots[0]!.id}`
      await at.backend.create({ type: 'forgotten', name }, [encodeForgotten(repository.keyring, name, { timeNs: 0n, ...PERSON, program: 'test' })])
      expect((await prune(repository, { person: PERSON, threads: 0, maxUnused: { kind: 'percent', percent: 0 } })).outcome).toBe('done')
      for (const i of [1, 2, 3]) await addKey(repository, PASSWORD, utf8(`another ${i}`), PERSON, CHEAP_KDF)
    })
    // It takes in the index as the prune has left it.
    await at.asks(save(at))
    await expectFew(at)
  })

  test('a password that was taken away opens nothing, though its slot was the last that was used', async () => {
    const at = await place()
    const second = utf8('the second password')
    await at.asks((repository) => addKey(repository, PASSWORD, second, PERSON, CHEAP_KDF))
    const used = await at.asks(async ({ slotId }) => at.backend.remove({ type: 'keys', name: slotId }), { password: second })
    expect(sum(used)).toBeGreaterThan(2)
    await expect(at.asks(loadSnapshots, { password: second })).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
    await at.asks(loadSnapshots)
  })
})
