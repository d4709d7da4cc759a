/**
 * Requests of a mount's device, read by a thread of their own: the call that waits for one blocks,
 * and must hold up neither the thread that answers nor libuv's few.
 */
import { createWaker, wake } from '../util/posix/fuse-device.ts'
import { closeDescriptor } from '../util/posix/mount.ts'
import type { DeviceReply } from './pool/device-worker.ts'
import { startPool } from './pool/worker-pool.ts'

export interface DeviceReader extends AsyncDisposable {
  /** Resolves when it was unmounted. @throws when the thread failed */
  readonly ended: Promise<void>
}

export async function startDeviceReader(device: number, onRequest: (bytes: Uint8Array) => void): Promise<DeviceReader> {
  const waker = createWaker()
  let isDone = false
  let resolve!: () => void
  let reject!: (error: Error) => void
  const ended = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  ended.catch(() => undefined)
  // A thread that waits in a system call would hold up the end of the process.
  const wakeAtExit = (): void => wake(waker)
  process.once('exit', wakeAtExit)
  const pool = await startPool<'begin', DeviceReply>({
    threads: 1,
    role: 'device',
    init: { device, waker },
    onMessage(_worker, bytes) {
      if (bytes !== undefined) return onRequest(bytes)
      isDone = true
      resolve()
    },
    onFailure: reject,
  })
  pool.send(0, 'begin')
  return {
    ended,
    async [Symbol.asyncDispose]() {
      if (!isDone) wake(waker)
      await pool[Symbol.asyncDispose]()
      process.off('exit', wakeAtExit)
      closeDescriptor(waker)
    },
  }
}
