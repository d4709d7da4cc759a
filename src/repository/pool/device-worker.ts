/**
 * The role of the thread that waits at a mount's device, whenever the thread that answers has found
 * nothing there for a while and rests. It says that there is something, and waits to be sent again.
 * It obeys one message, and that for as long as the mount lasts.
 */
import { createRequestWaiter } from '../../util/posix/fuse-device.ts'
import type { Post, Role } from './role.ts'

export interface DeviceInit {
  readonly device: number
  readonly waker: number
  /** One word, shared: what the thread is to do. */
  readonly order: Int32Array
}

export const ORDER = { rest: 0, wait: 1, end: 2 } as const

/** So long at most nothing else can be asked of the thread. */
const REST_MS = 250

export function createRole({ device, waker, order }: DeviceInit, post: Post<'there'>): Role<'begin'> {
  return () => {
    const isThere = createRequestWaiter(device, waker)
    for (let now = Atomics.load(order, 0); now !== ORDER.end; now = Atomics.load(order, 0)) {
      if (now === ORDER.rest) Atomics.wait(order, 0, ORDER.rest, REST_MS)
      else if (isThere() && Atomics.compareExchange(order, 0, ORDER.wait, ORDER.rest) === ORDER.wait) post('there')
    }
  }
}
