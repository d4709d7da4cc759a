/** The program `fusermount3`, which mounts and unmounts for who may not. */
import { spawn } from 'node:child_process'
import { BackupError, errnoOf } from '../../util/errors.ts'
import { closeDescriptor, receiveDescriptor, socketPair } from '../../util/posix/mount.ts'
import { escapeBytes } from '../../util/posix/system-error.ts'

const HELPER = 'fusermount3'

/** @returns the device's descriptor. @throws {BackupError} MOUNT_UNAVAILABLE */
export async function mountByHelper(target: Uint8Array, options: readonly string[]): Promise<number> {
  const [own, childs] = socketPair()
  try {
    const { code, message } = await runHelper(['-o', options.join(','), '--', textOf(target)], childs)
    const device = code === 0 ? receiveDescriptor(own) : undefined
    if (device !== undefined) return device
    throw new BackupError('MOUNT_UNAVAILABLE', `${HELPER} did not mount ${escapeBytes(target)}: ${message || `it ended with ${code}`}${message.includes('/dev/fuse') ? '; the device must be there, and open to all ("chmod 666 /dev/fuse" as root)' : ''}`)
  } finally {
    closeDescriptor(own)
  }
}

/** @returns undefined when it is done, else what the program said */
export async function unmountByHelper(target: Uint8Array, isLazy: boolean): Promise<string | undefined> {
  const { code, message } = await runHelper([isLazy ? '-uz' : '-u', '--', textOf(target)])
  return code === 0 ? undefined : message || `${HELPER} ended with ${code}`
}

async function runHelper(args: readonly string[], socket?: number): Promise<{ readonly code: number | null; readonly message: string }> {
  const child = spawn(HELPER, args, { env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', ...(socket === undefined ? {} : { _FUSE_COMMFD: '3' }) }, stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])] })
  if (socket !== undefined) closeDescriptor(socket)
  let message = ''
  child.stderr?.on('data', (text: Buffer) => (message += text.toString()))
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    return { code, message: message.trim().replace(/^fusermount3: /, '').replaceAll('\n', '; ') }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new BackupError('MOUNT_UNAVAILABLE', `there is no ${HELPER}, which mounts for ordinary users: install the package fuse3`, { cause: error })
  }
}

/** Arguments of programs are text. */
function textOf(path: Uint8Array): string {
  const text = Buffer.from(path).toString()
  if (!Buffer.from(text).equals(path)) throw new BackupError('TARGET_REFUSED', `${escapeBytes(path)} is no valid UTF-8, and only root can mount there: choose another folder`)
  return text
}
