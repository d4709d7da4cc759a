/**
 * Does the storage do what safety rests on? It is not asked in turn but raced: two fences of other
 * bytes for one name at the same moment, of which exactly one may be told that it was created; and
 * what was created must be in the next list.
 */
import { equalBytes } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { loadObject, splitName } from './objects.ts'
import { encodeFence } from './register.ts'
import type { Repository } from './repository.ts'

/** `fenced`: another has decided the session before, and the race could not be run. */
export type FenceRace = { readonly kind: 'fit' } | { readonly kind: 'fenced' } | { readonly kind: 'unfit'; readonly reason: string }

/**
 * Fences one's own session by that race.
 * @param name - `<group>/<sid>` of an own session that will not commit
 */
export async function raceForFence(repository: Repository, name: string, signal?: AbortSignal): Promise<FenceRace> {
  const { backend, keyring } = repository
  if (backend.unguarded !== undefined) return unfitFor(backend.unguarded)
  const ref = { type: 'snapshots', name } as const
  // Asked first: once there is a register, another prune may remove the session.
  if (!(await isListed(repository, 'sessions', name, signal))) {
    return (await wasFenced(repository, name, signal)) ? { kind: 'fenced' } : unfitFor('it does not list the session that was just made')
  }
  const racers = [0, 1].map(() => encodeFence(keyring, name, splitName(name).group))
  const results = await Promise.all(racers.map((bytes) => backend.create(ref, [bytes], { signal })))
  const winners = racers.filter((_, i) => results[i] === 'created')
  // Somebody else may have fenced us before.
  if (winners.length > 1) return unfitFor('two writers of one name were both told that they made it')
  if (winners.length === 1 && !equalBytes(await loadObject(backend, ref, signal), winners[0]!)) return unfitFor('what it kept of two writers of one name is not what it acknowledged')
  if (!(await isListed(repository, 'snapshots', name, signal))) return unfitFor('it does not list what was just made')
  return { kind: 'fit' }
}

/** A session is removed only by who has found its register: it is gone, and that is there. */
async function wasFenced({ backend }: Repository, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  if ((await backend.stat({ type: 'sessions', name }, { signal })) !== undefined) return false
  return (await backend.stat({ type: 'snapshots', name }, { signal })) !== undefined
}

function unfitFor(reason: string): FenceRace {
  return { kind: 'unfit', reason }
}

export function unfit(what: string): BackupError {
  return new BackupError('PRUNE_REFUSED', `this storage cannot be pruned safely while others use it: ${what}; nothing was deleted. If nobody else uses the repository now, --exclusive prunes without this`)
}

async function isListed(repository: Repository, type: 'snapshots' | 'sessions', name: string, signal: AbortSignal | undefined): Promise<boolean> {
  for await (const info of repository.backend.list(type, { signal })) if (info.name === name) return true
  return false
}
