/**
 * Which processes have something open below a folder: by the names that the kernel gives to what
 * they hold, so that nothing of a file system that may not answer is touched.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface Holder {
  readonly pid: number
  readonly program: string
  /** What it holds: its working folder, or a file. */
  readonly path: Uint8Array
}

/** Those that may be looked at: of others' processes only root learns. */
export function holdersOf(folder: Uint8Array, most = 10): Holder[] {
  const wanted = Buffer.from(folder).toString('latin1')
  const found: Holder[] = []
  for (const name of listed('/proc').filter((entry) => /^\d+$/.test(entry))) {
    if (Number(name) === process.pid) continue
    const path = heldBy(`/proc/${name}`, (target) => target === wanted || target.startsWith(`${wanted}/`))
    if (path !== undefined) found.push({ pid: Number(name), program: programOf(name), path: new Uint8Array(Buffer.from(path, 'latin1')) })
    if (found.length === most) break
  }
  return found
}

function heldBy(process: string, isWanted: (target: string) => boolean): string | undefined {
  for (const link of ['cwd', 'root', 'exe', ...listed(`${process}/fd`).map((fd) => `fd/${fd}`)]) {
    const target = linkTarget(`${process}/${link}`)
    if (target !== undefined && isWanted(target)) return target
  }
  return mappedBy(process, isWanted)
}

function mappedBy(process: string, isWanted: (target: string) => boolean): string | undefined {
  try {
    return readFileSync(`${process}/maps`).toString('latin1').split('\n').map((line) => line.slice(line.indexOf('/'))).find(isWanted)
  } catch {
    return undefined
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function programOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return '?'
  }
}
