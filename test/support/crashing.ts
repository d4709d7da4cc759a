/**
 * A backend that dies with its process: at the n-th call it stops, before or after that call took
 * effect, and everything that is asked of it afterwards fails too. What was stored stays with the
 * backend below. Trying a storage, which a backup does once, is not counted.
 */
import type { Backend, ObjectInfo, ObjectType } from '../../src/backend/backend.ts'

export class Crash extends Error {}

export interface CrashPoint {
  /** From 1. */
  readonly call: number
  /** Whether the call that it dies in has taken effect: the answer was lost. */
  readonly isDone: boolean
}

export interface Crashing {
  readonly backend: Backend
  /** Calls so far. */
  calls(): number
  hasCrashed(): boolean
}

export function withCrash(inner: Backend, point?: CrashPoint): Crashing {
  let calls = 0
  let isDead = false
  const step = async <T>(type: ObjectType, act: () => Promise<T>): Promise<T> => {
    if (isDead) throw new Crash('dead')
    if (type === 'probes') return act()
    if (++calls !== point?.call) return act()
    isDead = true
    if (point.isDone) await act()
    throw new Crash(`died at call ${point.call}`)
  }
  return {
    calls: () => calls,
    hasCrashed: () => isDead,
    backend: {
      ...inner,
      create: (...args) => step(args[0].type, () => inner.create(...args)),
      load: (...args) => step(args[0].type, () => inner.load(...args)),
      stat: (...args) => step(args[0].type, () => inner.stat(...args)),
      remove: (...args) => step(args[0].type, () => inner.remove(...args)),
      async *list(...args) {
        const found: ObjectInfo[] = []
        await step(args[0], async () => {
          for await (const info of inner.list(...args)) found.push(info)
        })
        yield* found
      },
    },
  }
}
