/**
 * Whatever writes to a repository dies at each of its calls to the storage, before or after the call
 * took effect: all snapshots stay whole, and the same command works the next time. Prunes and repairs
 * die so in tests of their own.
 */
import { expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { forgetSnapshots } from '../../src/features/forget.ts'
import { addKey, listKeys } from '../../src/features/keys.ts'
import { changeMarks } from '../../src/features/marks.ts'
import { unforgetSnapshot } from '../../src/features/unforget.ts'
import { createRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { BackupError, isBackupError } from '../../src/util/errors.ts'
import { prunePlace, type PrunePlace } from '../features/prune/place.ts'
import { CHEAP_KDF, PASSWORD, PERSON } from '../repository/support.ts'
import { copyOf } from '../support/copied.ts'
import { Crash, withCrash } from '../support/crashing.ts'
import { temporaryFolder } from '../support/nacre.ts'
import { count, IS_LONG } from '../support/torture.ts'
import { utf8 } from '../../src/util/bytes.ts'

/** A part of the calls each time, another one each day, and all of them with NACRE_TORTURE=1. */
const EVERY = IS_LONG ? 1 : 6
const FIRST = 1 + (Math.floor(Date.now() / 86_400_000) % EVERY)

const ACTS: Readonly<Record<string, (at: PrunePlace, repository: Repository, ids: readonly string[]) => Promise<unknown>>> = {
  backup: (at, repository) => at.save({}, repository),
  forget: (_, repository, [first]) => forgetSnapshots(repository, [`0/${first}`], { person: PERSON }),
  unforget: (_, repository, [, second]) => unforgetSnapshot(repository, `0/${second}`, { person: PERSON }),
  mark: async (at, repository) => changeMarks(repository, await at.latest(repository), { label: 'marked' }, { person: PERSON }),
  'key add': (_, repository) => addKey(repository, PASSWORD, utf8('another'), PERSON, CHEAP_KDF),
}

/** Whether it died. */
async function dies(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act()
    return false
  } catch (error) {
    // What is made of a lost answer is the command's own.
    if (!(error instanceof Crash) && !isBackupError(error)) throw error
    return true
  }
}

test.each(Object.keys(ACTS))('a %s that dies at any call loses nothing, and works the next time', async (name) => {
  await using at = await prunePlace()
  at.fill(0, 3)
  const ids = [await at.keep()]
  at.fill(1, 4, 1)
  ids.push(await at.keep())
  await at.keep()
  // Forgotten, and not yet swept: restored all the same once it is brought back.
  await forgetSnapshots(at.repository, [`0/${ids[1]}`], { person: PERSON })
  at.fill(4, 6)
  const begun = await copyOf(at.backend)
  const act = (repository: Repository): Promise<unknown> => ACTS[name]!(at, repository, ids)
  const whole = withCrash(await copyOf(begun))
  await act(await at.open(whole.backend))
  const calls = whole.calls()
  for (let call = FIRST; call <= calls; call += EVERY) {
    for (const isDone of [false, true]) {
      const note = `died at call ${call} of ${calls}, ${isDone ? 'after' : 'before'} it took effect`
      const backend = await copyOf(begun)
      const dying = withCrash(backend, { call, isDone })
      await dies(async () => act(await at.open(dying.backend)))
      expect(dying.hasCrashed(), note).toBe(true)
      count('faults')
      await using next = await at.open(backend)
      await expectSnapshots(at, next, note)
      await dies(() => act(next))
      await using fresh = await at.open(backend)
      await expectSnapshots(at, fresh, note)
      await expectDone(name, fresh, ids, note)
    }
  }
}, 900_000)

async function expectSnapshots(at: PrunePlace, repository: Repository, note: string): Promise<void> {
  const { snapshots, forgotten, problems } = await loadSnapshots(repository)
  expect(problems, note).toEqual([])
  expect(snapshots.length + forgotten.length, note).toBeGreaterThanOrEqual(3)
  for (const snapshot of [...snapshots, ...forgotten]) expect((await at.restoreSource(snapshot, {}, repository)).problems, note).toEqual([])
  count('restores', snapshots.length + forgotten.length)
}

async function expectDone(name: string, repository: Repository, ids: readonly string[], note: string): Promise<void> {
  const { snapshots, forgotten } = await loadSnapshots(repository)
  const isForgotten = (id: string): boolean => forgotten.some((snapshot) => snapshot.id === id)
  if (name === 'backup') expect(snapshots.length, note).toBeGreaterThanOrEqual(3)
  if (name === 'forget') expect(isForgotten(ids[0]!), note).toBe(true)
  if (name === 'unforget') expect(isForgotten(ids[1]!), note).toBe(false)
  if (name === 'mark') expect(snapshots.some(({ label }) => label === 'marked'), note).toBe(true)
  if (name === 'key add') expect((await listKeys(repository)).keys.length, note).toBeGreaterThanOrEqual(2)
}

test('an init that dies at any call leaves nothing that a second one does not finish or refuse to touch', async () => {
  const make = (backend: Backend): Promise<unknown> => createRepository({ backend, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF })
  const whole = withCrash(memoryBackend())
  await make(whole.backend)
  for (let call = 1; call <= whole.calls(); call++) {
    for (const isDone of [false, true]) {
      const backend = memoryBackend()
      const dying = withCrash(backend, { call, isDone })
      await expect(make(dying.backend)).rejects.toThrow()
      count('faults')
      const again = await make(backend).then(() => undefined, (error: unknown) => error)
      const opened = await openRepository({ backend, password: PASSWORD, cacheFolder: temporaryFolder() }).then((repository) => repository[Symbol.asyncDispose](), (error: unknown) => error)
      // It was made now, or it is there and opens, or both say what stands in the way.
      if (again === undefined) expect(opened, `call ${call}`).toBeUndefined()
      else expect(again, `call ${call}`).toBeInstanceOf(BackupError)
      if (opened !== undefined) expect((opened as BackupError).message, `call ${call}`).toContain('to begin anew')
    }
  }
}, 120_000)
