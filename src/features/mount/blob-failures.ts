/**
 * Blobs that the ordinary way did not give: looked for in all places, and where they are in none that
 * is remembered for a while, as programs ask for a bad page again and again.
 */
import { monotonicMs } from '../../util/clock.ts'
import { isBackupError } from '../../util/errors.ts'
import { toHex } from '../../util/bytes.ts'
import { type BlobReader, openBlobReader } from '../../repository/blob-reader.ts'
import type { BlobType } from '../../repository/format.ts'
import type { Repository } from '../../repository/repository.ts'

/** A damaged blob may be mended, and an index may come to tell of another place. */
const REMEMBERED_MS = 30_000
const REMEMBERED_MOST = 1000

export interface BlobRescuer {
  /** @throws {BackupError} BLOB_MISSING, CORRUPT - with the pack; or what the storage says */
  rescue(type: BlobType, id: Uint8Array): Promise<Uint8Array>
}

export function createBlobRescuer(repository: Repository): BlobRescuer {
  const failures = new Map<string, { readonly error: Error; readonly untilMs: number }>()
  let reader: { readonly opened: Promise<BlobReader>; readonly untilMs: number } | undefined

  return {
    async rescue(type, id) {
      const now = monotonicMs()
      const key = toHex(id)
      const failure = failures.get(key)
      if (failure !== undefined && failure.untilMs > now) throw failure.error
      // A reader loads the index again once in its life: packs move whenever there is a prune.
      if (reader === undefined || reader.untilMs <= now) reader = { opened: openBlobReader(repository), untilMs: now + REMEMBERED_MS }
      try {
        return await (await reader.opened).load(type, id)
      } catch (error) {
        if (isBackupError(error, 'CORRUPT') || isBackupError(error, 'BLOB_MISSING')) {
          if (failures.size >= REMEMBERED_MOST) failures.clear()
          failures.set(key, { error, untilMs: now + REMEMBERED_MS })
        }
        throw error
      }
    },
  }
}
