/**
 * The device by which the kernel asks a file system that is a program. One thread waits for requests
 * (`nextRequest`), any may answer (`writeReply`): a reply is one write, and the kernel finds what it
 * belongs to by the number in it. The descriptor never blocks, so who waits can be woken.
 */
import { writeSync, writevSync } from 'node:fs'
import { errnoOf } from '../errors.ts'
import { lastMountError, requireMountCalls } from './mount.ts'
import { type MountCalls } from './native-mount.ts'
import { errnoNumber, systemError } from './system-error.ts'

const POLLIN = 1
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
/** struct pollfd: fd i32, events i16, revents i16. */
const POLLFD_BYTES = 8
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)

/** A descriptor by which who waits in `nextRequest` is woken for good. */
export function createWaker(): number {
  const calls = requireMountCalls()
  const fd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
  if (fd < 0) throw lastMountError(calls, 'eventfd')
  return fd
}

export function wake(waker: number): void {
  writeSync(waker, ONE)
}

export interface RequestReader {
  /** Waits. undefined: there will be none, as it was unmounted or woken. A view until the next call. */
  next(): Uint8Array | undefined
}

/** Holds whatever the kernel sends to a file system that is never written to. */
const REQUEST_BYTES = 128 * 1024

export function openRequestReader(device: number, waker: number): RequestReader {
  const calls = requireMountCalls()
  const buffer = Buffer.allocUnsafeSlow(REQUEST_BYTES)
  const polled = Buffer.alloc(2 * POLLFD_BYTES)
  for (const [i, fd] of [device, waker].entries()) {
    polled.writeInt32LE(fd, i * POLLFD_BYTES)
    polled.writeInt16LE(POLLIN, i * POLLFD_BYTES + 4)
  }
  return {
    next() {
      for (;;) {
        const length = readOnce(calls, device, buffer)
        if (length === undefined) return undefined
        if (length > 0) return buffer.subarray(0, length)
        if (calls.poll(polled, 2, -1) < 0 && calls.errno() !== errnoNumber('EINTR')) throw lastMountError(calls, 'poll')
        if (polled.readInt16LE(POLLFD_BYTES + 6) !== 0) return undefined
      }
    },
  }
}

/** 0: none is there now. undefined: unmounted. */
function readOnce(calls: MountCalls, device: number, buffer: Uint8Array): number | undefined {
  for (;;) {
    const length = calls.read(device, buffer, buffer.length)
    if (length >= 0) return length
    const errno = calls.errno()
    if (errno === errnoNumber('EAGAIN')) return 0
    if (errno === errnoNumber('ENODEV') || errno === errnoNumber('ECONNABORTED')) return undefined
    // ENOENT: who asked was interrupted before we read it.
    if (errno !== errnoNumber('EINTR') && errno !== errnoNumber('ENOENT')) throw systemError(errno, 'read')
  }
}

/** @returns false when nobody waits for it any more: interrupted, or unmounted */
export function writeReply(device: number, parts: readonly Uint8Array[]): boolean {
  try {
    if (parts.length === 1) writeSync(device, parts[0]!)
    else writevSync(device, parts as Uint8Array[])
    return true
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'ENOTCONN', 'ECONNABORTED'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
}
