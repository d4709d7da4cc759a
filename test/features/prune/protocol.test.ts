/** Prune beside backups, other prunes, and storage that fails or lies. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { Backend, ObjectInfo, ObjectRef, ObjectType } from '../../../src/backend/backend.ts'
import { localBackend } from '../../../src/backend/local.ts'
import type { PruneEvent } from '../../../src/features/prune/types.ts'
import { encodeGcRecord, gcName } from '../../../src/repository/gc-record.ts'
import { encodeSession } from '../../../src/repository/session-object.ts'
import { nowNs } from '../../../src/util/clock.ts'
import { BackupError } from '../../../src/util/errors.ts'
import { namesIn, PERSON, replaceObject } from '../../repository/support.ts'
import { copyOf } from '../../support/copied.ts'
import { temporaryFolder } from '../../support/nacre.ts'
import { flipped } from '../../util/bytes-of.ts'
import { expectRejected } from '../../util/expect-error.ts'
import { prunePlace, type PrunePlace } from './place.ts'

vi.setConfig({ testTimeout: 120_000 })

const NO_UNUSED = { maxUnused: { kind: 'bytes', bytes: 0 } } as const

/** Calls `then` once, before the first creation of an object of that type. */
function beforeCreate(inner: Backend, type: ObjectType, then: (ref: ObjectRef) => Promise<unknown>): Backend {
  let isOver = false
  return {
    ...inner,
    async create(ref, ...rest) {
      if (ref.type === type && !isOver) {
        isOver = true
        await then(ref)
      }
      return inner.create(ref, ...rest)
    },
  }
}

/** Changes what lists of a type answer. */
function withList(inner: Backend, type: ObjectType, change: (infos: ObjectInfo[]) => ObjectInfo[]): Backend {
  return {
    ...inner,
    async *list(wanted, options) {
      const infos: ObjectInfo[] = []
      for await (const info of inner.list(wanted, options)) infos.push(info)
      yield* wanted === type ? change(infos) : infos
    },
  }
}

/** Three snapshots of which the first is forgotten. */
async function history(at: PrunePlace): Promise<string[]> {
  at.fill(0, 8)
  const ids = [await at.keep()]
  at.fill(0, 4, 1)
  ids.push(await at.keep())
  at.fill(8, 10)
  ids.push(await at.keep())
  await at.forget(ids[0]!)
  return ids
}

/** A bit in the middle differs; the size stays. */
async function damage(backend: Backend, ref: ObjectRef): Promise<void> {
  const whole = await backend.load(ref)
  await replaceObject(backend, ref, flipped(whole, Math.floor(whole.length / 2) * 8))
}

/** Two machines store the same: one has looked at the index before the other has stored anything. */
async function keepTwice(at: PrunePlace): Promise<void> {
  const backend = beforeCreate(at.backend, 'packs', async () => void (await at.keep(await at.open())))
  await at.keep(await at.open(backend))
}

const everything = async (backend: Backend): Promise<string[]> => (await Promise.all((['packs', 'index', 'snapshots', 'forgotten', 'gc'] as const).map((type) => namesIn(backend, type)))).flat()

describe('a backup', () => {
  test('that is asleep before its commit while a prune runs is fenced, and begins again by itself', async () => {
    await using at = await prunePlace()
    at.fill(0, 8)
    const first = await at.keep()
    await at.forget(first)
    let pruned: string | undefined
    // It has referred to blobs of the forgotten snapshot by then, which the prune deletes.
    const backend = beforeCreate(at.backend, 'snapshots', async () => {
      pruned = (await at.prune({ fence: true, ...NO_UNUSED }, await at.open())).outcome
    })
    await at.keep(await at.open(backend))
    expect(pruned).toBe('done')
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await at.expectWhole()
  })

  test('that is young leaves the generation open, is not harmed, and the next prune finishes', async () => {
    await using at = await prunePlace()
    await history(at)
    const outcomes: string[] = []
    const backend = beforeCreate(at.backend, 'snapshots', async () => {
      const result = await at.prune(NO_UNUSED, await at.open())
      outcomes.push(result.outcome)
      expect(result.waitingFor).toHaveLength(1)
      expect(result.deletedPacks).toBe(0)
      outcomes.push((await at.prune(NO_UNUSED, await at.open())).outcome)
    })
    at.fill(20, 23)
    await at.keep(await at.open(backend))
    expect(outcomes).toEqual(['left open', 'left open'])
    await at.expectWhole()
    const result = await at.prune(NO_UNUSED)
    expect(result.deletedPacks).toBeGreaterThan(0)
    expect(result.sweptSnapshots).toBe(1)
    await at.expectWhole()
  })

  test('that commits between plan and decision keeps what it refers to: the condemned pack is rescued', async () => {
    await using at = await prunePlace()
    at.fill(0, 8)
    await at.forget(await at.keep())
    const backend = beforeCreate(at.backend, 'gc', async () => void (await at.keep(await at.open())))
    const result = await at.prune({}, await at.open(backend))
    expect(result).toMatchObject({ outcome: 'done', sweptSnapshots: 1 })
    expect(result.rescuedPacks).toBeGreaterThan(0)
    await at.expectWhole()
    await at.expectWhole(at.repository)
  })

  test('dated in the future is waited for no longer than from the plan on', async () => {
    await using at = await prunePlace()
    await history(at)
    const name = `0/${'5a'.repeat(16)}`
    const info = { startedNs: nowNs() + 10n ** 18n, ...PERSON, program: 'test', kind: 'backup' }
    await at.backend.create({ type: 'sessions', name }, [encodeSession(at.repository.keyring, name, info)])
    expect((await at.prune()).outcome).toBe('left open')
    expect((await at.prune({ fenceAfterMs: 0 })).deletedPacks).toBeGreaterThan(0)
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await at.expectWhole()
  })
})

