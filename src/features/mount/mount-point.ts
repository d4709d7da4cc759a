/** Where a mount goes, how it comes there and how it goes: by the kernel's call as root, else by the helper. */
import { spawnSync } from 'node:child_process'
import { BackupError, errnoOf, messageOf } from '../../util/errors.ts'
import { allowsOthers, inspectFolder, withRealParent } from '../../util/mount-point-file.ts'
import { type MountEntry, readMountTable } from '../../util/mount-table-file.ts'
import { holdersOf } from '../../util/open-holders-file.ts'
import { canMount, closeDescriptor, mountFuse, openFuseDevice, unmount } from '../../util/posix/mount.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'
import { mountByHelper, unmountByHelper } from './mount-helper.ts'

export interface MountFlags {
  readonly noExec?: boolean | undefined
  readonly allowOther?: boolean | undefined
  /** Let the kernel decide by modes and owners who may; true by default. */
  readonly checkPermissions?: boolean | undefined
}

export interface MountPoint {
  readonly path: Uint8Array
  readonly device: number
}

const TYPE = 'nacre'

/** @throws {BackupError} TARGET_REFUSED, MOUNT_UNAVAILABLE */
export async function mountAt(target: string | Uint8Array, flags: MountFlags): Promise<MountPoint> {
  const path = requireMountPoint(target)
  if (process.platform !== 'linux' || !canMount()) throw new BackupError('MOUNT_UNAVAILABLE', 'mounting needs Linux on x64 or arm64; "nacre restore" and "nacre dump" work everywhere')
  const options = [...(flags.allowOther === true ? ['allow_other'] : []), ...(flags.checkPermissions === false ? [] : ['default_permissions'])]
  if (isRoot()) return { path, device: mountAsRoot(path, flags, options) }
  if (flags.allowOther === true && !allowsOthers()) {
    throw new BackupError('MOUNT_UNAVAILABLE', 'letting other users in is not permitted here: write the line "user_allow_other" into /etc/fuse.conf, or mount as root')
  }
  const all = ['ro', 'nosuid', 'nodev', ...(flags.noExec === true ? ['noexec'] : []), `fsname=${TYPE}`, `subtype=${TYPE}`, ...options]
  return { path, device: await mountByHelper(path, all) }
}

function mountAsRoot(path: Uint8Array, flags: MountFlags, options: readonly string[]): number {
  let device: number
  try {
    device = openFuseDevice()
  } catch (error) {
    const isMissing = ['ENOENT', 'ENODEV', 'ENXIO'].includes(errnoOf(error) ?? '')
    const advice = isMissing ? 'there is no /dev/fuse: load the kernel module with "modprobe fuse", or give the container the device' : `/dev/fuse cannot be opened: ${messageOf(error)}`
    throw new BackupError('MOUNT_UNAVAILABLE', advice, { cause: error })
  }
  try {
    mountFuse(device, path, { source: TYPE, type: TYPE, noExec: flags.noExec === true, options })
    return device
  } catch (error) {
    closeDescriptor(device)
    const advice = errnoOf(error) === 'EPERM' ? '; a container needs the capability SYS_ADMIN for it' : ''
    throw new BackupError('MOUNT_UNAVAILABLE', `cannot mount on ${escapeBytes(path)}: ${messageOf(error)}${advice}`, { cause: error })
  }
}

/**
 * The path of a folder that can be mounted on.
 * @throws {BackupError} TARGET_REFUSED - missing, no folder, not empty, mounted already
 */
export function requireMountPoint(target: string | Uint8Array): Uint8Array {
  const { path, state, problem } = inspectFolder(target)
  const shown = escapeBytes(path)
  const refuse = (why: string): BackupError => new BackupError('TARGET_REFUSED', `cannot mount on ${shown}: ${why}`, { path: shown })
  if (problem !== undefined) throw refuse(problem)
  if (state === 'missing') throw refuse('there is no such folder; make it first')
  if (state === 'no folder') throw refuse('it is no folder')
  const mounted = mountOn(path)
  if (state === 'dead') throw refuse(`what was mounted there has ended without unmounting; "nacre unmount ${shown}" clears it`)
  if (mounted !== undefined) throw refuse(`something is mounted there already (${mounted.type})`)
  if (state === 'full') throw refuse('it is not empty, and what is in it could not be seen any more')
  return path
}

/** What is mounted at exactly that path, if anything is. */
function mountOn(path: Uint8Array): MountEntry | undefined {
  const wanted = Buffer.from(path)
  return readMountTable().findLast((entry) => wanted.equals(entry.path))
}

/**
 * Unmounts what nacre has mounted there, whether its program lives or not.
 * @throws {BackupError} TARGET_REFUSED - nothing of nacre's is mounted there; MOUNT_BUSY - with who holds it
 */
export async function unmountAt(target: string | Uint8Array, options: { readonly isLazy?: boolean | undefined } = {}): Promise<void> {
  const path = withRealParent(target)
  const shown = escapeBytes(path)
  const entry = mountOn(path)
  if (entry === undefined) throw new BackupError('TARGET_REFUSED', `nothing is mounted on ${shown}`, { path: shown })
  if (entry.type !== `fuse.${TYPE}`) throw new BackupError('TARGET_REFUSED', `what is mounted on ${shown} is not nacre's (${entry.type}): it was left alone`, { path: shown })
  const isLazy = options.isLazy === true
  const problem = isRoot() ? unmountAsRoot(path, isLazy) : await unmountByHelper(path, isLazy)
  if (problem === undefined || mountOn(path) === undefined) return
  const isBusy = /busy/i.test(problem)
  throw new BackupError(isBusy ? 'MOUNT_BUSY' : 'MOUNT_UNAVAILABLE', isBusy ? `${shown} is in use${holdersText(path)}` : `cannot unmount ${shown}: ${problem}`, { path: shown })
}

function unmountAsRoot(path: Uint8Array, isLazy: boolean): string | undefined {
  try {
    unmount(path, isLazy)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** The last resort of a process that ends: whatever becomes of it, no dead mount is left. */
export function detachAtExit(path: Uint8Array): void {
  if (mountOn(path)?.type !== `fuse.${TYPE}`) return
  if (isRoot()) unmountAsRoot(path, true)
  else spawnSync('fusermount3', ['-uz', '--', Buffer.from(path).toString()], { stdio: 'ignore', timeout: 5000 })
}

function holdersText(path: Uint8Array): string {
  const holders = holdersOf(path)
  if (holders.length === 0) return ', by a process that only root can name'
  return ` by ${holders.map(({ pid, program, path: held }) => `${program} (${pid}: ${escapeBytes(held)})`).join(', ')}`
}

function isRoot(): boolean {
  return process.geteuid?.() === 0
}
