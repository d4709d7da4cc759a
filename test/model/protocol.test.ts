/**
 * The protocol of commit and prune as a model: every order of steps of a few processes, with each of
 * them dying anywhere, and random orders of many. And what the model is worth: each mistake that
 * could be made is one that it finds.
 */
import { describe, expect, test } from 'vitest'
import { randomOf } from '../util/bytes-of.ts'
import { exploreAll, exploreRandom } from './explore.ts'
import { backupOf, type Mistake, type Process, pruneOf, type Rules, simple, type State } from './processes.ts'
import { emptyStore, type Store } from './store.ts'

const MOST_STATES = 1_500_000
const isLong = process.env['NACRE_TORTURE'] === '1'

interface Begin {
  readonly isForgotten?: boolean
  /** A duplicate of the snapshot's commit is still on its way. */
  readonly isLate?: boolean
  /** The blob lies in two packs. */
  readonly isTwice?: boolean
}

/** One snapshot of one blob. */
function stateOf(processes: Process[], { isForgotten = false, isLate = false, isTwice = false }: Begin = {}): State {
  const store: Store = { ...emptyStore(), packs: { p0: 'x' }, index: { i0: { states: { p0: 'x' }, replaces: [] } }, registers: { s0: 'x' }, committed: ['s0'] }
  if (isTwice) {
    store.packs['p1'] = 'x'
    store.index['i1'] = { states: { p1: 'x' }, replaces: [] }
  }
  if (isForgotten) store.forgotten.push('s0')
  if (isLate) store.late.push(['s0', 'x'])
  return { store, processes }
}

const rules = (mistake?: Mistake, repacks = false): Rules => ({ mistake, tries: 2, repacks })

/** An index object states two packs; the snapshot uses one of them. */
function halfUsed(): State {
  const state = stateOf([pruneOf('P')])
  state.store.packs['p1'] = 'y'
  state.store.index['i0']!.states['p1'] = 'y'
  return state
}

/** A plan stands, an unforget has just found none, and two prunes are about to finish the generation. */
function planned(): State {
  const state = stateOf([pruneOf('P'), pruneOf('Q'), pruneOf('R'), simple('clean', 'C'), { ...simple('unforget', 'U'), at: 'take away', know: { sid: 's0' } }], { isForgotten: true })
  state.store.plans[1] = { condemned: ['p0'], sweep: ['s0'], seen: ['s0'] }
  return state
}

describe('in every order of their steps, dying anywhere, nothing is lost by', () => {
  const small: [string, () => State, Rules][] = [
    ['a backup beside a prune that writes anew', () => stateOf([backupOf('a', 'x'), pruneOf('P')], { isForgotten: true }), rules(undefined, true)],
    ['two backups beside a prune', () => stateOf([backupOf('a', 'x'), backupOf('b', 'x'), pruneOf('P')], { isForgotten: true }), { ...rules(), tries: 1 }],
    ['a backup, a prune, a forget and an unforget', () => stateOf([backupOf('a', 'x'), pruneOf('P'), simple('forget', 'F'), simple('unforget', 'U')]), { ...rules(), tries: 1 }],
    ['two prunes and an unforget', () => stateOf([pruneOf('P'), pruneOf('Q'), simple('unforget', 'U')], { isForgotten: true }), rules()],
    ['a prune and two copies of a blob', () => stateOf([backupOf('a', 'x'), pruneOf('P'), simple('forget', 'F')], { isTwice: true }), rules(undefined, true)],
    ['a prune while a commit arrives twice', () => stateOf([pruneOf('P'), pruneOf('Q'), simple('late', 'L')], { isForgotten: true, isLate: true }), rules()],
    ['a prune of an index object of which a half is used', halfUsed, rules()],
  ]
  const large: [string, () => State, Rules][] = [
    ['a backup beside two prunes', () => stateOf([backupOf('a', 'x'), pruneOf('P'), pruneOf('Q')], { isForgotten: true }), { ...rules(), tries: 1 }],
  ]
  test.each(isLong ? [...small, ...large] : small)('%s', (_, start, how) => {
    const { states, found, isComplete } = exploreAll(start(), how, MOST_STATES)
    expect(found).toBeUndefined()
    expect(isComplete, `all states were seen (${states})`).toBe(true)
  }, 600_000)
})

/** Two backups, three prunes, a forget, an unforget and late duplicates, in numbers as they come. */
function many(): (random: () => number) => State {
  return (random) => {
    const kinds = [backupOf('a', 'xy'), backupOf('b', 'x'), pruneOf('P'), pruneOf('Q'), pruneOf('R'), simple('forget', 'F'), simple('unforget', 'U'), simple('late', 'L')]
    const processes = kinds.filter(() => random() < 0.75)
    const state = stateOf(processes, { isForgotten: random() < 0.5, isLate: random() < 0.3, isTwice: random() < 0.5 })
    if (random() < 0.5) {
      state.store.packs['p2'] = 'y'
      state.store.index['i0']!.states['p2'] = 'y'
    }
    return state
  }
}

function randomNumbers(seed: number): () => number {
  const next = randomOf(seed)
  return () => (next() >>> 0) / 2 ** 32
}

test('in random orders of many of them nothing is lost either', () => {
  const seed = Math.floor(Math.random() * 1e9)
  const { found, states } = exploreRandom(many(), rules(undefined, true), isLong ? 400_000 : 8000, randomNumbers(seed))
  expect(found, `seed ${seed}`).toBeUndefined()
  expect(states).toBeGreaterThan(100_000)
}, 3_600_000)

describe('the model finds', () => {
  const seeded: [Mistake, () => State][] = [
    ['no fence', () => stateOf([backupOf('a', 'x'), pruneOf('P')], { isForgotten: true })],
    ['condemned packs are not looked at', () => stateOf([backupOf('a', 'x'), pruneOf('P')], { isForgotten: true })],
    ['session after the index', () => stateOf([backupOf('a', 'x'), pruneOf('P')], { isForgotten: true })],
    ['verdict is overwritten', () => stateOf([pruneOf('P'), pruneOf('Q'), simple('unforget', 'U')], { isForgotten: true })],
    ['step 5 trusts step 2', () => stateOf([pruneOf('P'), simple('unforget', 'U')], { isForgotten: true })],
    ['two generations in flight', () => stateOf([pruneOf('P'), pruneOf('Q'), simple('unforget', 'U')], { isForgotten: true })],
    ['forgotten since the plan does not count', () => stateOf([backupOf('a', 'x'), pruneOf('P'), simple('forget', 'F'), simple('unforget', 'U')], { isForgotten: true })],
    ['old records are deleted', planned],
    ['no ghosts', () => stateOf([pruneOf('P'), simple('late', 'L')], { isForgotten: true, isLate: true })],
    ['index objects are replaced by halves', halfUsed],
  ]
  test.each(seeded)('the mistake: %s', (mistake, start) => {
    expect(exploreAll(start(), rules(), 40_000).found, 'without it').toBeUndefined()
    const { found } = exploreAll(start(), rules(mistake), MOST_STATES)
    expect(found).toMatch(/^(data|index|register|unforget): /)
  }, 120_000)
})
