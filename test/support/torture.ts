/**
 * How long the tests that try to lose data run, and what they count. CI runs a few rounds of each;
 * `scripts/torture` runs them all, with a seed and a number of rounds of its own, and adds up what
 * they did.
 */
import { appendFileSync } from 'node:fs'
import { onTestFailed } from 'vitest'

export const IS_LONG = process.env['NACRE_TORTURE'] === '1'

/** Every run has another seed, which is shown when it fails. */
export const SEED = process.env['NACRE_TORTURE_SEED'] ?? String(Math.floor(Math.random() * 2 ** 31))

export function rounds(short: number, long: number): number {
  if (!IS_LONG) return short
  const given = Number(process.env['NACRE_TORTURE_ROUNDS'] ?? long)
  return Math.max(1, given)
}

export type Counted = 'runs' | 'kills' | 'stops' | 'faults' | 'inputs' | 'checks' | 'restores'

/** For the sums at the end. */
export function count(what: Counted, by = 1): void {
  const file = process.env['NACRE_TORTURE_TALLY']
  if (file !== undefined) appendFileSync(file, `${what} ${by}\n`)
}

export interface Random {
  /** 0 to below the limit. */
  below(limit: number): number
  pick<T>(items: readonly T[]): T
}

/** The same numbers for the same seed and name; a test that fails says what they were. */
export function randomFor(name: string): Random {
  onTestFailed(() => console.error(`${name}: scripts/torture --seed ${SEED} begins the same way`))
  let state = [...`${SEED} ${name}`].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7) >>> 0
  // Mulberry32.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { below, pick: (items) => items[below(items.length)]! }
}