test('what killed writers left in the folders goes with a prune that is old enough, and not with a dry run', async () => {
  const folder = temporaryFolder()
  await using at = await prunePlace(await localBackend(folder))
  at.fill(0, 1)
  await at.keep()
  const litter = join(folder, 'packs', '.tmp-01234567-89ab-4cde-8f01-23456789abcd')
  const told: PruneEvent[] = []
  const onEvent = (event: PruneEvent): void => void (event.type === 'leftovers' && told.push(event))
  writeFileSync(litter, 'litter')
  await at.prune({ dryRun: true, exclusive: true, onEvent })
  await at.prune({ onEvent })
  expect(existsSync(litter)).toBe(true)
  await at.prune({ fenceAfterMs: 0, onEvent })
  expect(existsSync(litter)).toBe(false)
  writeFileSync(litter, 'more litter')
  await at.prune({ exclusive: true, onEvent })
  expect(existsSync(litter)).toBe(false)
  expect(told).toEqual([{ type: 'leftovers', files: 1, bytes: 6 }, { type: 'leftovers', files: 1, bytes: 11 }])
  await at.expectWhole()
})

describe('two prunes at once', () => {
  test('free the same, and lose nothing', async () => {
    await using at = await prunePlace()
    await history(at)
    const repositories = [await at.open(), await at.open(), await at.open()]
    const results = await Promise.allSettled(repositories.map((repository) => at.prune(NO_UNUSED, repository)))
    for (const result of results) if (result.status === 'rejected' && !(result.reason instanceof BackupError)) throw result.reason
    await at.expectWhole()
    await at.prune(NO_UNUSED)
    expect(await at.prune(NO_UNUSED)).toMatchObject({ outcome: 'nothing to do' })
    await at.expectWhole()
  })

  test('never blame the storage for each other, round after round', async () => {
    await using at = await prunePlace()
    at.fill(0, 6)
    let last = await at.keep()
    const repositories = [await at.open(), await at.open()]
    for (let round = 1; round <= 6; round++) {
      at.fill(0, 3, round)
      const next = await at.keep()
      await at.forget(last)
      last = next
      const results = await Promise.allSettled(repositories.map((repository) => at.prune(round % 2 === 0 ? {} : NO_UNUSED, repository)))
      // One that was second each time gives up, and says so.
      for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ name: 'BackupError', retryable: true })
      expect(results.some(({ status }) => status === 'fulfilled')).toBe(true)
      await at.expectRestores(at.repository)
    }
    await at.prune(NO_UNUSED)
    await at.expectWhole()
  })

  test.each([['with packs to write anew', NO_UNUSED], ['with packs to delete only', {}]])('one that another fences and overtakes looks again, %s', async (_, options) => {
    await using at = await prunePlace()
    await history(at)
    const kept: string[] = []
    let other: string | undefined
    const backend: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        const made = await at.backend.create(ref, ...rest)
        if (ref.type === 'sessions' && other === undefined) {
          other = ''
          other = (await at.prune(options, await at.open())).outcome
          expect(await namesIn(at.backend, 'sessions')).toEqual([])
        }
        return made
      },
    }
    const result = await at.prune({ ...options, onEvent: (event) => event.type === 'kept' && kept.push(event.reason) }, await at.open(backend))
    expect(other).toBe('done')
    expect(result).toMatchObject({ outcome: 'nothing to do' })
    expect(kept).toEqual([])
    await at.expectWhole()
  })
})

