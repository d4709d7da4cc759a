/** Mounts of the built program. /dev/fuse is needed: where there is none tests fail and say so, they do not skip. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Place, start } from './nacre.ts'

/** Of a machine that is busy with other things too. */
export const MOUNT_LIMIT = 180_000

export interface Mounted {
  readonly folder: string
  readonly log: () => string
  /** Resolves when the log has that. */
  said(text: string | RegExp): Promise<void>
  readonly ended: Promise<number | null>
  readonly pid: number
  signal(name: NodeJS.Signals): void
}

/** Mounts, and whatever happens unmounts and ends the process. */
export async function mounted(at: Place, ...args: string[]): Promise<Mounted> {
  if (!existsSync('/dev/fuse')) throw new Error('there is no /dev/fuse on this machine: tests of mounting need it')
  const folder = join(at.folder, 'mnt')
  mkdirSync(folder, { recursive: true })
  const child = start(at, 'mount', folder, ...args)
  let log = ''
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    spawnSync('fusermount3', ['-uz', folder], { timeout: 5000 })
    child.kill('SIGKILL')
    await ended
  })
  child.stderr!.on('data', (text: Buffer) => (log += text.toString()))
  const said = (text: string | RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const has = (): boolean => (typeof text === 'string' ? log.includes(text) : text.test(log))
      if (has()) return resolve()
      child.stderr!.on('data', () => has() && resolve())
      child.once('exit', (code) => reject(new Error(`mount ended with ${code}: ${log}`)))
    })
  await said('mounted on')
  return { folder, log: () => log, said, ended, pid: child.pid!, signal: (name) => void child.kill(name) }
}

/** A program that must neither fail nor hang. */
export function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'latin1', timeout: MOUNT_LIMIT, maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}${error?.message ?? ''}`)
  return stdout
}

export function asUser(uid: number, program: string, ...args: string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', program, ...args], { encoding: 'utf8', timeout: MOUNT_LIMIT })
  return { code: status, stdout, stderr }
}
