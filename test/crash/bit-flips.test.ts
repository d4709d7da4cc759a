/**
 * One bit anywhere: check names the object, what restores is never anything but what was saved, and
 * everything that does not lie in the damaged object is given back.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ObjectRef, ObjectType } from '../../src/backend/backend.ts'
import { checkRepository } from '../../src/features/check.ts'
import { encodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import { encodeMark } from '../../src/repository/mark.ts'
import { nowNs } from '../../src/util/clock.ts'
import { BackupError } from '../../src/util/errors.ts'
import { prunePlace, type PrunePlace } from '../features/prune/place.ts'
import { namesIn, PERSON, replaceObject } from '../repository/support.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { flipped } from '../util/bytes-of.ts'

const FLIPS = rounds(30, 1000)
const RESTORE_EVERY = 10
const TYPES: readonly ObjectType[] = ['packs', 'index', 'snapshots', 'forgotten', 'marks', 'gc', 'keys', 'config']
/** Without these nobody gets in, and that is what is said. */
const DOORS: readonly ObjectType[] = ['config', 'keys']

async function everyKind(at: PrunePlace): Promise<void> {
  at.fill(0, 4)
  const first = await at.keep()
  at.fill(2, 6, 1)
  await at.keep()
  await at.forget(first)
  const { keyring } = at.repository
  const name = `0/${first}.0`
  await at.backend.create({ type: 'marks', name }, [encodeMark(keyring, name, { timeNs: nowNs(), ...PERSON, program: 'test', label: 'marked' })])
  for (const kind of ['plan', 'verdict', 'done'] as const) await at.backend.create({ type: 'gc', name: gcName(1, kind) }, [encodeGcRecord(keyring, 1, kind, { packs: [], sweep: [], sweptBefore: [] })])
}

/** What comes back of the source is what is there, or nothing. */
async function expectNothingFalse(at: PrunePlace, note: string): Promise<void> {
  let restored
  try {
    await using fresh = await at.open()
    restored = await at.restoreSource(undefined, {}, fresh)
  } catch (error) {
    // Of a repository in which this machine finds no snapshot any more.
    expect(error, note).toBeInstanceOf(Error)
    return
  }
  for (const name of readdirSync(restored.target)) expect(readFileSync(join(restored.target, name)).equals(readFileSync(join(at.source, name))), `${name}, ${note}`).toBe(true)
  const missing = readdirSync(at.source).length - readdirSync(restored.target).length
  expect(restored.problems.length > 0, note).toBe(missing > 0)
  rmSync(restored.target, { recursive: true })
  count('restores')
}

test(`${FLIPS} flips of one bit are all found, and none comes back as other bytes`, async () => {
  const random = randomFor('bit flips')
  await using at = await prunePlace()
  await everyKind(at)
  const objects: ObjectRef[] = []
  for (const type of TYPES) for (const name of await namesIn(at.backend, type)) objects.push({ type, name } as ObjectRef)
  expect(new Set(objects.map(({ type }) => type)).size).toBe(TYPES.length)
  for (let round = 0; round < FLIPS; round++) {
    const ref = random.pick(objects)
    const whole = await at.backend.load(ref)
    const bit = random.below(whole.length * 8)
    const note = `round ${round}: bit ${bit} of ${ref.type}/${ref.name}`
    await replaceObject(at.backend, ref, flipped(whole, bit))
    count('faults')
    if (ref.type !== 'config') {
      const { findings } = await checkRepository(at.repository, { threads: 0, readData: { kind: 'all' } })
      expect(findings.filter(({ severity }) => severity === 'error').map(({ object }) => object), note).toContain(`${ref.type}/${ref.name}`)
      count('checks')
    }
    if (DOORS.includes(ref.type)) expect(await at.open().then(() => undefined, (error: unknown) => error), note).toBeInstanceOf(BackupError)
    else if (round % RESTORE_EVERY === 0) await expectNothingFalse(at, note)
    await replaceObject(at.backend, ref, whole)
  }
  const { findings } = await checkRepository(at.repository, { threads: 0, readData: { kind: 'all' } })
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
}, 7_200_000)
