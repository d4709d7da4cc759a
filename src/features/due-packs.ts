/**
 * Packs that are due to be verified, the longest unverified first: so that a verification that is cut
 * off each time comes round in the end. A time in the future counts as none.
 */
import { nowNs } from '../util/clock.ts'
import type { PackEntry } from '../repository/pack-entry.ts'
import type { Repository } from '../repository/repository.ts'
import { readStatedIndex } from '../repository/stated-index.ts'
import type { VerifiedPacks } from './verified-packs.ts'

const NEVER = -1n

/** Those that were not found sound within that time. */
export function duePacks(packIds: Iterable<string>, verified: VerifiedPacks, maxAgeMs: number | undefined): Set<string> {
  const now = nowNs()
  const youngest = maxAgeMs === undefined ? undefined : now - BigInt(Math.round(maxAgeMs)) * 1_000_000n
  return new Set(
    [...packIds].filter((packId) => {
      const at = verified.at(packId)
      return youngest === undefined || at === undefined || at > now || at <= youngest
    }),
  )
}

/** @param isOver - asked before each: whether it is enough */
export async function* entriesByAge(repository: Repository, due: ReadonlySet<string>, { verified, isOver, signal }: { readonly verified: VerifiedPacks; readonly isOver: () => boolean; readonly signal?: AbortSignal | undefined }): AsyncGenerator<{ entry: PackEntry; group: number }> {
  const index = await readStatedIndex(repository, signal, { tolerant: true })
  const places = new Map<string, { readonly object: string; readonly group: number; readonly at: bigint }>()
  for (const { name, group, packs, isReplaced } of index.objects) {
    if (isReplaced) continue
    for (const { packId } of packs) if (due.has(packId) && !places.has(packId)) places.set(packId, { object: name, group, at: verified.at(packId) ?? NEVER })
  }
  // Of equal age those that one object states, which is then read once.
  const order = [...places].sort(([, a], [, b]) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.object < b.object ? -1 : a.object > b.object ? 1 : 0))
  for (const [packId, { object, group }] of order) {
    if (isOver()) return
    const entry = (await index.read(object)).packs.find((pack) => pack.packId === packId)
    if (entry !== undefined) yield { entry, group }
  }
}
