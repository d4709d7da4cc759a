/**
 * The device by which the kernel asks a file system that is a program. One thread waits for requests,
 * another reads and answers them: a reply is one write, and the kernel finds what it belongs to by
 * the number in it. The descriptor never blocks, so who waits can be woken.
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

/** A descriptor by which who waits for requests is woken for good. */
export function createWaker(): number {
  const calls = requireMountCalls()
  const fd = calls.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
  if (fd < 0) throw lastMountError(calls, 'eventfd')
  return fd
}

export function wake(waker: number): void {
  writeSync(waker, ONE)
}

/** Holds whatever the kernel sends to a file system that is never written to. */
const REQUEST_BYTES = 128 * 1024
/**
 * A thread that sits in a system call for ever holds up whatever Node asks of all its threads: so
 * does process.report, by which packages that bring native code find out the C library.
 */
const PATIENCE_MS = 250

/** A request, as a view until the next call; 'none' is there now; 'ended': it is mounted no more. */
export type NextRequest = Uint8Array | 'none' | 'ended'

/** Reads without waiting. */
export function openRequestReader(device: number): () => NextRequest {
  const calls = requireMountCalls()
  const buffer = Buffer.allocUnsafeSlow(REQUEST_BYTES)
  return () => {
    const length = readOnce(calls, device, buffer)
    return length === undefined ? 'ended' : length === 0 ? 'none' : buffer.subarray(0, length)
  }
}

/** Waits for a request, not for long. true: there may be one, or it is mounted no more. */
export function createRequestWaiter(device: number, waker: number): () => boolean {
  const calls = requireMountCalls()
  const polled = Buffer.alloc(2 * POLLFD_BYTES)
  for (const [i, fd] of [device, waker].entries()) {
    polled.writeInt32LE(fd, i * POLLFD_BYTES)
    polled.writeInt16LE(POLLIN, i * POLLFD_BYTES + 4)
  }
  return () => {
    if (calls.poll(polled, 2, PATIENCE_MS) < 0 && calls.errno() !== errnoNumber('EINTR')) throw lastMountError(calls, 'poll')
    return polled.readInt16LE(6) !== 0
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
