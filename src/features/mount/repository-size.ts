/** What the file system says of its size: what the repository stores, nothing of which is free. */
import type { FileSystemSize } from '../../fuse/replies.ts'
import type { Repository } from '../../repository/repository.ts'
import type { SnapshotSource } from './snapshot-source.ts'

const BLOCK_BYTES = 4096

export async function repositorySize(repository: Repository, source: SnapshotSource): Promise<() => FileSystemSize> {
  const catalogue = await repository.catalogue()
  const snapshots = (await source.layout()).entries.get('snapshots')
  let files = 0
  if (snapshots?.kind === 'folder') for (const entry of snapshots.entries.values()) if (entry.kind === 'snapshot') files += entry.snapshot.summary.totalFiles
  return () => {
    let stored = 0
    for (const pack of catalogue.packs()) stored += pack.sizeBytes
    return { blockBytes: BLOCK_BYTES, blocks: Math.ceil(stored / BLOCK_BYTES), files }
  }
}
