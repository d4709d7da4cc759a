/**
 * Requests of a mount's device. The call that waits for one blocks, and must hold up neither the
 * thread that answers nor libuv's few: a thread of its own waits. But one who asks, asks again as
 * soon as he is answered, and to be told by another thread takes longer than most answers: so after
 * each request the device is looked at for a moment before that thread is sent to wait.
 */
import { monotonicMs } from '../util/clock.ts'
import { createWaker, openRequestReader, wake } from '../util/posix/fuse-device.ts'
import { closeDescriptor } from '../util/posix/mount.ts'
import { type DeviceInit, ORDER } from './pool/device-worker.ts'
import { startPool } from './pool/worker-pool.ts'

export interface DeviceReader extends AsyncDisposable {
  /** Resolves when it was unmounted. @throws when the thread failed */
  readonly ended: Promise<void>
}

/** Longer than programs take from an answer to their next question. */
const LOOK_MS = 0.2
/** Then what else there is to do gets its turn. */
const AT_ONCE = 16

/** @param onRequest - gets bytes that are its own */
export async function startDeviceReader(device: number, onRequest: (bytes: Uint8Array) => void): Promise<DeviceReader> {
  const waker = createWaker()
  const order = new Int32Array(new SharedArrayBuffer(4))
  const next = openRequestReader(device)
  let isClosed = false
  let resolve!: () => void
  let reject!: (error: Error) => void
  const ended = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  ended.catch(() => undefined)

  const send = (what: number): void => {
    Atomics.store(order, 0, what)
    Atomics.notify(order, 0)
  }
  // A thread that waits in a system call would hold up the end of the process.
  const end = (): void => {
    send(ORDER.end)
    wake(waker)
  }
  let lastMs = 0
  const look = (): void => {
    if (isClosed) return
    for (let i = 0; i < AT_ONCE; i++) {
      const request = next()
      if (request === 'ended') return resolve()
      if (request === 'none') break
      lastMs = monotonicMs()
      onRequest(new Uint8Array(request))
    }
    if (monotonicMs() - lastMs < LOOK_MS) setImmediate(lookOrFail)
    else send(ORDER.wait)
  }
  const lookOrFail = (): void => {
    try {
      look()
    } catch (error) {
      reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  process.once('exit', end)
  const pool = await startPool<'begin', 'there'>({ threads: 1, role: 'device', init: { device, waker, order } satisfies DeviceInit, onMessage: lookOrFail, onFailure: reject })
  pool.send(0, 'begin')
  send(ORDER.wait)
  return {
    ended,
    async [Symbol.asyncDispose]() {
      isClosed = true
      end()
      await pool[Symbol.asyncDispose]()
      process.off('exit', end)
      closeDescriptor(waker)
    },
  }
}
