/** Which snapshot a backup is compared with, and what this machine knows of it. */
import { compareBytes, fromHex } from '../util/bytes.ts'
import type { Repository } from '../repository/repository.ts'
import type { Snapshot } from './snapshot.ts'

/** The newest of the same host and paths that does not lie in the future. */
export function chooseParent(snapshots: readonly Snapshot[], host: string, paths: readonly Uint8Array[], nowNs: bigint): Snapshot | undefined {
  return snapshots.findLast((snapshot) => snapshot.host === host && snapshot.startNs <= nowNs && hasPaths(snapshot, paths))
}

export function hasPaths(snapshot: Snapshot, paths: readonly Uint8Array[]): boolean {
  return snapshot.paths.length === paths.length && snapshot.paths.every((path, i) => compareBytes(path, paths[i]!) === 0)
}

/** The host's latest by its own count, which no clock can disturb. */
export function lastOfHost(snapshots: readonly Snapshot[], host: string): Snapshot | undefined {
  let last: Snapshot | undefined
  for (const snapshot of snapshots) {
    if (snapshot.host === host && (last === undefined || snapshot.sequence > last.sequence)) last = snapshot
  }
  return last
}

const YES = Uint8Array.of(1)

/**
 * A snapshot is whole when every blob that it reaches is in this catalogue. As long as no pack
 * of the catalogue is dead, all of it may then be referred to without a look-up for each blob.
 */
export async function markWhole(repository: Repository, sid: string): Promise<void> {
  const catalogue = await repository.catalogue()
  catalogue.rows.put('whole', fromHex(sid), YES)
}

export async function isWhole(repository: Repository, sid: string): Promise<boolean> {
  const catalogue = await repository.catalogue()
  return catalogue.rows.get('whole', fromHex(sid)) !== undefined
}
