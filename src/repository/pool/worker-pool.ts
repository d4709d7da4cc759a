/**
 * Worker threads and their inline twin. A role is a module that turns messages into messages; it
 * does not know whether it runs in a thread or, with no threads at all, on the caller's. Buffers
 * named in `transfer` change hands without a copy.
 */
import { Worker } from 'node:worker_threads'
import { limitHeaps } from '../../util/posix/memory.ts'
import type { Post, RoleName, Transfer } from './role.ts'
import { createRole } from './roles.ts'

export interface WorkerPool<In> extends AsyncDisposable {
  /** Number of workers, at least one. */
  readonly size: number
  /** Begins what the first message would begin: for who knows that there will be one. */
  warm(): void
  /** A thread starts with its pool's first message: most backups find little to do for any. */
  send(worker: number, message: In, transfer?: Transfer): void
}

export interface PoolOptions<Out> {
  /** 0 runs the role on the calling thread. */
  readonly threads: number
  readonly role: RoleName
  /** Given to every worker as it starts; secrets are in it, so it is passed as data, never in argv. */
  readonly init: unknown
  readonly onMessage: (worker: number, message: Out) => void
  /** Called once, when a worker has failed for good. */
  readonly onFailure: (error: Error) => void
}

/** What a worker posts when its role threw: the role itself never answers so. */
interface Failure {
  readonly failure: Error
}

export async function startPool<In, Out>(options: PoolOptions<Out>): Promise<WorkerPool<In>> {
  return options.threads === 0 ? startInline<In, Out>(options) : startThreads<In, Out>(options)
}

async function startInline<In, Out>(options: PoolOptions<Out>): Promise<WorkerPool<In>> {
  let closed = false
  const post: Post<Out> = (message) => {
    // As a thread would: the answer comes later, never inside the call.
    setImmediate(() => {
      if (!closed) options.onMessage(0, message)
    })
  }
  const role = await createRole<In, Out>(options.role, options.init, post)
  return {
    size: 1,
    warm: () => undefined,
    send(_worker, message) {
      setImmediate(() => {
        if (closed) return
        try {
          role(message)
        } catch (error) {
          options.onFailure(error instanceof Error ? error : new Error(String(error)))
        }
      })
    },
    async [Symbol.asyncDispose]() {
      if (!closed) role.close?.()
      closed = true
    },
  }
}

function startThreads<In, Out>(options: PoolOptions<Out>): WorkerPool<In> {
  let closing = false
  let workers: readonly Worker[] | undefined
  const start = (): readonly Worker[] => {
    limitHeaps()
    return Array.from({ length: options.threads }, (_, number) => startThread(options, number, () => closing))
  }
  return {
    size: options.threads,
    warm: () => void (workers ??= start()),
    send: (worker, message, transfer = []) => (workers ??= start())[worker]!.postMessage(message, [...transfer]),
    async [Symbol.asyncDispose]() {
      closing = true
      await Promise.all((workers ?? []).map((worker) => worker.terminate()))
    },
  }
}

function startThread<Out>(options: PoolOptions<Out>, number: number, isClosing: () => boolean): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const worker = new Worker(new URL(`./worker-entry.${extension}`, import.meta.url), {
    workerData: { role: options.role, init: options.init },
    env: {},
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  })
  worker.on('message', (message: Out | Failure) => {
    if (typeof message === 'object' && message !== null && 'failure' in message) options.onFailure(message.failure)
    else options.onMessage(number, message)
  })
  worker.on('error', options.onFailure)
  worker.on('exit', (code) => {
    if (!isClosing()) options.onFailure(new Error(`a worker thread ended by itself (code ${code})`))
  })
  return worker
}
