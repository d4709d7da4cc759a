/** Whether a file on disk has the bytes that a node says. Long files are hashed by the workers. */
import { mapOrdered } from '../../util/map-ordered.ts'
import { keyedHash } from '../../crypto/hash.ts'
import { equalBytes, isZero } from '../../util/bytes.ts'
import { close, openAtIfPresent, OPEN_TO_READ } from '../../util/posix/open.ts'
import { pread } from '../../util/posix/read-write.ts'
import { seekData } from '../../util/posix/seek-data.ts'
import { fstat } from '../../util/posix/stat.ts'
import type { OpenPool } from '../../repository/open-pool.ts'
import type { Repository } from '../../repository/repository.ts'
import { createPlacement, type Extent, holesOf, type Placement } from '../extents.ts'
import type { Node } from '../node.ts'
import type { TreeReader } from '../tree-reader.ts'
import { compareStretches, inJobs, type Stretch } from './reuse.ts'

export interface TargetLook {
  /** @throws {PosixError} where the file cannot be read */
  isContentOf(dirFd: number, node: Node): Promise<boolean>
}

export interface LookOptions {
  readonly repository: Repository
  readonly trees: TreeReader
  readonly pool: OpenPool
  readonly group: number
  readonly signal: AbortSignal | undefined
}

/** A shorter file is hashed here before a worker would have been told of it. */
const SHORT_BYTES = 2 * 1024 * 1024

export function createTargetLook({ repository, trees, pool, group, signal }: LookOptions): TargetLook {
  const key = repository.keyring.blobId(group, 'data')
  const hash = keyedHash(key)
  const buffer = new Uint8Array(repository.config.chunker.maxBytes)

  async function* stretches(fd: number, node: Node, placement: Placement): AsyncGenerator<Stretch | undefined> {
    if (node.content === undefined) return
    for await (const blobs of trees.content(node.content)) {
      for (const { id, length } of blobs) {
        const position = placement.place(length)
        yield position === undefined || length > buffer.length ? undefined : { fd, position, length, into: undefined, id }
      }
    }
  }

  const holdsShort = async (fd: number, node: Node, placement: Placement): Promise<boolean> => {
    for await (const stretch of stretches(fd, node, placement)) {
      if (stretch === undefined || !readFully(fd, buffer, stretch.length, stretch.position)) return false
      if (!equalBytes(hash(buffer.subarray(0, stretch.length)), stretch.id)) return false
    }
    return true
  }

  const holdsLong = async (fd: number, node: Node, placement: Placement): Promise<boolean> => {
    let fits = true
    async function* jobs(): AsyncGenerator<readonly Stretch[]> {
      let gathered: Stretch[] = []
      for await (const stretch of stretches(fd, node, placement)) {
        if (stretch === undefined) return void (fits = false)
        gathered.push(stretch)
        if (gathered.length < GATHERED) continue
        yield* inJobs(gathered, ({ length }) => length)
        gathered = []
      }
      yield* inJobs(gathered, ({ length }) => length)
    }
    for await (const { isSame } of mapOrdered(jobs(), { concurrency: pool.workers * 2, signal }, (job) => compareStretches(pool, key, job))) {
      if (isSame.includes(0)) return false
    }
    return fits
  }

  /** Whether the file reads as zeros there: what is no data is not read. */
  const isHole = (fd: number, hole: Extent): boolean => {
    const end = hole.offset + hole.length
    for (let at = seekData(fd, hole.offset) ?? end; at < end; ) {
      const length = Math.min(end - at, buffer.length)
      if (!readFully(fd, buffer, length, at) || !isZero(buffer.subarray(0, length))) return false
      at = seekData(fd, at + length) ?? end
    }
    return true
  }

  return {
    async isContentOf(dirFd, node) {
      const fd = openAtIfPresent(dirFd, node.name, OPEN_TO_READ)
      if (fd === undefined) return false
      try {
        const stat = fstat(fd)
        if (stat.type !== 'file' || stat.size !== node.size) return false
        const placement = createPlacement(node.size, node.extents)
        const holds = await (node.size <= SHORT_BYTES ? holdsShort : holdsLong)(fd, node, placement)
        return holds && placement.isComplete() && holesOf(node.size, node.extents ?? [{ offset: 0, length: node.size }]).every((hole) => isHole(fd, hole))
      } finally {
        close(fd)
      }
    },
  }
}

/** Stretches that are divided among the workers at once. */
const GATHERED = 256

function readFully(fd: number, into: Uint8Array, length: number, position: number): boolean {
  for (let at = 0; at < length; ) {
    const count = pread(fd, into, at, length - at, position + at)
    if (count === 0) return false
    at += count
  }
  return true
}
