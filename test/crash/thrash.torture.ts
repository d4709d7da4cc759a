/**
 * Writers, a forget and prunes, each a process of its own, all at once on one repository and on the
 * clocks of different decades. Nothing waits for anything; at the end everything that was committed and
 * that nobody forgot is there.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { running } from '../support/async-nacre.ts'
import { lastJson, place, type Ended, type Place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { count, IS_LONG, type Random, randomFor, rounds } from '../support/torture.ts'
import { init } from './stories.ts'
import { createWitness } from './witness.ts'

const WRITERS = IS_LONG ? 8 : 2
const PRUNERS = IS_LONG ? 2 : 1
const ROUNDS = rounds(2, 12)
const YEARS_MS = 10 * 365 * 86_400_000
const HOURS_MS = 2 * 3_600_000
const FILES = 12

/** Its own process, and its own clock. */
function withClock(at: Place, shiftMs: number, jumpMs: number): Place {
  const preload = `--import=${resolve(import.meta.dirname, '../support/clock.mjs')}`
  return { ...at, environment: { ...at.environment, NODE_OPTIONS: preload, CLOCK_SHIFT_MS: String(shiftMs), CLOCK_JUMP_MS: String(jumpMs) } }
}

/** Files that writers share, and some of their own. */
function write(source: string, writer: number, round: number, random: Random): void {
  mkdirSync(source, { recursive: true })
  for (let i = 0; i < FILES; i++) writeFileSync(join(source, `shared-${i}`), seededBytes(`shared ${random.below(40)}`, 15_000))
  for (let i = 0; i < 3; i++) writeFileSync(join(source, `own-${i}`), seededBytes(`${writer} ${round} ${i}`, 30_000))
}

interface Outcomes {
  backups: number
  fenced: number
  forgets: number
  prunes: number
}

test.each([
  ['one clock', () => 0, 0],
  ['clocks that are ten years off, and jump', (writer: number) => (writer % 3 - 1) * YEARS_MS, HOURS_MS],
] as const)(`${WRITERS} writers beside forgets and ${PRUNERS} prunes, with %s, lose nothing`, async (name, shiftOf, jumpMs) => {
  const random = randomFor(`thrash with ${name}`)
  const at = place()
  await init(at)
  const outcomes: Outcomes = { backups: 0, fenced: 0, forgets: 0, prunes: 0 }
  const committed = new Map<string, { source: string; copy: string }>()
  const forgotten = new Set<string>()
  let writing = WRITERS

  const writer = async (number: number): Promise<void> => {
    const own = withClock(at, shiftOf(number), jumpMs)
    const source = join(at.folder, `source-${number}`)
    for (let round = 0; round < ROUNDS; round++) {
      write(source, number, round, random)
      const ended = await running(own, 'backup', source, '--json', '--threads', '1', '--host', `host-${number}`)
      count('runs')
      if (ended.code === 11) outcomes.fenced++
      else {
        expect(ended, `backup ${round} of writer ${number}`).toMatchObject({ code: 0 })
        const id = String(lastJson(ended.stdout)['snapshot_id'])
        const copy = join(at.folder, 'copies', id)
        cpSync(source, copy, { recursive: true })
        committed.set(id, { source, copy })
        outcomes.backups++
      }
      if (round % 2 === 0) continue
      const forget = await running(own, 'forget', '--host', `host-${number}`, '--keep-last', '1', '--json')
      count('runs')
      expect(forget, `forget ${round} of writer ${number}`).toMatchObject({ code: 0 })
      for (const { remove } of JSON.parse(forget.stdout) as { remove: { id: string }[] }[]) for (const { id } of remove) forgotten.add(id)
      outcomes.forgets++
    }
    writing--
  }

  const pruner = async (number: number): Promise<void> => {
    const own = withClock(at, shiftOf(number + 1), jumpMs)
    for (let round = 0; writing > 0; round++) {
      const patience = (round + number) % 3 === 0 ? ['--fence'] : []
      const ended = await running(own, 'prune', '--max-unused', '0', '--threads', '1', ...patience)
      count('runs')
      expectAccepted(ended)
      if (ended.code === 0) outcomes.prunes++
    }
  }

  await Promise.all([...Array.from({ length: WRITERS }, (_, i) => writer(i)), ...Array.from({ length: PRUNERS }, (_, i) => pruner(i))])
  const finished = await running(at, 'prune', '--max-unused', '0', '--fence')
  expect(finished).toMatchObject({ code: 0 })
  expect(outcomes.backups).toBeGreaterThan(0)
  expect(outcomes.forgets).toBeGreaterThan(0)
  const witness = createWitness(at, at.folder)
  for (const [id, { source, copy }] of committed) if (!forgotten.has(id)) witness.remember(id, copy, source)
  await witness.expectWhole(`${JSON.stringify(outcomes)}, with ${name}`)
}, 7_200_000)

/** Others may be first each time; that is told, and nothing is lost by it. */
function expectAccepted(ended: Ended): void {
  if (ended.code === 1) expect(ended.stderr).toMatch(/other prunes are at work|another prune is at work/)
  else expect([0, 11], ended.stderr).toContain(ended.code)
}
