/** The commit protocol seen from a whole backup, with what a prune would do planted at the worst moments. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend, ObjectRef } from '../../src/backend/backend.ts'
import { encodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import { encodeFence } from '../../src/repository/register.ts'
import type { Keyring } from '../../src/repository/keyring.ts'
import type { BackupEvent } from '../../src/snapshot/backup-types.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { BackupError } from '../../src/util/errors.ts'
import { namesIn, replaceObject } from '../repository/support.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { expectRejected } from '../util/expect-error.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'
import { look } from './trees.ts'

function fill(at: SnapshotPlace, from: number, to: number): void {
  for (let i = from; i < to; i++) writeFileSync(join(at.source, `file ${i}`), bytesOf(i, 60_000))
}

async function plant(backend: Backend, keyring: Keyring, generation: number, packs: readonly string[]): Promise<void> {
  await backend.create({ type: 'gc', name: gcName(generation, 'plan') }, [encodeGcRecord(keyring, generation, 'plan', { packs, sweep: [], sweptBefore: [] })])
}

/** What a prune deletes: the packs, and the index objects that state nothing else. */
async function deletePacks(at: SnapshotPlace, packs: readonly string[]): Promise<void> {
  for (const name of packs) await at.backend.remove({ type: 'packs', name })
}

async function expectWhole(at: SnapshotPlace): Promise<void> {
  const fresh = await at.open()
  const result = await at.restoreSource(undefined, {}, fresh)
  expect(result.problems).toEqual([])
  expect(look(result.target)).toEqual(look(at.source))
}

/** Calls `then` before the n-th creation of an object of that type. */
function before(inner: Backend, type: string, n: number, then: (ref: ObjectRef) => Promise<void>): Backend {
  let count = 0
  return {
    ...inner,
    async create(ref, ...rest) {
      if (ref.type === type && ++count === n) await then(ref)
      return inner.create(ref, ...rest)
    },
  }
}

describe('packs that a plan condemns', () => {
  test('are not referred to: what is only there is stored anew, by a warm catalogue and by a cold one', async () => {
    for (const isCold of [false, true]) {
      await using at = await snapshotPlace()
      fill(at, 0, 5)
      await at.save()
      const condemned = await namesIn(at.backend, 'packs')
      await plant(at.backend, at.repository.keyring, 1, condemned)
      const repository = isCold ? await at.open() : at.repository
      const result = await at.save({}, repository)
      expect(result.summary.dataAdded).toBeGreaterThan(5 * 60_000)
      await deletePacks(at, condemned)
      await expectWhole(at)
    }
  })

  test('are not referred to when they hold only a part of what is needed', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 5)
    await at.save()
    const condemned = await namesIn(at.backend, 'packs')
    fill(at, 5, 10)
    await at.save()
    await plant(at.backend, at.repository.keyring, 1, condemned)
    const result = await at.save()
    expect(result.summary.dataAdded).toBeGreaterThanOrEqual(5 * 60_000)
    expect(result.summary.dataAdded).toBeLessThan(8 * 60_000)
    await deletePacks(at, condemned)
    await expectWhole(at)
  })

  test('while the backup runs are found before it commits, and replaced', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 5)
    await at.save()
    const condemned = await namesIn(at.backend, 'packs')
    fill(at, 5, 7)
    const events: BackupEvent[] = []
    const backend = before(at.backend, 'packs', 1, () => plant(at.backend, at.repository.keyring, 1, condemned))
    await at.save({ onEvent: (event) => events.push(event) }, await at.open(backend))
    expect(events.some((event) => event.type === 'notice')).toBe(true)
    await deletePacks(at, condemned)
    await expectWhole(at)
  })

  test('again and again while it runs are replaced each time', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 5)
    await at.save()
    fill(at, 5, 7)
    let generation = 0
    const condemned = new Set<string>()
    const backend: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        const result = await at.backend.create(ref, ...rest)
        if (ref.type === 'index' && generation < 2) {
          // Even what this session has just written, as if it had been fenced before.
          for (const name of await namesIn(at.backend, 'packs')) condemned.add(name)
          await plant(at.backend, at.repository.keyring, ++generation, [...condemned])
        }
        return result
      },
    }
    await at.save({}, await at.open(backend))
    expect(generation).toBe(2)
    await deletePacks(at, [...condemned])
    await expectWhole(at)
  })

  test('are never written again under their names', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 5)
    await at.save()
    const condemned = await namesIn(at.backend, 'packs')
    await plant(at.backend, at.repository.keyring, 1, condemned)
    const written: string[] = []
    const backend: Backend = {
      ...at.backend,
      create(ref, ...rest) {
        if (ref.type === 'packs') written.push(ref.name)
        return at.backend.create(ref, ...rest)
      },
    }
    await at.save({}, await at.open(backend))
    expect(written.length).toBeGreaterThan(0)
    expect(written.filter((name) => condemned.includes(name))).toEqual([])
  })

  test('and have been deleted make the parent that needs them no parent to count on', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 5)
    await at.save()
    const condemned = await namesIn(at.backend, 'packs')
    await plant(at.backend, at.repository.keyring, 1, condemned)
    await deletePacks(at, condemned)
    for (const repository of [at.repository, await at.open()]) {
      await at.save({}, repository)
      await expectWhole(at)
    }
  })
})

