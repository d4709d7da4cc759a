/** The main thread's half of the open workers: a promise for every request, and work for all. */
import { type BufferPool, createBufferPool } from '../util/buffer-pool.ts'
import type { CompareRequest, FrameRequest, OpenInit, OpenReply, OpenRequest, RestoreRequest, VerifyRequest } from './pool/open-messages.ts'
import { startPool } from './pool/worker-pool.ts'

export type Restored = Extract<OpenReply, { kind: 'restored' }>
export type Verified = Extract<OpenReply, { kind: 'verified' }>

export type Compared = Extract<OpenReply, { kind: 'compared' }>
export type OpenedFrame = Extract<OpenReply, { kind: 'frame' }>

export interface OpenPool extends AsyncDisposable {
  readonly workers: number
  /** For the bytes of requests, which come back to it. */
  readonly memory: BufferPool
  restore(request: Omit<RestoreRequest, 'kind' | 'job'>): Promise<Restored>
  /** Compares stretches of files with blobs. */
  compare(request: Omit<CompareRequest, 'kind' | 'job'>): Promise<Compared>
  /** Opens one frame for who keeps it. */
  frame(request: Omit<FrameRequest, 'kind' | 'job'>): Promise<OpenedFrame>
  /** Verifies one pack, all of whose stretches go to one worker. */
  withPack<T>(use: (verify: (stretch: Omit<VerifyRequest, 'kind' | 'job' | 'pack'>) => Promise<Verified>) => Promise<T>): Promise<T>
}

interface Job {
  readonly worker: number
  readonly resolve: (reply: OpenReply) => void
  readonly reject: (error: Error) => void
}

/** A little more than readers ask for at once. */
const BUFFER_BYTES = 4.5 * 1024 * 1024
const BUFFERS_A_WORKER = 4

/** @param isEager - start the threads now; else with the first request, for those who may make none */
export async function startOpenPool(threads: number, init: OpenInit, isEager = true): Promise<OpenPool> {
  const jobs = new Map<number, Job>()
  let nextJob = 0
  let nextPack = 0
  let failure: Error | undefined
  const memory = createBufferPool(BUFFER_BYTES, BUFFERS_A_WORKER * Math.max(1, threads))
  const pool = await startPool<OpenRequest, OpenReply>({
    threads,
    role: 'open',
    init,
    onMessage(_worker, reply) {
      const job = jobs.get(reply.job)
      jobs.delete(reply.job)
      if (job !== undefined) busy[job.worker]!--
      if (reply.buffer !== undefined) memory.give(reply.buffer)
      job?.resolve(reply)
    },
    onFailure(error) {
      failure ??= error
      for (const job of jobs.values()) job.reject(error)
      jobs.clear()
    },
  })
  if (isEager) pool.warm()
  const busy = Array.from({ length: pool.size }, () => 0)

  const leastBusy = (): number => busy.indexOf(Math.min(...busy))

  const ask = (make: (job: number) => OpenRequest, worker: number): Promise<OpenReply> => {
    if (failure !== undefined) return Promise.reject(failure)
    const job = nextJob++
    const request = make(job)
    busy[worker]!++
    return new Promise((resolve, reject) => {
      jobs.set(job, { worker, resolve, reject })
      pool.send(worker, request, buffersOf(request))
    })
  }

  return {
    workers: pool.size,
    memory,
    restore: (request) => ask((job) => ({ ...request, kind: 'restore', job }), leastBusy()) as Promise<Restored>,
    compare: (request) => ask((job) => ({ ...request, kind: 'compare', job }), leastBusy()) as Promise<Compared>,
    frame: (request) => ask((job) => ({ ...request, kind: 'frame', job }), leastBusy()) as Promise<OpenedFrame>,
    async withPack(use) {
      const worker = leastBusy()
      const pack = nextPack++
      busy[worker]!++
      try {
        return await use((stretch) => ask((job) => ({ ...stretch, kind: 'verify', job, pack }), worker) as Promise<Verified>)
      } finally {
        busy[worker]!--
      }
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

/** What changes hands with a request. */
function buffersOf(request: OpenRequest): ArrayBuffer[] {
  if (request.kind === 'compare') return [request.rows.buffer, request.ids.buffer]
  return request.kind === 'frame' ? [request.bytes.buffer, request.into] : [request.bytes.buffer]
}
