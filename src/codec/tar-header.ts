/**
 * The header block of a tar entry, as POSIX (ustar) and GNU tar have it. 512 bytes:
 *
 *   at 0 name[100], 100 mode[8], 108 uid[8], 116 gid[8], 124 size[12], 136 mtime[12], 148 checksum[8],
 *   156 type, 157 link[100], 257 magic and version[8], 265 user[32], 297 group[32], 329 major[8],
 *   337 minor[8], 345 prefix[155]
 *
 * Numbers are octal text, or GNU's base 256 where the first bit is set. Names are bytes.
 */
import { concatBytes } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'

export const TAR_BLOCK = 512
const NAME_BYTES = 100
const PREFIX_BYTES = 155
const SLASH = 0x2f
const USTAR = Buffer.from('ustar\x0000', 'latin1')
const GNU = Buffer.from('ustar  \0', 'latin1')

export interface TarHeader {
  readonly name: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeS: number
  /** `0` file, `1` hard link, `2` symbolic link, `3` `4` devices, `5` folder, `6` FIFO, `x` and `g` pax… */
  readonly type: string
  readonly link: Uint8Array
  readonly user: Uint8Array
  readonly group: Uint8Array
  readonly major: number
  readonly minor: number
}

/** The largest number that so many octal digits hold. */
export function octalLimit(digits: number): number {
  return 8 ** digits - 1
}

/** Whether the name fits the header, by itself or cut in two at a slash. */
export function fitsName(name: Uint8Array): boolean {
  return name.length <= NAME_BYTES || splitName(name) !== undefined
}

export function fitsLink(link: Uint8Array): boolean {
  return link.length <= NAME_BYTES
}

export function fitsOwner(name: Uint8Array): boolean {
  return name.length < 32
}

/** What does not fit is cut or set to the most there is: a pax header in front says it then. */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  const block = Buffer.alloc(TAR_BLOCK)
  const split = header.name.length <= NAME_BYTES ? { prefix: new Uint8Array(0), name: header.name } : (splitName(header.name) ?? { prefix: new Uint8Array(0), name: header.name.subarray(0, NAME_BYTES) })
  block.set(split.name, 0)
  octal(block, 100, 7, header.mode)
  octal(block, 108, 7, header.uid)
  octal(block, 116, 7, header.gid)
  octal(block, 124, 11, header.size)
  octal(block, 136, 11, header.mtimeS)
  block.write(header.type, 156, 'latin1')
  block.set(header.link.subarray(0, NAME_BYTES), 157)
  block.set(USTAR, 257)
  block.set(header.user.subarray(0, 31), 265)
  block.set(header.group.subarray(0, 31), 297)
  octal(block, 329, 7, header.major)
  octal(block, 337, 7, header.minor)
  block.set(split.prefix, 345)
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

function octal(block: Buffer, at: number, digits: number, value: number): void {
  block.write(Math.min(Math.max(0, value), octalLimit(digits)).toString(8).padStart(digits, '0'), at, 'latin1')
}

function splitName(name: Uint8Array): { prefix: Uint8Array; name: Uint8Array } | undefined {
  // The first slash that leaves few enough bytes behind it; one at the end of a folder's name is part of it.
  const slash = name.indexOf(SLASH, name.length - NAME_BYTES - 1)
  if (slash <= 0 || slash > PREFIX_BYTES || slash === name.length - 1) return undefined
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) }
}

/** Of all bytes, with the field of the checksum taken for blanks. */
function checksum(block: Uint8Array): number {
  let sum = 8 * 0x20
  for (let i = 0; i < TAR_BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!
  return sum
}

/**
 * The header in a block, or undefined for one of zeros, which ends a tar.
 * @throws {BackupError} CORRUPT - no header
 */
export function decodeTarHeader(block: Uint8Array): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined
  if (signedNumber(block, 148, 8) !== checksum(block)) throw new BackupError('CORRUPT', 'a header of the tar has a wrong checksum: it is damaged, compressed, or no tar')
  const magic = block.subarray(257, 265)
  const isUstar = Buffer.compare(magic.subarray(0, 6), USTAR.subarray(0, 6)) === 0
  const isGnu = Buffer.compare(magic, GNU) === 0
  const name = text(block, 0, NAME_BYTES)
  const prefix = isUstar ? text(block, 345, PREFIX_BYTES) : new Uint8Array(0)
  const flag = block[156]!
  const hasOwners = isUstar || isGnu
  return {
    name: prefix.length === 0 ? name : concatBytes(prefix, Uint8Array.of(SLASH), name),
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    mtimeS: signedNumber(block, 136, 12),
    type: flag === 0 ? '0' : String.fromCharCode(flag),
    link: text(block, 157, NAME_BYTES),
    user: hasOwners ? text(block, 265, 32) : new Uint8Array(0),
    group: hasOwners ? text(block, 297, 32) : new Uint8Array(0),
    major: hasOwners ? number(block, 329, 8, 'device') : 0,
    minor: hasOwners ? number(block, 337, 8, 'device') : 0,
  }
}

/** Up to a zero byte, if there is one; the caller's to keep. */
function text(block: Uint8Array, at: number, length: number): Uint8Array {
  const field = block.subarray(at, at + length)
  const end = field.indexOf(0)
  return field.slice(0, end === -1 ? length : end)
}

/** @throws {BackupError} CORRUPT - no number, or one that no file system has */
export function tarNumber(block: Uint8Array, at: number, length: number, what: string): number {
  return number(block, at, length, what)
}

function number(block: Uint8Array, at: number, length: number, what: string): number {
  const value = signedNumber(block, at, length)
  if (!Number.isSafeInteger(value) || value < 0) throw new BackupError('CORRUPT', `a header of the tar states a ${what} that nothing has`)
  return value
}

function signedNumber(block: Uint8Array, at: number, length: number): number {
  const first = block[at]!
  if ((first & 0x80) !== 0) {
    // Base 256, in two's complement behind the marking bit.
    let value = (first & 0x40) === 0 ? first & 0x3f : (first & 0x3f) - 0x40
    for (let i = at + 1; i < at + length; i++) value = value * 256 + block[i]!
    return value
  }
  const digits = Buffer.from(block.subarray(at, at + length)).toString('latin1').replace(/\0.*$/s, '').trim()
  if (!/^[0-7]*$/.test(digits)) return Number.NaN
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}
