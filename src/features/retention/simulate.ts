/**
 * What a policy would leave over time, if a backup ran every so often and forget after each: the
 * best answer to "how far back could I go?". Nothing is read or written.
 */
import { BackupError } from '../../util/errors.ts'
import type { ZoneAt } from '../../util/time-zone.ts'
import { decideRetention, type Kept } from './decide.ts'
import type { RetentionPolicy } from './policy.ts'
import { addSpan, isEmptySpan, type Span } from './span.ts'
import type { RetentionSubject } from './subject.ts'

export interface SimulationOptions {
  /** The first backup. */
  readonly startNs: bigint
  /** Where it is made. */
  readonly zoneAt: ZoneAt
  readonly length: Span
  readonly every: Span
  /** How many looks are taken, the last one at the end. */
  readonly looks: number
}

export interface SimulationLook {
  readonly timeNs: bigint
  /** Backups made until then. */
  readonly made: number
  /** Newest first. */
  readonly kept: readonly { readonly timeNs: bigint; readonly reasons: readonly string[] }[]
}

const BACKUPS_LIMIT = 20_000

/** @throws {BackupError} INVALID_ARGUMENT - nothing to simulate, too much, or the policy says nothing */
export function simulateRetention(policy: RetentionPolicy, options: SimulationOptions): SimulationLook[] {
  const times = backupTimes(options)
  const lookAt = new Set(Array.from({ length: Math.min(options.looks, times.length) }, (_, i) => times.length - 1 - Math.floor((i * times.length) / Math.min(options.looks, times.length))))
  const looks: SimulationLook[] = []
  let left: RetentionSubject[] = []
  times.forEach((timeNs, at) => {
    const made: RetentionSubject = { id: String(at), startNs: timeNs, zoneMinutes: options.zoneAt(timeNs), host: '', label: '', paths: [], tags: [] }
    const [group] = decideRetention([made, ...left], policy, { nowNs: timeNs, allowEmptyGroup: true })
    const keep: readonly Kept<RetentionSubject>[] = group?.keep ?? []
    left = keep.map(({ snapshot }) => snapshot)
    if (lookAt.has(at)) looks.push({ timeNs, made: at + 1, kept: keep.map(({ snapshot, reasons }) => ({ timeNs: snapshot.startNs, reasons })) })
  })
  return looks
}

function backupTimes({ startNs, zoneAt, length, every }: SimulationOptions): bigint[] {
  if (isEmptySpan(length) || isEmptySpan(every)) throw new BackupError('INVALID_ARGUMENT', 'a simulation needs a span of time and an interval, such as --simulate 18m --every 1d')
  const endNs = addSpan(startNs, length, 1, zoneAt)
  const times: bigint[] = []
  for (;;) {
    const timeNs = addSpan(startNs, every, times.length, zoneAt)
    if (timeNs > endNs) return times
    if (times.length === BACKUPS_LIMIT) throw new BackupError('INVALID_ARGUMENT', `a simulation makes ${BACKUPS_LIMIT} backups at most; take a longer --every or a shorter --simulate`)
    times.push(timeNs)
  }
}
