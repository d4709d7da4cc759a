/** Every state that can be reached, each once; or a great many random ways through more of them. */
import { isRunning, type Rules, type State, takeStep } from './processes.ts'
import { violation } from './store.ts'

export interface Explored {
  readonly states: number
  /** What went wrong, with the steps that led there. */
  readonly found: string | undefined
  /** Whether every state was seen. */
  readonly isComplete: boolean
}

/** Of plain data. */
function copy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copy) as T
  const out: Record<string, unknown> = {}
  for (const key in value) out[key] = copy(value[key])
  return out as T
}

/** The same for states that differ in nothing but the order in which things came to be. */
function keyOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? '-'
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${name}:${keyOf((value as Record<string, unknown>)[name])}`).join()}}`
}

interface Visit {
  readonly state: State
  readonly way: Way | undefined
}

interface Way {
  readonly before: Way | undefined
  readonly step: string
}

export function exploreAll(start: State, rules: Rules, mostStates: number): Explored {
  const seen = new Set([keyOf(start)])
  const waiting: Visit[] = [{ state: start, way: undefined }]
  for (let visit = waiting.pop(); visit !== undefined; visit = waiting.pop()) {
    if (seen.size > mostStates) return { states: seen.size, found: undefined, isComplete: false }
    const { state, way } = visit
    for (const [number, process] of state.processes.entries()) {
      if (!isRunning(state, process)) continue
      const step = `${process.id} ${process.at}`
      for (let choice = 0, choices = 1; choice < choices; choice++) {
        const next = copy(state)
        choices = takeStep(next, number, choice, rules)
        const key = keyOf(next)
        if (seen.has(key)) continue
        seen.add(key)
        const here = { before: way, step: choices > 1 ? `${step} (${choice})` : step }
        const found = violation(next.store, rules.mistake !== 'no ghosts')
        if (found !== undefined) return { states: seen.size, found: `${found}: ${told(here)}`, isComplete: false }
        waiting.push({ state: next, way: here })
      }
    }
  }
  return { states: seen.size, found: undefined, isComplete: true }
}

function told(way: Way): string {
  const steps: string[] = []
  for (let at: Way | undefined = way; at !== undefined; at = at.before) steps.unshift(at.step)
  return steps.join(', ')
}

/**
 * Random ways with few switches between the processes, where exhausting all is out of reach.
 * @param random - numbers from 0 to 1
 */
export function exploreRandom(makeStart: (random: () => number) => State, rules: Rules, schedules: number, random: () => number): Explored {
  let states = 0
  for (let i = 0; i < schedules; i++) {
    const state = makeStart(random)
    const steps: string[] = []
    let order = state.processes.map(() => random())
    const dead = new Set<number>()
    const isUniform = random() < 0.4
    for (;;) {
      const running = [...state.processes.keys()].filter((number) => !dead.has(number) && isRunning(state, state.processes[number]!))
      if (running.length === 0) break
      const number = isUniform || random() < 0.08 ? running[Math.floor(random() * running.length)]! : running.reduce((best, other) => (order[other]! > order[best]! ? other : best))
      if (random() < 0.05) order = order.map((priority, at) => (at === number ? random() * 0.5 : priority))
      if (random() < 0.012) {
        dead.add(number)
        continue
      }
      const process = state.processes[number]!
      steps.push(`${process.id} ${process.at}`)
      takeRandom(state, number, rules, random)
      states++
      const found = violation(state.store, rules.mistake !== 'no ghosts')
      if (found !== undefined) return { states, found: `${found}: ${steps.join(', ')}`, isComplete: false }
    }
  }
  return { states, found: undefined, isComplete: false }
}

function takeRandom(state: State, number: number, rules: Rules, random: () => number): void {
  const trial = copy(state)
  const choices = takeStep(trial, number, 0, rules)
  const choice = Math.floor(random() * choices)
  if (choice === 0) Object.assign(state, trial)
  else takeStep(state, number, choice, rules)
}
