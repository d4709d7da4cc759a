/**
 * Blobs that index objects state, gathered while these are read anyway: asking a set in memory takes a
 * tenth of what asking the catalogue does. Bounded: of a larger repository it knows a part, and who
 * finds a blob missing here asks the catalogue.
 */
import { IdSet } from '../util/id-set.ts'
import type { IndexObject } from '../repository/index-object.ts'
import { BLOB_RECORD_BYTES, blobCount, type PackEntry } from '../repository/pack-entry.ts'

/** 48 MB as a set, and 36 as they come. */
const BLOBS_MOST = 1_000_000

export interface StatedBlobs {
  add(index: IndexObject): void
  /** Those of packs that are there with the size that is stated. Gives back what was gathered. */
  inPacks(listed: ReadonlyMap<string, number>): IdSet
}

export function createStatedBlobs(): StatedBlobs {
  let entries: PackEntry[] = []
  let blobs = 0
  return {
    add(index) {
      for (const entry of index.packs) {
        if (blobs + blobCount(entry) > BLOBS_MOST) continue
        blobs += blobCount(entry)
        entries.push(entry)
      }
    },
    inPacks(listed) {
      const found = new IdSet()
      for (const { packId, sizeBytes, blobs } of entries) {
        if (listed.get(packId) !== sizeBytes) continue
        for (let at = 0; at < blobs.length; at += BLOB_RECORD_BYTES) found.add(blobs, at)
      }
      entries = []
      return found
    },
  }
}
