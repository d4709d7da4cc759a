/** Repairs while others are at work. */
import { expect, test } from 'vitest'
import type { Backend } from '../../../src/backend/backend.ts'
import { repairIndex } from '../../../src/features/repair/repair-index.ts'
import { repairPacks } from '../../../src/features/repair/repair-packs.ts'
import { namesIn } from '../../repository/support.ts'
import { prunePlace } from '../prune/place.ts'
import { APPLY, flip, largest, repairAll } from './place.ts'

/** Does something else, once, right before the n-th object of a type is made. */
function before(inner: Backend, type: string, act: () => Promise<void>): Backend {
  let isDone = false
  return {
    ...inner,
    async create(...args) {
      if (args[0].type === type && !isDone) {
        isDone = true
        await act()
      }
      return inner.create(...args)
    },
  }
}

test.each(['sessions', 'packs', 'index', 'snapshots'])('a backup that commits right before a repair makes its first object of %s loses nothing, nor does a prune afterwards', async (type) => {
  await using at = await prunePlace()
  at.fill(0, 5)
  await at.keep()
  await flip(at.backend, 'packs', (await largest(at.backend, 'packs'))[0]!)
  for (const name of await namesIn(at.backend, 'index')) await at.backend.remove({ type: 'index', name })
  const other = await at.open()
  const racing = await at.open(
    before(at.backend, type, async () => {
      at.fill(5, 8)
      await at.keep(other)
    }),
  )
  await repairAll(racing, at.source)
  // Another round for what the backup brought in meanwhile.
  await repairAll(await at.open(), at.source)
  await at.expectWhole(await at.open())
  expect((await at.prune({}, await at.open())).outcome).not.toBe('left open')
  await at.expectWhole(await at.open())
})

test('a prune beside a repair waits for it, and one that fences it makes it begin again, with nothing lost', async () => {
  await using at = await prunePlace()
  at.fill(0, 5)
  await at.keep()
  at.fill(0, 3, 1)
  await at.keep()
  for (const name of await namesIn(at.backend, 'index')) await flip(at.backend, 'index', name)
  const outcomes: string[] = []
  const racing = await at.open(
    before(at.backend, 'index', async () => {
      for (const fence of [false, true]) outcomes.push(await at.prune({ fence }).then((done) => done.outcome, (error: Error) => error.message))
    }),
  )
  await repairIndex(racing, APPLY)
  expect(outcomes.every((outcome) => outcome.includes('deletes nothing'))).toBe(true)
  await at.expectWhole(await at.open())
  const [pack] = await largest(at.backend, 'packs')
  await flip(at.backend, 'packs', pack!)
  const fenced = await at.open(
    before(at.backend, 'index', async () => {
      await at.prune({ fence: true }, await at.open()).catch(() => undefined)
    }),
  )
  await repairPacks(fenced, APPLY).catch((error: Error) => expect(error).toMatchObject({ code: 'SESSION_FENCED' }))
  await repairAll(await at.open(), at.source)
  // Files of the first snapshot have changed since, and may be lost with the pack: the second is whole.
  const restored = await at.restoreSource(await at.latest(), {}, await at.open())
  expect(restored.problems).toEqual([])
})
