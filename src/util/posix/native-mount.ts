/**
 * The C library's functions that mounting needs, bound apart from the others: few commands ever call
 * them. As there, a result below zero means: see `errno()`, at once.
 */
import { createRequire } from 'node:module'
import { nativeCalls } from './native.ts'

export interface MountCalls {
  errno(): number
  mount(source: Uint8Array, target: Uint8Array, type: Uint8Array, flags: number, data: Uint8Array): number
  umount2(target: Uint8Array, flags: number): number
  socketpair(domain: number, type: number, protocol: number, out: Uint8Array): number
  recvmsg(fd: number, message: Uint8Array, flags: number): number
  eventfd(start: number, flags: number): number
  poll(fds: Uint8Array, count: number, timeoutMs: number): number
  read(fd: number, out: Uint8Array, size: number): number
  fcntl(fd: number, command: number, argument: number): number
  address(buffer: Uint8Array): bigint
}

let bound: MountCalls | undefined

/** undefined where there are no native calls at all: see `nativeFailure`. */
export function mountCalls(): MountCalls | undefined {
  if (bound !== undefined || nativeCalls() === undefined) return bound
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi')
  const libc = koffi.load(null)
  return (bound = {
    errno: koffi.errno,
    address: koffi.address,
    mount: libc.func('mount', 'int', ['void *', 'void *', 'void *', 'unsigned long', 'void *']),
    umount2: libc.func('umount2', 'int', ['void *', 'int']),
    socketpair: libc.func('socketpair', 'int', ['int', 'int', 'int', 'void *']),
    recvmsg: libc.func('recvmsg', 'long', ['int', 'void *', 'int']),
    eventfd: libc.func('eventfd', 'int', ['uint32_t', 'int']),
    poll: libc.func('poll', 'int', ['void *', 'unsigned long', 'int']),
    read: libc.func('read', 'long', ['int', 'void *', 'size_t']),
    fcntl: libc.func('fcntl', 'int', ['int', 'int', 'int']),
  })
}
