/** Tree blobs by way of the hot frames: opened by the workers, as all else. */
import type { BlobReader } from '../../repository/blob-reader.ts'
import type { Repository } from '../../repository/repository.ts'
import type { FrameStore } from './frame-store.ts'

export async function treesFromFrames(repository: Repository, frames: FrameStore): Promise<BlobReader> {
  const catalogue = await repository.catalogue()
  return {
    // A copy: the frame is somebody else's as soon as this is over.
    load: (type, id) => frames.read(type, [{ id, length: catalogue.place(id, 0)?.length ?? 0 }], ([bytes]) => (bytes ?? new Uint8Array(0)).slice()),
  }
}
