/**
 * The role of the thread that waits at a mount's device: every request is handed on as it comes. It
 * obeys one message, and that for as long as the mount lasts; who ends it wakes it first.
 */
import { openRequestReader } from '../../util/posix/fuse-device.ts'
import type { Post, Role } from './role.ts'

export interface DeviceInit {
  readonly device: number
  readonly waker: number
}

/** Bytes of a request; undefined when there will be no more. */
export type DeviceReply = Uint8Array<ArrayBuffer> | undefined

export function createRole({ device, waker }: DeviceInit, post: Post<DeviceReply>): Role<'begin'> {
  return () => {
    const reader = openRequestReader(device, waker)
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) post(new Uint8Array(bytes))
    post(undefined)
  }
}