describe('prune refuses and deletes nothing', () => {
  const lies: [string, (at: PrunePlace, ids: string[]) => Backend | Promise<Backend>][] = [
    ...(['packs', 'index', 'snapshots', 'forgotten', 'sessions', 'gc'] as const).map((type): [string, (at: PrunePlace) => Backend] => [
      `when the list of ${type} fails`,
      (at) => ({
        ...at.backend,
        list(wanted, options) {
          if (wanted === type) throw new BackupError('BACKEND_FAILED', 'the list broke off')
          return at.backend.list(wanted, options)
        },
      }),
    ]),
    ...(['packs', 'index', 'snapshots', 'sessions', 'gc'] as const).map((type): [string, (at: PrunePlace) => Backend] => [`when the list of ${type} comes back empty`, (at) => withList(at.backend, type, () => [])]),
    ['when the list of snapshots lacks one that the last prune saw', (at, ids) => withList(at.backend, 'snapshots', (infos) => infos.filter((info) => info.name !== `0/${ids[1]}`))],
    ['when the list of snapshots lacks the newest, which the last prune did not see', (at, ids) => withList(at.backend, 'snapshots', (infos) => infos.filter((info) => info.name !== `0/${ids.at(-1)}`))],
    ['when a snapshot is damaged', async (at, ids) => {
      await damage(at.backend, { type: 'snapshots', name: `0/${ids[1]}` })
      return at.backend
    }],
    ['when an index object is damaged', async (at) => {
      await damage(at.backend, { type: 'index', name: (await namesIn(at.backend, 'index'))[0]! })
      return at.backend
    }],
    ['when a verdict is forged', async (at) => {
      await at.backend.create({ type: 'gc', name: gcName(2, 'plan') }, [encodeGcRecord(at.repository.keyring, 2, 'plan', { packs: [], sweep: [], sweptBefore: [] })])
      await at.backend.create({ type: 'gc', name: gcName(2, 'verdict') }, [new Uint8Array(100)])
      return at.backend
    }],
    ['when the storage lets two writers make one name', (at) => ({ ...at.backend, create: async (ref, parts, options) => (await at.backend.create(ref, parts, options), 'created') })],
  ]

  test.each(lies)('%s', async (_, lie) => {
    await using at = await prunePlace()
    const ids = await history(at)
    await at.prune(NO_UNUSED)
    at.fill(30, 33)
    ids.push(await at.keep())
    at.fill(30, 32, 2)
    ids.push(await at.keep())
    await at.forget(ids[3]!)
    const backend = await lie(at, ids)
    const packs = await namesIn(at.backend, 'packs')
    const snapshots = await namesIn(at.backend, 'snapshots')
    await expect(at.prune(NO_UNUSED, await at.open(backend))).rejects.toBeInstanceOf(BackupError)
    const left = await everything(at.backend)
    for (const name of [...packs, ...snapshots]) expect(left).toContain(name)
  })

  test('when the list of index objects lacks one that states a used pack', async () => {
    await using at = await prunePlace()
    await history(at)
    const before = await namesIn(at.backend, 'index')
    at.fill(30, 33)
    await at.keep()
    const [added] = (await namesIn(at.backend, 'index')).filter((name) => !before.includes(name))
    const packs = await namesIn(at.backend, 'packs')
    const backend = withList(at.backend, 'index', (infos) => infos.filter((info) => info.name !== added))
    await expectRejected(at.prune(NO_UNUSED, await at.open(backend)), 'PRUNE_REFUSED')
    expect(await namesIn(at.backend, 'packs')).toEqual(packs)
  })

  test('when a used pack is gone, and closes a generation that is open', async () => {
    await using at = await prunePlace()
    const ids = await history(at)
    let removed = ''
    const backend = beforeCreate(at.backend, 'gc', async () => {
      removed = (await namesIn(at.backend, 'packs'))[0]!
      for (const name of await namesIn(at.backend, 'packs')) await at.backend.remove({ type: 'packs', name })
    })
    await expectRejected(at.prune({}, await at.open(backend)), 'PRUNE_REFUSED')
    expect(removed).not.toBe('')
    expect(await namesIn(at.backend, 'gc')).toEqual([gcName(1, 'done'), gcName(1, 'plan'), gcName(1, 'verdict')])
    expect(await namesIn(at.backend, 'snapshots')).toEqual(expect.arrayContaining(ids.map((id) => `0/${id}`)))
  })

  test('unless a snapshot that cannot be read is forgotten: that is how one gets rid of it', async () => {
    await using at = await prunePlace()
    const ids = await history(at)
    await damage(at.backend, { type: 'snapshots', name: `0/${ids[1]}` })
    await expectRejected(at.prune({}, await at.open()), 'PRUNE_REFUSED')
    await at.forget(ids[1]!)
    expect((await at.prune({}, await at.open())).sweptSnapshots).toBe(2)
    await at.expectWhole()
  })

  test('unless a snapshot that is gone is given up by its id', async () => {
    await using at = await prunePlace()
    const ids = await history(at)
    await at.prune(NO_UNUSED)
    await at.backend.remove({ type: 'snapshots', name: `0/${ids[1]}` })
    const error = await expectRejected(at.prune(NO_UNUSED, await at.open()), 'PRUNE_REFUSED')
    expect(error.message).toContain(`--lost ${ids[1]}`)
    expect((await at.prune({ ...NO_UNUSED, lost: [ids[1]!] }, await at.open())).deletedPacks).toBeGreaterThan(0)
    expect((await at.prune(NO_UNUSED, await at.open())).outcome).toBe('nothing to do')
  })
})

