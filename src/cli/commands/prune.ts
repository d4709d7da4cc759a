import { BackupError, type MaxUnused, prune, type PruneEvent, type PruneOptions, type PruneResult, type PruneTotals, shortId } from '../../index.ts'
import type { Arguments, Command } from '../command.ts'
import { display } from '../display.ts'
import { EXIT } from '../exit-codes.ts'
import { count, duration, parseDuration, parseSize, size } from '../format.ts'
import type { Output } from '../output.ts'
import { person } from '../person.ts'
import { type Progress, startProgress } from '../progress.ts'
import { threadsOf } from './backup.ts'
import { sessionJson } from './sessions.ts'

export const command: Command = {
  usage: 'prune',
  summary: 'Frees what no snapshot uses. Backups go on meanwhile, here and on other machines; a prune that was interrupted is finished by the next one.',
  example: ['-r /backup/repo prune --dry-run', 'tell what would be freed'],
  options: {
    'dry-run': { kind: 'flag', describe: 'tell what would be done, and do nothing' },
    'max-unused': { kind: 'text', value: '5%|SIZE|unlimited', describe: 'how much unused data may stay in packs that are in use (5%)' },
    'max-repack': { kind: 'text', value: 'SIZE', describe: 'write packs of so many bytes anew at most' },
    'repack-small': { kind: 'flag', describe: 'put small packs together' },
    'keep-recoverable': { kind: 'text', value: '7d', describe: 'keep snapshots that were forgotten less than this ago' },
    'fence-after': { kind: 'text', value: '24h', describe: 'take a session that has been open this long for dead (24h)' },
    fence: { kind: 'flag', describe: 'fence every open session at once; a backup that is alive begins again by itself' },
    exclusive: { kind: 'flag', describe: 'nobody else uses the repository now: for storage that cannot be pruned otherwise' },
    lost: { kind: 'texts', value: 'ID', describe: 'go on without this snapshot, which the storage has lost (may be repeated)' },
    threads: { kind: 'text', value: 'N', describe: 'worker threads; 0 works without any (one per core)' },
  },
  positionals: [0, 0],
  outlivesReader: true,
  async run({ args, output, signal, openRepository }) {
    const options = optionsOf(args)
    const repository = await openRepository()
    const progress = startProgress(output, 'object')
    let result: PruneResult
    try {
      result = await prune(repository, { ...options, signal, onEvent: onEvent(output, progress) })
    } finally {
      progress.stop()
    }
    if (output.isJson) output.json(summaryJson(result))
    else tell(output, result)
    return result.outcome === 'left open' ? EXIT.busy : EXIT.done
  },
}

function optionsOf(args: Arguments): PruneOptions {
  const maxRepack = args.text('max-repack')
  const maxRepackBytes = maxRepack === undefined ? undefined : parseSize(maxRepack)
  if (maxRepack !== undefined && maxRepackBytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--max-repack takes a size such as 2G, not "${maxRepack}"`)
  return {
    person: person(),
    threads: threadsOf(args),
    dryRun: args.flag('dry-run'),
    exclusive: args.flag('exclusive'),
    maxUnused: maxUnusedOf(args.text('max-unused')),
    maxRepackBytes,
    repackSmall: args.flag('repack-small'),
    keepRecoverableMs: durationOf(args, 'keep-recoverable', '7d'),
    fenceAfterMs: durationOf(args, 'fence-after', '24h'),
    fence: args.flag('fence'),
    lost: args.texts('lost').map(lostId),
  }
}

function lostId(text: string): string {
  if (!/^[0-9a-fA-F]{8,32}$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--lost takes the id of a snapshot, eight digits of it at least, not "${text}"`)
  return text.toLowerCase()
}

function durationOf(args: Arguments, name: string, such: string): number | undefined {
  const text = args.text(name)
  const ms = text === undefined ? undefined : parseDuration(text)
  if (text !== undefined && ms === undefined) throw new BackupError('INVALID_ARGUMENT', `--${name} takes a time such as ${such} (d, h, min, s, and combined: 1d12h), not "${text}"`)
  return ms
}

function maxUnusedOf(text: string | undefined): MaxUnused | undefined {
  if (text === undefined) return undefined
  if (text === 'unlimited') return { kind: 'unlimited' }
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent !== undefined && Number(percent) <= 100) return { kind: 'percent', percent: Number(percent) }
  const bytes = parseSize(text)
  if (bytes === undefined) throw new BackupError('INVALID_ARGUMENT', `--max-unused takes a share (5%), a size (500M) or unlimited, not "${text}"`)
  return { kind: 'bytes', bytes }
}

