/**
 * What a walk of check found lost, and who suffers for it: all the blobs, and paths within a bound. Of
 * a repository without its packs every path of every snapshot suffers, and a hostile tree can hold any
 * number of them; whatever is passed over, each snapshot that suffers is named once.
 */
import { IdSet } from '../util/id-set.ts'
import { toHex } from '../util/bytes.ts'
import { NAMED_LIMIT, type SnapshotTrouble } from './check-snapshots.ts'
import type { Sufferer } from './finding.ts'

export interface Losses {
  readonly ids: IdSet
  /** Whether more may suffer than is named. */
  readonly isMore: boolean
  add(trouble: SnapshotTrouble): void
  /** Blobs, in hex, for which somebody is named. */
  named(): string[]
  sufferersOf(blobId: string): readonly Sufferer[]
}

/** A path may have a megabyte. */
const PATH_BYTES_LIMIT = 64 * 1024 * 1024

export function createLosses(): Losses {
  const ids = new IdSet()
  const byBlob = new Map<string, Sufferer[]>()
  const snapshots = new Set<string>()
  let [named, bytes] = [0, 0]
  const isFull = (): boolean => named >= NAMED_LIMIT || bytes >= PATH_BYTES_LIMIT
  return {
    ids,
    get isMore() {
      return isFull()
    },
    add({ blobId, snapshotId, path, part }) {
      ids.add(blobId)
      if (isFull() && snapshots.has(snapshotId)) return
      snapshots.add(snapshotId)
      named++
      bytes += path.length
      const key = toHex(blobId)
      const known = byBlob.get(key) ?? []
      byBlob.set(key, known)
      known.push(part === undefined ? { snapshotId, path } : { snapshotId, path, part })
    },
    named: () => [...byBlob.keys()],
    sufferersOf: (blobId) => byBlob.get(blobId) ?? [],
  }
}