describe('of two copies of a blob', () => {
  test('a rotten one does not outlive the good one', async () => {
    await using at = await prunePlace()
    at.fill(0, 6)
    await keepTwice(at)
    const packs: ObjectInfo[] = []
    // Those with the files, which are in both; of the folders above the source one may differ.
    for await (const info of at.backend.list('packs')) if (info.sizeBytes > 5 * 60_000) packs.push(info)
    expect(packs).toHaveLength(2)
    for (const ref of packs) {
      const copy = await copyOf(at.backend)
      await damage(copy, ref)
      const repository = await at.open(copy)
      const { unused, repack } = (await at.prune({ ...NO_UNUSED, dryRun: true }, repository)).plan!
      expect(unused.packs + repack.packs).toBeGreaterThan(0)
      await at.prune(NO_UNUSED, repository)
      await at.expectRestores(await at.open(copy))
    }
  })

  test('one is opened before the other is dropped, and one goes', async () => {
    await using at = await prunePlace()
    at.fill(0, 6)
    await keepTwice(at)
    const result = await at.prune(NO_UNUSED)
    expect(result.rescuedPacks).toBe(0)
    // Trees may differ, as folders above the source are the system's; the files are the same.
    expect(result.deletedBytes - result.writtenBytes).toBeGreaterThan(5 * 60_000)
    await at.expectWhole()
  })
})

describe('what is left alone', () => {
  test('are snapshots that were forgotten lately, with --keep-recoverable', async () => {
    await using at = await prunePlace()
    at.fill(0, 4)
    const old = await at.keep()
    at.fill(0, 4, 1)
    const young = await at.keep()
    at.fill(0, 4, 2)
    await at.keep()
    await at.forget(old, nowNs() - 10n * 86_400_000_000_000n)
    await at.forget(young)
    const result = await at.prune({ keepRecoverableMs: 7 * 86_400_000 })
    expect(result).toMatchObject({ outcome: 'done', sweptSnapshots: 1 })
    expect(result.plan).toMatchObject({ recoverable: 1 })
    expect(await namesIn(at.backend, 'forgotten')).toEqual([`0/${young}`])
    expect((await at.prune()).sweptSnapshots).toBe(1)
    await at.expectWhole()
  })

  test('are packs of a session that is open', async () => {
    await using at = await prunePlace()
    at.fill(0, 4)
    await at.keep()
    at.fill(4, 8)
    let result: Awaited<ReturnType<PrunePlace['prune']>> | undefined
    const backend = beforeCreate(at.backend, 'snapshots', async () => {
      result = await at.prune({}, await at.open())
    })
    await at.keep(await at.open(backend))
    expect(result).toMatchObject({ outcome: 'nothing to do' })
    expect(result!.plan!.ofOpenSessions.packs).toBeGreaterThan(0)
    await at.expectWhole()
  })

  test('is a marker that anyone could have made', async () => {
    await using at = await prunePlace()
    at.fill(0, 4)
    const id = await at.keep()
    at.fill(0, 4, 1)
    await at.keep()
    await at.backend.create({ type: 'forgotten', name: `0/${id}` }, [new Uint8Array(200)])
    expect((await at.prune()).outcome).toBe('nothing to do')
    expect(at.notices.join()).toContain('not obeyed')
    await at.expectRestores(await at.open())
  })
})

describe('a late duplicate of a commit that was swept', () => {
  test('is a ghost that nobody sees, and the next generation removes it', async () => {
    await using at = await prunePlace()
    const ids = await history(at)
    const ref = { type: 'snapshots', name: `0/${ids[0]}` } as const
    const bytes = await at.backend.load(ref)
    await at.prune(NO_UNUSED)
    await at.backend.create(ref, [bytes])
    await at.expectWhole()
    await at.forget(ids[1]!)
    expect((await at.prune(NO_UNUSED, await at.open())).outcome).toBe('done')
    expect(await namesIn(at.backend, 'snapshots')).not.toContain(ref.name)
    await at.expectWhole()
  })
})