describe('a fence', () => {
  test('at the register makes the backup begin again with another session, and commit', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 3)
    let fenced = ''
    const backend = before(at.backend, 'snapshots', 1, async (ref) => {
      fenced = ref.name
      await at.backend.create(ref, [encodeFence(at.repository.keyring, ref.name, 0)])
    })
    const result = await at.save({}, await at.open(backend))
    expect(`0/${result.snapshotId}`).not.toBe(fenced)
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    expect(await namesIn(at.backend, 'snapshots')).toEqual([fenced, `0/${result.snapshotId}`].sort())
    const { snapshots } = await loadSnapshots(at.repository)
    expect(snapshots.map(({ id }) => id)).toEqual([result.snapshotId])
    await expectWhole(at)
  })

  test('with all packs condemned at that moment makes it store everything anew', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 3)
    await at.save()
    fill(at, 3, 5)
    let condemned: string[] = []
    const backend = before(at.backend, 'snapshots', 1, async (ref) => {
      condemned = await namesIn(at.backend, 'packs')
      await plant(at.backend, at.repository.keyring, 1, condemned)
      await at.backend.create(ref, [encodeFence(at.repository.keyring, ref.name, 0)])
    })
    await at.save({}, await at.open(backend))
    expect(condemned.length).toBeGreaterThan(1)
    await deletePacks(at, condemned)
    await expectWhole(at)
  })

  test('with what the session wrote deleted, packs and index objects, loses nothing', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 3)
    const backend = before(at.backend, 'snapshots', 1, async (ref) => {
      await at.backend.create(ref, [encodeFence(at.repository.keyring, ref.name, 0)])
      for (const type of ['packs', 'index'] as const) for (const name of await namesIn(at.backend, type)) await at.backend.remove({ type, name })
    })
    await at.save({}, await at.open(backend))
    await expectWhole(at)
  })

  test('at every session ends the backup with a word, and leaves no session and no snapshot', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 2)
    const backend: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        if (ref.type === 'snapshots') await at.backend.create(ref, [encodeFence(at.repository.keyring, ref.name, 0)])
        return at.backend.create(ref, ...rest)
      },
    }
    const error = await expectRejected(at.save({}, await at.open(backend)), 'SESSION_FENCED')
    expect(error.retryable).toBe(true)
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    expect((await loadSnapshots(at.repository)).snapshots).toEqual([])
  })
})

describe('a commit', () => {
  test('whose answer was lost counts as done', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 2)
    const backend: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        const result = await at.backend.create(ref, ...rest)
        return ref.type === 'snapshots' ? 'exists' : result
      },
    }
    const result = await at.save({}, await at.open(backend))
    expect(await namesIn(at.backend, 'snapshots')).toEqual([`0/${result.snapshotId}`])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await expectWhole(at)
  })

  test('that fails with an error leaves a register that is decided: a late one cannot land', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 2)
    let parts: readonly Uint8Array[] = []
    let name = ''
    const backend: Backend = {
      ...at.backend,
      create(ref, bytes, options) {
        if (ref.type !== 'snapshots' || name !== '') return at.backend.create(ref, bytes, options)
        name = ref.name
        parts = bytes.map((part) => part.slice())
        return Promise.reject(new BackupError('BACKEND_FAILED', 'the line went dead'))
      },
    }
    await expectRejected(at.save({}, await at.open(backend)), 'BACKEND_FAILED')
    expect(await at.backend.create({ type: 'snapshots', name }, parts)).toBe('exists')
    expect((await loadSnapshots(at.repository)).snapshots).toEqual([])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
  })

  test('that succeeded and was told as an error is a whole snapshot all the same', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 2)
    const backend: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        const result = await at.backend.create(ref, ...rest)
        if (ref.type === 'snapshots') throw new BackupError('BACKEND_FAILED', 'the line went dead')
        return result
      },
    }
    await expectRejected(at.save({}, await at.open(backend)), 'BACKEND_FAILED')
    expect((await loadSnapshots(at.repository)).snapshots).toHaveLength(1)
    await expectWhole(at)
  })
})

