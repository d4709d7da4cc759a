/**
 * Index objects without the packs that a verdict deletes. An object that names one is restated by
 * another, which names it as replaced; the old one stays until the next generation, for those who
 * have it in a list. A new object restates whole old ones, never a part of one: so whoever sees it
 * sees all that the replaced ones said. What is written comes from bytes that were read and verified
 * in this run.
 */
import { throwIfAborted } from '../../util/errors.ts'
import { encodeIndex } from '../../repository/index-object.ts'
import { createHashed, splitName } from '../../repository/objects.ts'
import type { PackEntry } from '../../repository/pack-entry.ts'
import type { Repository } from '../../repository/repository.ts'
import type { StatedIndex, StatedObject } from '../../repository/stated-index.ts'

/** As many as a backup puts into one. */
const BLOBS_PER_INDEX = 200_000
/** Fewer are left alone: to merge makes everybody read the same again. */
const SMALL_OBJECTS = 32
const SMALL_BLOBS = BLOBS_PER_INDEX / 8

export async function replaceIndexObjects(repository: Repository, index: StatedIndex, deleted: ReadonlySet<string>, signal?: AbortSignal): Promise<void> {
  for (const bin of chooseBins(index.objects, deleted)) {
    throwIfAborted(signal)
    const packs = new Map<string, PackEntry>()
    for (const object of bin) {
      for (const entry of (await index.read(object.name)).packs) {
        if (!deleted.has(entry.packId)) packs.set(`${entry.packId} ${entry.sizeBytes} ${entry.blobs.length}`, entry)
      }
    }
    const { group } = bin[0]!
    // What is damaged has no restatement of its own: whoever takes the place of its replacement goes on replacing it.
    const damaged = index.objects.filter((object) => object.isDamaged && object.group === group)
    const replaces = [...bin, ...damaged].map((object) => splitName(object.name).id)
    const { name, bytes } = encodeIndex(repository.keyring, group, { packs: [...packs.values()], replaces })
    await createHashed(repository.backend, { type: 'index', name }, bytes, { what: 'no pack was deleted; the next prune finishes this one', signal })
  }
}

/** Which objects are restated together: pure, so that it can be looked at. */
export function chooseBins(objects: readonly StatedObject[], deleted: ReadonlySet<string>): StatedObject[][] {
  const current = objects.filter((object) => !object.isReplaced)
  const bins: StatedObject[][] = []
  for (const group of new Set(current.map((object) => object.group))) {
    const own = current.filter((object) => object.group === group)
    const touched = own.filter((object) => object.packs.some((pack) => deleted.has(pack.packId)))
    const small = own.filter((object) => !touched.includes(object) && object.blobs < SMALL_BLOBS)
    bins.push(...binned([...touched, ...(small.length < SMALL_OBJECTS ? [] : small)]))
  }
  return bins
}

/** In the order they come in, none above the bound unless one object alone is. */
function binned(objects: readonly StatedObject[]): StatedObject[][] {
  const bins: StatedObject[][] = []
  let blobs = Number.POSITIVE_INFINITY
  for (const object of objects) {
    if (blobs + object.blobs > BLOBS_PER_INDEX) {
      bins.push([])
      blobs = 0
    }
    bins.at(-1)!.push(object)
    blobs += object.blobs
  }
  return bins
}
