/** A prune as a command runs it: what it tells meanwhile, what came of it, and the exit code. */
import { formatTime, prune, type PruneEvent, type PruneOptions, type PruneResult, type PruneTotals, type Repository, shortId } from '../index.ts'
import { display } from './display.ts'
import { EXIT } from './exit-codes.ts'
import { count, duration, size } from './format.ts'
import { localTime } from './local-time.ts'
import type { Output } from './output.ts'
import { type Progress, startProgress } from './progress.ts'
import { sessionJson } from './session-json.ts'

export async function runPrune(repository: Repository, output: Output, options: PruneOptions): Promise<number> {
  const progress = startProgress(output, 'object')
  let result: PruneResult
  try {
    result = await prune(repository, { ...options, onEvent: onEvent(output, progress) })
  } finally {
    progress.stop()
  }
  if (output.isJson) output.json(summaryJson(result))
  else tell(output, result)
  return result.outcome === 'left open' ? EXIT.busy : EXIT.done
}

function onEvent(output: Output, progress: Progress): (event: PruneEvent) => void {
  return (event) => {
    if (event.type === 'bytes') progress.bytes(event.bytes)
    if (event.type === 'deleted') progress.done()
    if (output.isJson) {
      if (event.type === 'plan') output.json({ type: 'plan', ...planJson(event.plan) })
      else if (event.type === 'fenced' || event.type === 'waiting') output.json({ type: event.type, session: sessionJson(event.session) })
      else if (event.type === 'locked') output.json({ type: 'locked', object: event.object, bytes: event.bytes, until: timeJson(event.untilMs) })
      else if (event.type !== 'bytes') output.json(event)
    } else if (event.type === 'locked') {
      if (output.isVerbose) output.info(`kept ${display(event.object)}: ${lockedUntil(event.untilMs)}`)
    } else if (event.type === 'kept') output.warn(`nacre: kept ${display(event.object)}: ${display(event.reason)}`)
    else if (event.type === 'fenced') output.info(`fenced session ${event.session.sid.slice(0, 16)}${event.session.info === undefined ? '' : ` of ${display(event.session.info.host)}`}`)
    else if (event.type === 'leftovers') output.info(`removed ${count(event.files, 'leftover')} of interrupted writes, ${size(event.bytes)}`)
    else if (event.type === 'plan') tellPlan(output, event.plan)
    else if (event.type === 'step' && output.isVerbose) output.info(event.step)
  }
}

function tellPlan(output: Output, plan: PruneTotals): void {
  const { unused, repack, ofOpenSessions } = plan
  output.info(`${count(plan.before.packs, 'pack')}, ${size(plan.before.bytes)}; ${count(plan.keptSnapshots, 'snapshot')} kept, ${plan.sweep.length} to sweep${plan.recoverable > 0 ? `, ${plan.recoverable} forgotten but recoverable` : ''}`)
  output.info(`unused: ${count(unused.packs, 'pack')}, ${size(unused.bytes)}; to be written anew: ${count(repack.packs, 'pack')}, ${size(repack.bytes)}, of which ${size(plan.repackUsedBytes)} are used`)
  tellLocked(output, plan)
  output.info(`kept: ${size(plan.unusedBytesLeft)} unused in packs that are in use${ofOpenSessions.packs > 0 ? `; ${count(ofOpenSessions.packs, 'pack')}, ${size(ofOpenSessions.bytes)}, of sessions that are open` : ''}`)
}

function lockedUntil(untilMs: number | undefined): string {
  return untilMs === undefined ? 'locked' : `locked until ${localTime(BigInt(untilMs) * 1_000_000n)}`
}

function tellLocked(output: Output, { locked }: PruneTotals): void {
  if (locked.packs === 0 && locked.snapshots === 0) return
  const what = [...(locked.snapshots > 0 ? [count(locked.snapshots, 'forgotten snapshot')] : []), ...(locked.packs > 0 ? [`${count(locked.packs, 'unused pack')}, ${size(locked.bytes)}`] : [])]
  output.info(`kept because ${lockedUntil(locked.untilMs)} at the latest: ${what.join('; ')}`)
}

