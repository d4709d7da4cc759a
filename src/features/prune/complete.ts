/**
 * Are the lists whole? Whatever a list lacks would lose its blobs, so what can be known of it from
 * elsewhere is held against it: what the last plan saw, and what snapshots say of each other.
 */
import { BackupError } from '../../util/errors.ts'
import type { FoundRecord, Generation } from '../../repository/gc-generations.ts'
import type { RegisterList } from '../../snapshot/registers.ts'

export interface CompleteOptions {
  /** The last generation that has a plan. */
  readonly last: Generation | undefined
  readonly swept: ReadonlySet<string>
  /** Snapshots, by id, that are given up. */
  readonly lost: readonly string[]
  /** Names of those that are to be swept: nobody needs to read them any more. */
  readonly sweep: ReadonlySet<string>
}

/**
 * @returns names of snapshots that are missing and given up: from now on they count as swept
 * @throws {BackupError} PRUNE_REFUSED
 */
export function requireComplete(registers: RegisterList, options: CompleteOptions): string[] {
  const givenUp = new Set<string>()
  const [problem] = registers.problems.filter(({ name }) => !options.sweep.has(name))
  if (problem !== undefined) throw new BackupError('PRUNE_REFUSED', `snapshots/${problem.name} cannot be read (${problem.message}); prune cannot know what it uses and deletes nothing. Put a copy of it back, or forget it by its whole id`, { path: `snapshots/${problem.name}` })
  const isExplained = (name: string): boolean => {
    if (registers.listed.has(name) || options.swept.has(name)) return true
    if (!options.lost.some((id) => id !== '' && name.split('/')[1]!.startsWith(id))) return false
    givenUp.add(name)
    return true
  }
  for (const name of seenBefore(options.last)) if (!isExplained(name)) throw lacks(name, 'the last prune saw it, and none swept it')
  for (const snapshot of registers.snapshots.values()) {
    if (snapshot.previous === undefined) continue
    const name = `${snapshot.group}/${snapshot.previous}`
    if (!isElsewhere(registers, options, snapshot.previous) && !isExplained(name)) throw lacks(name, `snapshot ${snapshot.id.slice(0, 8)} names it as the one before, and no prune swept it`)
  }
  return [...givenUp]
}

/** An owner's backup may follow one of another group. */
function isElsewhere(registers: RegisterList, { swept }: CompleteOptions, sid: string): boolean {
  return [...registers.listed, ...swept].some((name) => name.endsWith(`/${sid}`))
}

function lacks(name: string, why: string): BackupError {
  const id = name.split('/')[1]!
  return new BackupError('PRUNE_REFUSED', `the list of snapshots lacks ${id.slice(0, 8)}: ${why}; nothing was deleted. If the storage has lost it for good, --lost ${id} goes on without it; "nacre recover" may find its files`, { path: `snapshots/${name}` })
}

function seenBefore(last: Generation | undefined): string[] {
  if (!isRecord(last?.plan)) return []
  // Named for sweeping, and not swept: it was unforgotten in time.
  const stayed = isRecord(last.verdict) ? last.plan.sweep.filter((name) => !(last.verdict as { sweep: readonly string[] }).sweep.includes(name)) : last.plan.sweep
  return [...(last.plan.kept ?? []), ...stayed]
}

function isRecord(record: FoundRecord): record is Exclude<FoundRecord, 'damaged' | undefined> {
  return record !== undefined && record !== 'damaged'
}
