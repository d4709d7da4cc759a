/** A folder that something is to be mounted on, or that something is mounted on and may be dead. */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { errnoOf } from './errors.ts'
import { escapeBytes } from './posix/system-error.ts'

export interface FolderState {
  /** Absolute, without links. */
  readonly path: Uint8Array
  readonly state: 'empty' | 'full' | 'missing' | 'no folder' | 'dead'
  /** The error of the system where it is none of these. */
  readonly problem: string | undefined
}

export function inspectFolder(path: string | Uint8Array): FolderState {
  const bytes = Buffer.from(path)
  try {
    const real = realpathSync(bytes, 'buffer')
    if (!statSync(real).isDirectory()) return { path: real, state: 'no folder', problem: undefined }
    return { path: real, state: readdirSync(real).length === 0 ? 'empty' : 'full', problem: undefined }
  } catch (error) {
    const code = errnoOf(error)
    const at = withRealParent(bytes)
    // What was mounted there has lost its program.
    if (code === 'ENOTCONN' || code === 'ECONNABORTED') return { path: at, state: 'dead', problem: undefined }
    if (code === 'ENOENT') return { path: at, state: 'missing', problem: undefined }
    if (code === 'ENOTDIR') return { path: at, state: 'no folder', problem: undefined }
    return { path: at, state: 'full', problem: error instanceof Error ? error.message : escapeBytes(bytes) }
  }
}

/** The path of a mount as the kernel tells it, without touching what is mounted. */
export function withRealParent(path: string | Uint8Array): Uint8Array {
  const text = Buffer.from(path).toString('latin1').replace(/\/+$/, '') || '/'
  const cut = text.lastIndexOf('/')
  const name = text.slice(cut + 1)
  if (text === '/' || name === '.' || name === '..') return new Uint8Array(realpathSync(Buffer.from(text, 'latin1'), 'buffer'))
  try {
    const parent = realpathSync(Buffer.from(cut === -1 ? '.' : text.slice(0, cut) || '/', 'latin1'), 'buffer').toString('latin1')
    return new Uint8Array(Buffer.from(`${parent === '/' ? '' : parent}/${name}`, 'latin1'))
  } catch {
    return new Uint8Array(Buffer.from(text, 'latin1'))
  }
}

/** Whether an ordinary user may let others in. */
export function allowsOthers(): boolean {
  try {
    return /^\s*user_allow_other\s*$/m.test(readFileSync('/etc/fuse.conf', 'utf8'))
  } catch {
    return false
  }
}
