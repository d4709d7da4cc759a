/** A repair that dies at a call to the storage, before or after it took effect; then the next one. */
import { expect, test } from 'vitest'
import { checkRepository } from '../../../src/features/check.ts'
import { copyOf } from '../../support/copied.ts'
import { Crash, withCrash } from '../../support/crashing.ts'
import { prunePlace } from '../prune/place.ts'
import { flip, largest, repairAll } from './place.ts'

/** All of them take minutes: a part each time, another one each day, and all with NACRE_TORTURE=1. */
const EVERY = process.env['NACRE_TORTURE'] === '1' ? 1 : 23
const FIRST = 1 + (Math.floor(Date.now() / 86_400_000) % EVERY)

test('whatever call a repair dies in, the next one heals everything and a prune runs', async () => {
  await using at = await prunePlace()
  at.fill(0, 6)
  await at.keep()
  at.fill(6, 9)
  await at.keep()
  for (const name of await largest(at.backend, 'index')) await flip(at.backend, 'index', name)
  await flip(at.backend, 'packs', (await largest(at.backend, 'packs'))[0]!)
  const whole = withCrash(await copyOf(at.backend))
  await repairAll(await at.open(whole.backend), at.source)
  const calls = whole.calls()
  expect(calls).toBeGreaterThan(60)
  for (let call = FIRST; call <= calls; call += EVERY) {
    const backend = await copyOf(at.backend)
    const dying = withCrash(backend, { call, isDone: call % 2 === 0 })
    await expect(at.open(dying.backend).then((repository) => repairAll(repository, at.source)), `call ${call}`).rejects.toThrow(Crash)
    const repository = await at.open(backend)
    await repairAll(repository, at.source)
    const { findings } = await checkRepository(repository, { threads: 0, readData: { kind: 'all' } })
    expect(findings.filter(({ severity }) => severity === 'error'), `call ${call}`).toEqual([])
    expect((await at.prune({ fence: true }, repository)).outcome, `call ${call}`).not.toBe('left open')
    await at.expectWhole(await at.open(backend))
  }
}, 120_000)