describe('a backup that breaks off', () => {
  test.each(['packs', 'index'] as const)('where %s cannot be written has no snapshot, and the next one is whole', async (type) => {
    await using at = await snapshotPlace()
    fill(at, 0, 4)
    const backend: Backend = {
      ...at.backend,
      create: (ref, ...rest) => (ref.type === type ? Promise.reject(new BackupError('BACKEND_FULL', 'no room')) : at.backend.create(ref, ...rest)),
    }
    await expectRejected(at.save({}, await at.open(backend)), 'BACKEND_FULL')
    expect((await loadSnapshots(at.repository)).snapshots).toEqual([])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await at.save()
    await expectWhole(at)
  })

  test('because it is aborted has no snapshot and no session', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 40)
    const controller = new AbortController()
    const reason = new Error('stopped')
    const onEvent = (event: BackupEvent): void => {
      if (event.type === 'bytes') controller.abort(reason)
    }
    await expect(at.save({ signal: controller.signal, onEvent })).rejects.toBe(reason)
    expect((await loadSnapshots(at.repository)).snapshots).toEqual([])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    await at.save()
    await expectWhole(at)
  })

  test('before it could fence itself leaves its session, for a prune to see', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 2)
    const backend: Backend = {
      ...at.backend,
      create: (ref, ...rest) => (ref.type === 'sessions' || ref.type === 'probes' ? at.backend.create(ref, ...rest) : Promise.reject(new BackupError('BACKEND_FAILED', 'gone'))),
    }
    await expectRejected(at.save({}, await at.open(backend)), 'BACKEND_FAILED')
    expect(await namesIn(at.backend, 'sessions')).toHaveLength(1)
  })

  test('because a list fails, at any step, has no snapshot', async () => {
    for (const type of ['gc', 'index', 'packs', 'snapshots']) {
      await using at = await snapshotPlace()
      fill(at, 0, 2)
      const backend: Backend = {
        ...at.backend,
        list(wanted, options) {
          if (wanted === type) throw new BackupError('BACKEND_FAILED', 'the list broke off')
          return at.backend.list(wanted, options)
        },
      }
      await expectRejected(at.save({}, await at.open(backend)), 'BACKEND_FAILED')
      expect((await loadSnapshots(at.repository)).snapshots, type).toEqual([])
    }
  })
})

describe('a store that has lost something', () => {
  test.each(['packs', 'index'] as const)('of its %s gets it back with the next backup', async (type) => {
    await using at = await snapshotPlace()
    fill(at, 0, 4)
    await at.save()
    for (const name of await namesIn(at.backend, type)) await at.backend.remove({ type, name })
    const result = await at.save()
    expect(result.summary.dataAdded).toBeGreaterThan(4 * 60_000)
    await expectWhole(at)
  })

  test('by cutting a pack short gets it back with the next backup', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 4)
    await at.save()
    for (const name of await namesIn(at.backend, 'packs')) {
      const ref = { type: 'packs', name } as const
      await replaceObject(at.backend, ref, (await at.backend.load(ref)).subarray(0, 5000))
    }
    await at.save()
    await expectWhole(at)
  })
})

describe('two backups at once', () => {
  test('into one repository from two machines both commit, and both are whole', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 30)
    const repositories = [await at.open(), await at.open()]
    const results = await Promise.all(repositories.map((repository) => at.save({}, repository)))
    const { snapshots } = await loadSnapshots(at.repository)
    expect(snapshots.map(({ id }) => id).sort()).toEqual(results.map(({ snapshotId }) => snapshotId).sort())
    for (const snapshot of snapshots) {
      const restored = await at.restoreSource(snapshot)
      expect(restored.problems).toEqual([])
      expect(look(restored.target)).toEqual(look(at.source))
    }
  })
})

describe('what is listed as a snapshot', () => {
  test('is no fence and no ghost; and a marker that anyone can make hides none', async () => {
    await using at = await snapshotPlace()
    const ids: string[] = []
    for (let i = 0; i < 4; i++) {
      fill(at, i, i + 1)
      ids.push((await at.save()).snapshotId!)
    }
    const { keyring } = at.repository
    const fence = `0/${'99'.repeat(16)}`
    await at.backend.create({ type: 'snapshots', name: fence }, [encodeFence(keyring, fence, 0)])
    await at.backend.create({ type: 'forgotten', name: `0/${ids[1]}` }, [new Uint8Array(1)])
    const verdict = { packs: [], sweep: [`0/${ids[2]}`], sweptBefore: [] }
    await at.backend.create({ type: 'gc', name: gcName(1, 'verdict') }, [encodeGcRecord(keyring, 1, 'verdict', verdict)])
    for (const repository of [at.repository, await at.open()]) {
      const listed = await loadSnapshots(repository)
      expect(listed.problems).toEqual([])
      expect(listed.snapshots.map(({ id }) => id)).toEqual([ids[0], ids[1], ids[3]])
    }
  })

  test('is nothing that cannot be read: that is a problem with a name', async () => {
    await using at = await snapshotPlace()
    fill(at, 0, 1)
    const ids = [(await at.save()).snapshotId!, (await at.save()).snapshotId!]
    const ref = { type: 'snapshots', name: `0/${ids[0]}` } as const
    const other = await at.backend.load({ type: 'snapshots', name: `0/${ids[1]}` })
    for (const bytes of [other, new Uint8Array(0), (await at.backend.load(ref)).map((byte, i) => (i > 200 ? byte ^ 1 : byte))]) {
      await replaceObject(at.backend, ref, bytes)
      const { snapshots, problems } = await loadSnapshots(await at.open())
      expect(snapshots.map(({ id }) => id)).toEqual([ids[1]])
      expect(problems).toMatchObject([{ name: ref.name }])
    }
  })
})
