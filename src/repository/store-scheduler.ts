/**
 * The main thread's half of the store workers: hands out slots of their memory, keeps the promise
 * of every job, and decides what of the chunks they read is new. Slots are what bounds the bytes in
 * flight: no read begins without one, and one is free again only when its chunks are in frames.
 */
import type { FrameShape } from './frame.ts'
import { BLOB_RECORD_BYTES } from './pack-entry.ts'
import type { FileProblem, PackedFiles, PackedStats, StoreInit, StoreReply, StoreRequest } from './pool/store-messages.ts'
import { startPool, type WorkerPool } from './pool/worker-pool.ts'

export interface ReadResult {
  /** Chunks of each file. */
  readonly counts: Uint32Array
  /** Blob records of all chunks. */
  readonly records: Uint8Array
  readonly stats: PackedStats
  readonly problems: readonly FileProblem[]
}

export interface SegmentStart {
  /** Where the segment's last chunk ends, counted from its start. */
  readonly consumed: number
  readonly isEnd: boolean
  readonly result: Promise<ReadResult>
}

export interface StoreScheduler extends AsyncDisposable {
  readonly workers: number
  readFiles(files: PackedFiles): Promise<ReadResult>
  /** Reads up to `end` at most. Resolves as soon as it is known where the next segment begins. */
  readSegment(fd: number, offset: number, end: number): Promise<SegmentStart>
  sealBlobs(blobType: 'tree' | 'data', bytes: Uint8Array<ArrayBuffer>, records: Uint8Array<ArrayBuffer>): void
  /** As `sealBlobs`, but answers when they are in frames: who waits cannot run ahead of the workers. */
  storeBlobs(blobType: 'tree' | 'data', bytes: Uint8Array<ArrayBuffer>, records: Uint8Array<ArrayBuffer>): Promise<void>
  /** Resolves when every worker has handed over its last frame. */
  flush(): Promise<void>
}

export interface StoreSchedulerOptions {
  readonly threads: number
  readonly init: StoreInit
  /** Once it is aborted, nothing is waited for: however long a file is, its reading ends. */
  readonly signal?: AbortSignal | undefined
  /** Whether a blob, by its record, must be stored; claims it for the caller. */
  readonly claim: (records: Uint8Array, at: number) => boolean
  readonly onFrame: (shape: FrameShape, bytes: Uint8Array, records: Uint8Array) => void
  /** Awaited before a slot is given: where packs wait for a slow backend, reading waits too. */
  readonly gate: () => Promise<void> | undefined
  readonly onFailure: (error: Error) => void
}

interface Slot {
  readonly worker: number
  readonly slot: number
}

interface Job {
  readonly slot: Slot | undefined
  readonly onBoundary: ((consumed: number, isEnd: boolean) => void) | undefined
  readonly resolve: (result: ReadResult) => void
  readonly reject: (error: unknown) => void
}

const NO_RESULT: ReadResult = { counts: new Uint32Array(0), records: new Uint8Array(0), stats: new Float64Array(0), problems: [] }

