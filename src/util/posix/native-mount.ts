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
  dup3(fd: number, into: number, flags: number): number
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
    dup3: libc.func('dup3', 'int', ['int', 'int', 'int']),
    fcntl: libc.func('fcntl', 'int', ['int', 'int', 'int']),
  })
}
