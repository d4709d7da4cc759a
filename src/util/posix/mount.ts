/**
 * Mounting and unmounting, by the system call for who may, and for who may not by the descriptor
 * that the program `fusermount3` passes over a socket.
 */
import { closeSync, openSync, constants } from 'node:fs'
import { cString } from './c-string.ts'
import { nativeFailure } from './native.ts'
import { mountCalls, type MountCalls } from './native-mount.ts'
import { errnoNumber, systemError, type PosixError } from './system-error.ts'

const MS_RDONLY = 1
const MS_NOSUID = 2
const MS_NODEV = 4
const MS_NOEXEC = 8
const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8
const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000
const F_SETFL = 4
const DEVICE = '/dev/fuse'

export function requireMountCalls(): MountCalls {
  const calls = mountCalls()
  if (calls === undefined) throw new Error(`the system calls for mounting are not to be had: ${nativeFailure()}`)
  return calls
}

export function canMount(): boolean {
  return mountCalls() !== undefined
}

export function lastMountError(calls: MountCalls, syscall: string, path?: Uint8Array): PosixError {
  return systemError(calls.errno(), syscall, path)
}

/** The device, to be mounted. @throws a system error: ENOENT, ENODEV, EACCES… */
export function openFuseDevice(): number {
  return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK)
}

export interface MountOptions {
  readonly source: string
  /** `fuse.` is put before it. */
  readonly type: string
  readonly noExec: boolean
  /** `allow_other,default_permissions` and the like. */
  readonly options: readonly string[]
}

/** Read-only, without set-user-id and devices, always. @throws {PosixError} */
export function mountFuse(device: number, target: Uint8Array, { source, type, noExec, options }: MountOptions): void {
  const calls = requireMountCalls()
  const data = [`fd=${device}`, 'rootmode=40000', `user_id=${process.getuid?.() ?? 0}`, `group_id=${process.getgid?.() ?? 0}`, ...options].join(',')
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | (noExec ? MS_NOEXEC : 0)
  if (calls.mount(terminated(source), cString(target, 'mount'), terminated(`fuse.${type}`), flags, terminated(data)) !== 0) throw lastMountError(calls, 'mount', target)
}

/**
 * @param isLazy - take the name away at once and the rest when its last user has gone
 * @throws {PosixError} EBUSY, EPERM, EINVAL for what is no mount
 */
export function unmount(target: Uint8Array, isLazy: boolean): void {
  const calls = requireMountCalls()
  if (calls.umount2(cString(target, 'umount2'), UMOUNT_NOFOLLOW | (isLazy ? MNT_DETACH : 0)) !== 0) throw lastMountError(calls, 'umount2', target)
}

/** Two ends of a socket, for a child to pass a descriptor by. */
export function socketPair(): readonly [own: number, childs: number] {
  const calls = requireMountCalls()
  const out = Buffer.alloc(8)
  if (calls.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) !== 0) throw lastMountError(calls, 'socketpair')
  return [out.readInt32LE(0), out.readInt32LE(4)]
}

/**
 * The descriptor that was sent; it does not block from now on.
 *
 * struct msghdr: name u64, its length u32 (and four of nothing), iovec u64, count u64, control u64,
 * its length u64, flags u32. struct cmsghdr: length u64, level u32, type u32, then the descriptor.
 * @returns undefined when the other end closed without sending one
 */
export function receiveDescriptor(socket: number): number | undefined {
  const calls = requireMountCalls()
  const byte = Buffer.alloc(8)
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(calls.address(byte), 0)
  vector.writeBigUInt64LE(1n, 8)
  const control = Buffer.alloc(24)
  const message = Buffer.alloc(56)
  message.writeBigUInt64LE(calls.address(vector), 16)
  message.writeBigUInt64LE(1n, 24)
  message.writeBigUInt64LE(calls.address(control), 32)
  message.writeBigUInt64LE(BigInt(control.length), 40)
  for (;;) {
    const length = calls.recvmsg(socket, message, MSG_CMSG_CLOEXEC)
    if (length < 0 && calls.errno() === errnoNumber('EINTR')) continue
    if (length < 0) throw lastMountError(calls, 'recvmsg')
    const isDescriptor = length > 0 && message.readBigUInt64LE(40) >= 20n && control.readUInt32LE(8) === SOL_SOCKET && control.readUInt32LE(12) === SCM_RIGHTS
    if (!isDescriptor) return undefined
    const fd = control.readInt32LE(16)
    if (calls.fcntl(fd, F_SETFL, constants.O_RDWR | constants.O_NONBLOCK) !== 0) throw lastMountError(calls, 'fcntl')
    return fd
  }
}

export function closeDescriptor(fd: number): void {
  closeSync(fd)
}

function terminated(text: string): Uint8Array {
  return Buffer.from(`${text}\0`)
}
