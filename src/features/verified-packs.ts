/**
 * Which packs this machine has read whole and found sound, and when. It stands in the catalogue, so a
 * cache that is cleared forgets it, and a verification begins anew. Names of packs are hashes of their
 * bytes: what is remembered of one can be said of no other.
 */
import { dataView, fromHex } from '../util/bytes.ts'
import { nowNs } from '../util/clock.ts'
import type { Repository } from '../repository/repository.ts'

export interface VerifiedPacks {
  /** When it was last found sound. */
  at(packId: string): bigint | undefined
  /** It was found sound just now. */
  note(packId: string): void
  forget(packId: string): void
}

const TIME_BYTES = 8

export async function openVerifiedPacks(repository: Repository): Promise<VerifiedPacks> {
  const { rows } = await repository.catalogue()
  return {
    at(packId) {
      const row = rows.get('verified', fromHex(packId))
      return row?.length === TIME_BYTES ? dataView(row).getBigInt64(0, true) : undefined
    },
    note(packId) {
      const row = new Uint8Array(TIME_BYTES)
      dataView(row).setBigInt64(0, nowNs(), true)
      rows.put('verified', fromHex(packId), row)
    },
    forget: (packId) => rows.remove('verified', fromHex(packId)),
  }
}
