/**
 * Blocks that need not be fetched: where a file stands in the place of one that is restored, each
 * blob's stretch of it is hashed, and what is the blob already goes into the new file from there.
 * Blocks are only looked for where the snapshot has them; what has moved within the file is fetched.
 */
import { mapOrdered } from '../../util/map-ordered.ts'
import { COMPARE_COLUMNS, NO_FD } from '../../repository/pool/open-messages.ts'
import type { Compared, OpenPool } from '../../repository/open-pool.ts'
import { openPending, requireRoom, type Run } from './pending.ts'
import type { Use } from './window.ts'

/** So much is read by one request: small enough that the workers take turns. */
const JOB_BYTES = 4 * 1024 * 1024
const JOB_ROWS = 1024

export interface Stretch {
  readonly fd: number
  readonly position: number
  readonly length: number
  /** Gets the bytes, at the same position, where they are the blob's. */
  readonly into: number | undefined
  readonly id: Uint8Array
}

/** What an interrupted restore has made of a file, and what stands in its place. */
const BASES_MOST = 2

/** The uses whose bytes must come from the repository; those of the others are in place. */
export async function reuseBlocks(run: Run, uses: readonly Use[]): Promise<readonly Use[]> {
  let wanted = uses
  for (let base = 0; base < BASES_MOST; base++) wanted = await takeFrom(run, base, wanted)
  return wanted.filter(({ file }) => file.problem === undefined)
}

/** Those of the uses of which the files' n-th base has not the bytes. */
async function takeFrom(run: Run, base: number, uses: readonly Use[]): Promise<readonly Use[]> {
  const { maxBytes } = run.repository.config.chunker
  const hasBase = ({ file, blob }: Use): boolean =>
    (file.file.hasBasis || file.file.half !== undefined) && blob.length <= maxBytes && openPending(run, file) && file.open!.bases.length > base
  const candidates = uses.filter(hasBase)
  if (candidates.length === 0) return uses
  const found = new Set<Use>()
  const stretchOf = ({ file: { open }, position, blob }: Use): Stretch => {
    const { fd, bases } = open!
    return { fd: bases[base]!, position, length: blob.length, into: run.isDry || bases[base] === fd ? undefined : fd, id: blob.id }
  }
  const compare = (job: readonly Use[]): Promise<Compared> => compareStretches(run.pool, run.repository.keyring.blobId(run.group, 'data'), job.map(stretchOf))
  const jobs = inJobs(candidates, ({ blob }) => blob.length)
  let next = 0
  for await (const { isSame, problems } of mapOrdered(jobs, { concurrency: run.pool.workers * 2, signal: run.signal }, compare)) {
    for (const [row, problem] of problems) {
      requireRoom(problem)
      candidates[next + row]!.file.problem ??= { reason: 'failed', message: problem.message }
    }
    for (const same of isSame) {
      const use = candidates[next++]!
      if (same === 0) continue
      found.add(use)
      run.onReused(use.blob.length)
    }
  }
  return uses.filter((use) => !found.has(use))
}

export function compareStretches(pool: OpenPool, blobIdKey: Uint8Array, stretches: readonly Stretch[]): Promise<Compared> {
  const rows = new Float64Array(stretches.length * COMPARE_COLUMNS)
  const ids = new Uint8Array(stretches.length * 32)
  for (const [i, { fd, position, length, into, id }] of stretches.entries()) {
    rows.set([fd, position, length, into ?? NO_FD], i * COMPARE_COLUMNS)
    ids.set(id, i * 32)
  }
  return pool.compare({ blobIdKey, rows, ids })
}

export function* inJobs<T>(items: Iterable<T>, bytesOf: (item: T) => number): Generator<readonly T[]> {
  let job: T[] = []
  let bytes = 0
  for (const item of items) {
    if (job.length > 0 && (bytes + bytesOf(item) > JOB_BYTES || job.length >= JOB_ROWS)) {
      yield job
      job = []
      bytes = 0
    }
    job.push(item)
    bytes += bytesOf(item)
  }
  if (job.length > 0) yield job
}