function onEvent(output: Output, progress: Progress): (event: PruneEvent) => void {
  return (event) => {
    if (event.type === 'bytes') progress.bytes(event.bytes)
    if (event.type === 'deleted') progress.done()
    if (output.isJson) {
      if (event.type === 'plan') output.json({ type: 'plan', ...planJson(event.plan) })
      else if (event.type === 'fenced' || event.type === 'waiting') output.json({ type: event.type, session: sessionJson(event.session) })
      else if (event.type !== 'bytes') output.json(event)
    } else if (event.type === 'kept') output.warn(`nacre: kept ${display(event.object)}: ${display(event.reason)}`)
    else if (event.type === 'fenced') output.info(`fenced session ${event.session.sid.slice(0, 16)}${event.session.info === undefined ? '' : ` of ${display(event.session.info.host)}`}`)
    else if (event.type === 'plan') tellPlan(output, event.plan)
    else if (event.type === 'step' && output.isVerbose) output.info(event.step)
  }
}

function tellPlan(output: Output, plan: PruneTotals): void {
  const { unused, repack, ofOpenSessions } = plan
  output.info(`${count(plan.before.packs, 'pack')}, ${size(plan.before.bytes)}; ${count(plan.keptSnapshots, 'snapshot')} kept, ${plan.sweep.length} to sweep${plan.recoverable > 0 ? `, ${plan.recoverable} forgotten but recoverable` : ''}`)
  output.info(`unused: ${count(unused.packs, 'pack')}, ${size(unused.bytes)}; to be written anew: ${count(repack.packs, 'pack')}, ${size(repack.bytes)}, of which ${size(plan.repackUsedBytes)} are used`)
  output.info(`kept: ${size(plan.unusedBytesLeft)} unused in packs that are in use${ofOpenSessions.packs > 0 ? `; ${count(ofOpenSessions.packs, 'pack')}, ${size(ofOpenSessions.bytes)}, of sessions that are open` : ''}`)
}

function planJson(plan: PruneTotals): Record<string, unknown> {
  return {
    packs: plan.before.packs, bytes: plan.before.bytes, unused_packs: plan.unused.packs, unused_bytes: plan.unused.bytes,
    repack_packs: plan.repack.packs, repack_bytes: plan.repack.bytes, repack_used_bytes: plan.repackUsedBytes,
    open_session_packs: plan.ofOpenSessions.packs, open_session_bytes: plan.ofOpenSessions.bytes, unused_bytes_left: plan.unusedBytesLeft,
    sweep: plan.sweep.map((name) => name.split('/')[1]), recoverable_snapshots: plan.recoverable, kept_snapshots: plan.keptSnapshots, freed_bytes: plan.freedBytes,
  }
}

function summaryJson(result: PruneResult): unknown {
  return {
    type: 'summary', outcome: result.outcome.replaceAll(' ', '_'), generation: result.generation ?? null, plan: result.plan === undefined ? null : planJson(result.plan),
    deleted_packs: result.deletedPacks, deleted_bytes: result.deletedBytes, written_bytes: result.writtenBytes, freed_bytes: result.deletedBytes - result.writtenBytes,
    swept_snapshots: result.sweptSnapshots, rescued_packs: result.rescuedPacks, waiting_for: result.waitingFor.map(sessionJson), duration_s: result.durationMs / 1000,
  }
}

function tell(output: Output, result: PruneResult): void {
  const { outcome, plan, waitingFor } = result
  if (result.deletedPacks > 0 || result.sweptSnapshots > 0) {
    const written = result.writtenBytes > 0 ? `, wrote ${size(result.writtenBytes)} anew` : ''
    output.info(`deleted ${count(result.deletedPacks, 'pack')}, ${size(result.deletedBytes)}${written}, swept ${count(result.sweptSnapshots, 'snapshot')} in ${duration(result.durationMs)}`)
  }
  if (outcome === 'planned') output.result(`dry run: would free about ${size(plan!.freedBytes)}; nothing was changed`)
  else if (outcome === 'left open') output.result(`prune generation ${result.generation} is left open for ${waitingFor.map(({ sid, info }) => `session ${shortId(sid)}${info === undefined ? '' : ` of ${display(info.host)}`}`).join(', ')}: nothing of it is deleted yet; a later prune finishes it (--fence does at once)`)
  else output.result(outcome === 'nothing to do' && result.deletedPacks === 0 ? 'nothing to free' : `freed ${size(Math.max(0, result.deletedBytes - result.writtenBytes))}`)
}
