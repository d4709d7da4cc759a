/** The built program, ended or stopped at a step of its own (`steps.mjs`, beside). */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Ended, type Place, PROGRAM } from './nacre.ts'
import type { Random } from './torture.ts'

const PRELOAD = resolve(import.meta.dirname, 'steps.mjs')

export interface Step {
  /** From 1. */
  readonly at: number
  readonly when: 'before' | 'after'
  /** Only steps that name a path with this in it count. */
  readonly match?: string | undefined
}

export interface SteppedEnd extends Ended {
  readonly signal: NodeJS.Signals | null
}

export interface Stepping {
  readonly pid: number
  readonly ended: Promise<SteppedEnd>
  /** Resolves when the process stands still, or has ended before its step came. */
  stopped(): Promise<'stopped' | 'ended'>
}

interface StepOptions {
  readonly step?: Step | undefined
  readonly signal?: 'SIGKILL' | 'SIGSTOP' | undefined
  readonly environment?: Record<string, string> | undefined
}

function startStepping(at: Place, args: readonly string[], { step, signal = 'SIGKILL', environment = {} }: StepOptions): Stepping {
  const steps = { STEP_FOLDER: at.repo, STEP_AT: String(step?.at ?? 0), STEP_WHEN: step?.when ?? 'before', STEP_SIGNAL: signal, ...(step?.match === undefined ? {} : { STEP_MATCH: step.match }) }
  const child = spawn(process.execPath, ['--import', PRELOAD, PROGRAM, ...args], { env: { ...at.environment, ...steps, ...environment }, cwd: at.folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  let isOver = false
  const ended = new Promise<SteppedEnd>((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, killedBy) => {
      isOver = true
      done({ code, signal: killedBy, stdout, stderr })
    })
  })
  const stopped: Stepping['stopped'] = async () => {
    while (!isOver) {
      if (stateOf(child.pid!) === 'T') return 'stopped'
      await new Promise((next) => setTimeout(next, 2))
    }
    return 'ended'
  }
  return { pid: child.pid!, ended, stopped }
}

/** `T` is a process that was stopped. */
function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

/** Runs until it kills itself at the step, or to its end where that comes first. */
export function killedAt(at: Place, step: Step, ...args: string[]): Promise<SteppedEnd> {
  return startStepping(at, args, { step }).ended
}

export function stoppingAt(at: Place, step: Step, ...args: string[]): Stepping {
  return startStepping(at, args, { step, signal: 'SIGSTOP' })
}

/** How many steps a whole run takes. */
export async function countSteps(at: Place, ...args: string[]): Promise<{ steps: number; ended: SteppedEnd }> {
  const file = join(at.folder, 'steps')
  const ended = await startStepping(at, args, { environment: { STEP_COUNT: file } }).ended
  return { steps: Number(readFileSync(file, 'utf8')), ended }
}

export function someStep(random: Random, steps: number): Step {
  return { at: 1 + random.below(steps), when: random.below(2) === 0 ? 'before' : 'after' }
}
