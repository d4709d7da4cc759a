/** Descriptors that this program has opened for itself, and that nobody has given it. */
import { readdirSync, readlinkSync } from 'node:fs'

/**
 * Nothing ever comes out of these: to wait for it is to wait for ever. A pipe whose two ends are here
 * has nobody else who could write to it. Where the system does not tell, none is known.
 */
export function isOwnDescriptor(fd: number): boolean {
  if (process.platform !== 'linux') return false
  const target = targetOf(fd)
  if (target.startsWith('anon_inode:')) return true
  return target.startsWith('pipe:') && readdirSync('/proc/self/fd').some((name) => name !== String(fd) && targetOf(name) === target)
}

function targetOf(fd: number | string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}
