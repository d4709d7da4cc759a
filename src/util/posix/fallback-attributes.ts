/** Permissions, owners and times on `node:fs`; contracts are in `attributes.ts` and `times.ts`. */
import {
  chmodSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
} from 'node:fs'
import { calling, pathOf } from './fallback.ts'
import { errnoNumber, systemError } from './system-error.ts'

interface Times {
  mtimeS: number
  mtimeNs: number
  atimeS?: number | undefined
  atimeNs?: number | undefined
}

export function fchmod(fd: number, mode: number): void {
  calling('fchmod', undefined, () => fchmodSync(fd, mode & 0o7777))
}

export function fchmodAt(dirFd: number, name: Uint8Array, mode: number): void {
  const path = pathOf(dirFd, name, 'chmod')
  calling('chmod', name, () => {
    if (lstatSync(path).isSymbolicLink()) throw systemError(errnoNumber('ENOTSUP'), 'chmod', name)
    chmodSync(path, mode & 0o7777)
  })
}

export function fchown(fd: number, uid: number, gid: number): void {
  calling('fchown', undefined, () => fchownSync(fd, uid, gid))
}

export function fchownAt(dirFd: number, name: Uint8Array, uid: number, gid: number): void {
  const path = pathOf(dirFd, name, 'chown')
  calling('chown', name, () => lchownSync(path, uid, gid))
}

export function fallbackSetTimes(fd: number, to: Times): void {
  calling('futime', undefined, () => {
    const access = accessTime(to) ?? String(fstatSync(fd).atimeMs / 1000)
    futimesSync(fd, access, text(to.mtimeS, to.mtimeNs))
  })
}

export function fallbackSetTimesAt(dirFd: number, name: Uint8Array, to: Times): void {
  const path = pathOf(dirFd, name, 'utime')
  calling('utime', name, () => {
    const access = accessTime(to) ?? String(lstatSync(path).atimeMs / 1000)
    lutimesSync(path, access, text(to.mtimeS, to.mtimeNs))
  })
}

function accessTime(to: Times): string | undefined {
  return to.atimeS === undefined ? undefined : text(to.atimeS, to.atimeNs ?? 0)
}

/** Seconds as text: Node takes a number below zero for the present time, text as it stands. */
function text(seconds: number, nanoseconds: number): string {
  return String(seconds + nanoseconds / 1e9)
}
