/**
 * The device by which the kernel asks a file system that is a program. The event loop itself watches
 * it, as it watches a socket: so the thread that answers is woken by the kernel and by nobody else.
 * Node watches no devices, but pipes and sockets it does: it is given one, in whose place the device
 * is then put. A reply is one write, and the kernel finds what it belongs to by the number in it.
 */
import { writeSync, writevSync } from 'node:fs'
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net'
import { errnoOf } from '../errors.ts'
import { closeDescriptor, lastMountError, requireMountCalls, socketPair } from './mount.ts'

/** Holds whatever the kernel sends to a file system that is never written to. */
const REQUEST_BYTES = 128 * 1024
/** What a read says when it is mounted no more. */
const ENDED = ['ENODEV', 'ECONNABORTED', 'ENOENT']
/** What a write says when nobody waits for it any more: interrupted, or unmounted. */
const NOT_WANTED = ['ENOENT', 'ENODEV', 'ENOTCONN', 'ECONNABORTED']

export interface DeviceWatch extends AsyncDisposable {
  /** Resolves when it was unmounted. @throws when the device cannot be read */
  readonly ended: Promise<void>
}

/**
 * @param device - remains the caller's, and must not block
 * @param onRequest - gets bytes that are its own as long as it runs
 */
export function watchDevice(device: number, onRequest: (bytes: Uint8Array) => void): DeviceWatch {
  const [watched, other] = socketPair()
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(REQUEST_BYTES),
    callback(length, buffer) {
      onRequest(buffer.subarray(0, length))
      return true
    },
  }
  const options: SocketConstructorOpts & { onread: OnReadOpts } = { fd: watched, readable: true, writable: false, onread }
  const socket = new Socket(options)
  // Before the event loop goes round: what it begins to watch is the device.
  const calls = requireMountCalls()
  if (calls.dup3(device, watched, O_CLOEXEC) < 0) throw lastMountError(calls, 'dup3')
  closeDescriptor(other)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const ended = new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => (ENDED.includes(errnoOf(error) ?? '') ? resolve() : reject(error)))
    socket.once('close', () => resolve())
  })
  ended.catch(() => undefined)
  return {
    ended,
    async [Symbol.asyncDispose]() {
      socket.destroy()
      await closed
    },
  }
}

const O_CLOEXEC = 0o2000000

/** @returns false when nobody waits for it any more: interrupted, or unmounted */
export function writeReply(device: number, parts: readonly Uint8Array[]): boolean {
  try {
    if (parts.length === 1) writeSync(device, parts[0]!)
    else writevSync(device, parts as Uint8Array[])
    return true
  } catch (error) {
    if (NOT_WANTED.includes(errnoOf(error) ?? '')) return false
    throw error
  }
}