export async function startScheduler(options: StoreSchedulerOptions): Promise<StoreScheduler> {
  const jobs = new Map<number, Job>()
  const waiters: { resolve: (slot: Slot) => void; reject: (error: unknown) => void }[] = []
  let failure: { readonly error: Error } | undefined
  let nextJob = 0
  let nextWorker = 0
  /** Whether the workers were ever given anything. */
  let hasBegun = false

  const fail = (error: Error): void => {
    failure ??= { error }
    for (const job of jobs.values()) job.reject(error)
    for (const waiter of waiters.splice(0)) waiter.reject(error)
    jobs.clear()
    options.onFailure(error)
  }

  const stop = (): void => fail(options.signal!.reason as Error)
  options.signal?.addEventListener('abort', stop, { once: true })

  const onMessage = (_worker: number, reply: StoreReply): void => {
    try {
      handle(reply)
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  const pool: WorkerPool<StoreRequest> = await startPool<StoreRequest, StoreReply>({ threads: options.threads, role: 'store', init: options.init, onMessage, onFailure: fail })
  // Slots of different workers alternate, so that the first jobs go to different cores.
  const free: Slot[] = Array.from({ length: pool.size * options.init.slots }, (_, i) => ({ worker: i % pool.size, slot: Math.floor(i / pool.size) }))

  const release = (slot: Slot): void => {
    const waiter = waiters.shift()
    if (waiter === undefined) free.push(slot)
    else waiter.resolve(slot)
  }

  const acquire = async (): Promise<Slot> => {
    if (failure !== undefined) throw failure.error
    hasBegun = true
    await options.gate()
    const slot = free.shift()
    return slot ?? new Promise((resolve, reject) => waiters.push({ resolve, reject }))
  }

  const handle = (reply: StoreReply): void => {
    switch (reply.kind) {
      case 'frame':
        return options.onFrame(reply.shape, reply.bytes, reply.records)
      case 'boundary':
        return jobs.get(reply.job)?.onBoundary?.(reply.consumed, reply.isEnd)
      case 'read':
        return answer(reply)
      case 'stored':
        release(jobs.get(reply.job)!.slot!)
        return void jobs.delete(reply.job)
      case 'sealed':
      case 'flushed':
        jobs.get(reply.job)?.resolve(NO_RESULT)
        return void jobs.delete(reply.job)
    }
  }

  const answer = (reply: Extract<StoreReply, { kind: 'read' }>): void => {
    const job = jobs.get(reply.job)
    if (job?.slot === undefined) return
    const isNew = new Uint8Array(reply.records.length / BLOB_RECORD_BYTES)
    let any = false
    for (let i = 0; i < isNew.length; i++) {
      if (!options.claim(reply.records, i * BLOB_RECORD_BYTES)) continue
      isNew[i] = 1
      any = true
    }
    if (any) {
      pool.send(job.slot.worker, { kind: 'store', job: reply.job, slot: job.slot.slot, isNew })
    } else {
      release(job.slot)
      jobs.delete(reply.job)
    }
    job.resolve(reply)
  }

  const start = (slot: Slot | undefined, onBoundary?: Job['onBoundary']): { job: number; result: Promise<ReadResult> } => {
    const job = nextJob++
    const result = new Promise<ReadResult>((resolve, reject) => jobs.set(job, { slot, onBoundary, resolve, reject }))
    // The caller may be waiting for something else when this fails; it will come to it.
    result.catch(() => undefined)
    return { job, result }
  }

  return {
    workers: pool.size,
    async readFiles(files) {
      const slot = await acquire()
      const { job, result } = start(slot)
      pool.send(slot.worker, { kind: 'files', job, slot: slot.slot, files }, [files.names.buffer, files.nameEnds.buffer, files.folders.buffer, files.sizes.buffer])
      return result
    },
    async readSegment(fd, offset, end) {
      const slot = await acquire()
      return new Promise((resolve, reject) => {
        const { job, result } = start(slot, (consumed, isEnd) => resolve({ consumed, isEnd, result }))
        result.catch(reject)
        pool.send(slot.worker, { kind: 'segment', job, slot: slot.slot, fd, offset, end })
      })
    },
    sealBlobs(blobType, bytes, records) {
      hasBegun = true
      nextWorker = (nextWorker + 1) % pool.size
      pool.send(nextWorker, { kind: 'blobs', job: -1, blobType, bytes, records }, [bytes.buffer, records.buffer])
    },
    async storeBlobs(blobType, bytes, records) {
      if (failure !== undefined) throw failure.error
      hasBegun = true
      await options.gate()
      nextWorker = (nextWorker + 1) % pool.size
      const { job, result } = start(undefined)
      pool.send(nextWorker, { kind: 'blobs', job, blobType, bytes, records }, [bytes.buffer, records.buffer])
      await result
    },
    async flush() {
      if (failure !== undefined) throw failure.error
      if (!hasBegun) return
      const flushes = Array.from({ length: pool.size }, (_, worker) => {
        const { job, result } = start(undefined)
        pool.send(worker, { kind: 'flush', job })
        return result
      })
      await Promise.all(flushes)
    },
    async [Symbol.asyncDispose]() {
      options.signal?.removeEventListener('abort', stop)
      await pool[Symbol.asyncDispose]()
    },
  }
}
