/** `statAt` and `fstat` on `node:fs`: the bigint form of its stat, which alone has nanoseconds. */
import { fstatSync, lstatSync, statSync, type BigIntStats } from 'node:fs'
import { errnoOf } from '../errors.ts'
import { calling, pathOf } from './fallback.ts'
import { fileTypeOfMode, type FileStat } from './file-stat.ts'

export function fallbackStatAt(dirFd: number, name: Uint8Array, follow: boolean): FileStat
export function fallbackStatAt(
  dirFd: number,
  name: Uint8Array,
  follow: boolean,
  absent: true,
): FileStat | undefined
export function fallbackStatAt(
  dirFd: number,
  name: Uint8Array,
  follow: boolean,
  absent = false,
): FileStat | undefined {
  const path = pathOf(dirFd, name, 'stat')
  try {
    return convert(calling('stat', name, () => (follow ? statSync : lstatSync)(path, { bigint: true })))
  } catch (error) {
    const code = errnoOf(error)
    if (absent && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined
    throw error
  }
}

export function fallbackFstat(fd: number): FileStat {
  return convert(calling('fstat', undefined, () => fstatSync(fd, { bigint: true })))
}

function convert(from: BigIntStats): FileStat {
  const mode = Number(from.mode)
  return {
    type: fileTypeOfMode(mode),
    mode: mode & 0o7777,
    uid: Number(from.uid),
    gid: Number(from.gid),
    size: Number(from.size),
    inode: from.ino <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(from.ino) : from.ino,
    device: majorOf(from.dev) * 0x100000000 + minorOf(from.dev),
    links: Number(from.nlink),
    mtimeS: seconds(from.mtimeNs),
    mtimeNs: nanoseconds(from.mtimeNs),
    ctimeS: seconds(from.ctimeNs),
    ctimeNs: nanoseconds(from.ctimeNs),
    atimeS: seconds(from.atimeNs),
    atimeNs: nanoseconds(from.atimeNs),
    rdevMajor: majorOf(from.rdev),
    rdevMinor: minorOf(from.rdev),
    blocks: Number(from.blocks),
  }
}

function nanoseconds(time: bigint): number {
  return Number(((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)
}

function seconds(time: bigint): number {
  return Number((time - BigInt(nanoseconds(time))) / 1_000_000_000n)
}

/** Device numbers are packed by macOS as 8 and 24 bits, by Linux as 12, 20 and more around them. */
function majorOf(device: bigint): number {
  if (process.platform === 'darwin') return Number((device >> 24n) & 0xffn)
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n))
}

function minorOf(device: bigint): number {
  if (process.platform === 'darwin') return Number(device & 0xffffffn)
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n))
}
