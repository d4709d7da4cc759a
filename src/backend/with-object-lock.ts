/**
 * Locks what a repository cannot do without for a time that begins when it is stored: packs, index
 * objects and registers, and the config and the key slots, without which nobody could read the rest.
 * What comes and goes (sessions, markers, probes, records of prunes) is not locked: losing it loses
 * no snapshot.
 *
 * A copy of the repository on storage without locks is used as any other.
 */
import { nowNs } from '../util/clock.ts'
import type { Backend, LockMode, ObjectType } from './backend.ts'

export interface LockSetting {
  readonly mode: LockMode
  readonly spanMs: number
}

const LOCKED: ReadonlySet<ObjectType> = new Set(['config', 'keys', 'packs', 'index', 'snapshots'])

export function withObjectLock(inner: Backend, { mode, spanMs }: LockSetting): Backend {
  if (inner.lockOf === undefined) return inner
  return {
    ...inner,

    async create(ref, parts, options = {}) {
      if (!LOCKED.has(ref.type)) return inner.create(ref, parts, options)
      return inner.create(ref, parts, { ...options, lock: { mode, untilMs: lockEndMs(spanMs) } })
    },
  }
}

/** When a lock of that span ends that begins now; in whole seconds, as services keep it. */
export function lockEndMs(spanMs: number): number {
  return Math.ceil((Number(nowNs() / 1_000_000n) + spanMs) / 1000) * 1000
}
