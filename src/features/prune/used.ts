/**
 * Which blobs are used: a slot for every id that the index states, a bit for those that a snapshot
 * refers to. Group by group, because an index object speaks for its own group only: nobody's copy of
 * a blob counts for another.
 *
 * That a blob is used follows from snapshots and trees, which never change; so the bits stay true
 * when the index is read anew, and only ids that are new are added.
 */
import { BitSet } from '../../util/bit-set.ts'
import { IdTable } from '../../util/id-table.ts'
import { toHex } from '../../util/bytes.ts'
import { BackupError, isBackupError } from '../../util/errors.ts'
import { loadIndex } from '../../repository/index-loader.ts'
import { BLOB_RECORD_BYTES } from '../../repository/pack-entry.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { openTreeReader } from '../../snapshot/tree-reader.ts'
import { walkUsedBlobs } from '../../snapshot/used-blobs.ts'

export interface GroupUse {
  readonly table: IdTable
  /** By slot. */
  readonly used: BitSet
  /** Used tree blobs whose children were met: a hostile list of data must not pass for a walk of them. */
  readonly walked: BitSet
}

export type UsedBlobs = ReadonlyMap<number, GroupUse>

const ID_BYTES = 32
/** Room for what backups add while this runs. */
const SPARE = 1.05

/**
 * Walks the snapshots, those aside that `known` has walked already.
 * @param known - from an earlier call of this run; it is changed, and given back unless it is full
 * @throws {BackupError} PRUNE_REFUSED - a snapshot needs what cannot be read or is stated nowhere
 */
export async function findUsedBlobs(repository: Repository, index: StatedIndex, snapshots: Iterable<Snapshot>, { known, signal }: { readonly known?: UsedBlobs | undefined; readonly signal?: AbortSignal | undefined } = {}): Promise<UsedBlobs> {
  // So that trees can be read: the catalogue only says where to look, and what is read is checked.
  for (const group of index.groups) await loadIndex(repository, { group, signal })
  const groups = (known && (await withIds(known, index))) ?? (await withIds(new Map(), index))!
  const trees = await openTreeReader(repository)
  for (const snapshot of snapshots) {
    const use = groups.get(snapshot.group) ?? emptyUse(0)
    const slotOf = (bytes: Uint8Array, offset: number): number => {
      const slot = use.table.find(bytes, offset)
      if (slot === -1) throw missing(snapshot, bytes, offset)
      return slot
    }
    const visitor = {
      data: (bytes: Uint8Array, offset: number) => void use.used.add(slotOf(bytes, offset)),
      tree(id: Uint8Array) {
        const slot = slotOf(id, 0)
        use.used.add(slot)
        return use.walked.add(slot)
      },
    }
    try {
      await walkUsedBlobs(trees, snapshot, visitor, signal)
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT') && !isBackupError(error, 'BLOB_MISSING')) throw error
      throw new BackupError('PRUNE_REFUSED', `snapshot ${snapshot.id.slice(0, 8)} cannot be read whole: ${error.message}; nothing was deleted, "nacre check" tells what suffers`, { cause: error, path: `snapshots/${snapshot.group}/${snapshot.id}` })
    }
  }
  return groups
}

function missing(snapshot: Snapshot, bytes: Uint8Array, offset: number): BackupError {
  const id = toHex(bytes.subarray(offset, offset + ID_BYTES))
  return new BackupError('PRUNE_REFUSED', `snapshot ${snapshot.id.slice(0, 8)} needs blob ${id.slice(0, 16)}, which no index object states; nothing was deleted, "nacre check" tells what suffers`, { path: `snapshots/${snapshot.group}/${snapshot.id}` })
}

function emptyUse(capacity: number): GroupUse {
  const table = new IdTable(capacity)
  return { table, used: new BitSet(table.slots), walked: new BitSet(table.slots) }
}

/** The tables with all ids of the index; undefined when one of them is full. */
async function withIds(known: UsedBlobs, index: StatedIndex): Promise<Map<number, GroupUse> | undefined> {
  const groups = new Map(known)
  for (const group of index.groups) {
    const use = groups.get(group) ?? emptyUse(Math.ceil(blobsOf(index, group) * SPARE))
    groups.set(group, use)
    for await (const entry of index.entries(group)) {
      for (let at = 0; at < entry.blobs.length; at += BLOB_RECORD_BYTES) {
        if (!use.table.hasRoomFor(1) && use.table.find(entry.blobs, at) === -1) return undefined
        use.table.add(entry.blobs, at)
      }
    }
  }
  return groups
}

function blobsOf(index: StatedIndex, group: number): number {
  return index.objects.reduce((sum, object) => sum + (object.group === group && !object.isReplaced ? object.blobs : 0), 0)
}