function planJson(plan: PruneTotals): Record<string, unknown> {
  return {
    packs: plan.before.packs, bytes: plan.before.bytes, unused_packs: plan.unused.packs, unused_bytes: plan.unused.bytes,
    repack_packs: plan.repack.packs, repack_bytes: plan.repack.bytes, repack_used_bytes: plan.repackUsedBytes,
    open_session_packs: plan.ofOpenSessions.packs, open_session_bytes: plan.ofOpenSessions.bytes, locked_packs: plan.locked.packs, locked_bytes: plan.locked.bytes,
    locked_snapshots: plan.locked.snapshots, locked_until: timeJson(plan.locked.untilMs), unused_bytes_left: plan.unusedBytesLeft,
    sweep: plan.sweep.map((name) => name.split('/')[1]), recoverable_snapshots: plan.recoverable, kept_snapshots: plan.keptSnapshots, freed_bytes: plan.freedBytes,
  }
}

function timeJson(ms: number | undefined): string | null {
  return ms === undefined ? null : formatTime(BigInt(ms) * 1_000_000n, 0)
}

function summaryJson(result: PruneResult): unknown {
  return {
    type: 'summary', outcome: result.outcome.replaceAll(' ', '_'), generation: result.generation ?? null, plan: result.plan === undefined ? null : planJson(result.plan),
    deleted_packs: result.deletedPacks, deleted_bytes: result.deletedBytes, written_bytes: result.writtenBytes, freed_bytes: result.deletedBytes - result.writtenBytes,
    swept_snapshots: result.sweptSnapshots, rescued_packs: result.rescuedPacks, locked_packs: result.lockedPacks, locked_bytes: result.lockedBytes, extended_locks: result.extendedLocks, keeps_versions: result.keepsVersions, waiting_for: result.waitingFor.map(sessionJson), duration_s: result.durationMs / 1000,
  }
}

function tell(output: Output, result: PruneResult): void {
  const { outcome, plan, waitingFor } = result
  if (result.deletedPacks > 0 || result.sweptSnapshots > 0) {
    const written = result.writtenBytes > 0 ? `, wrote ${size(result.writtenBytes)} anew` : ''
    output.info(`deleted ${count(result.deletedPacks, 'pack')}, ${size(result.deletedBytes)}${written}, swept ${count(result.sweptSnapshots, 'snapshot')} in ${duration(result.durationMs)}`)
  }
  if (result.lockedPacks > 0) output.info(`kept ${count(result.lockedPacks, 'pack')}, ${size(result.lockedBytes)}, that nothing uses any more and locks keep: a later prune deletes them`)
  if (result.extendedLocks > 0) output.info(`locked ${count(result.extendedLocks, 'object')} for longer`)
  if (result.keepsVersions && result.deletedPacks > 0) output.info('the bucket keeps what was deleted as old versions until its own rules clear them away')
  if (outcome === 'planned') output.result(`dry run: would free about ${size(plan!.freedBytes)}; nothing was changed`)
  else if (outcome === 'left open') output.result(`prune generation ${result.generation} is left open for ${waitingFor.map(({ sid, info }) => `session ${shortId(sid)}${info === undefined ? '' : ` of ${display(info.host)}`}`).join(', ')}: nothing of it is deleted yet; a later prune finishes it (${waitingFor.some(({ info }) => info?.isUnguarded === true) ? 'a session whose storage cannot create if absent is no matter of fences: when it is dead and nobody else is at work, --exclusive ends it' : '--fence does at once'})`)
  else output.result(outcome === 'nothing to do' && result.deletedPacks === 0 ? 'nothing to free' : `freed ${size(Math.max(0, result.deletedBytes - result.writtenBytes))}`)
}
