/**
 * The records of a zip (PKWARE APPNOTE 6.3) as a stream writes them: sizes and checksum stand behind
 * each entry, and 64-bit sizes wherever they may be needed. Unix owners and times are Info-ZIP's
 * extra fields 0x5455 and 0x7875.
 */
import { isUtf8 } from 'node:buffer'
import { concatBytes } from '../util/bytes.ts'

export interface ZipEntry {
  /** With a slash at the end for a folder. */
  readonly name: Uint8Array
  /** Type and permissions, as Unix has them. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeS: number
  readonly isFolder: boolean
  readonly isDeflated: boolean
  /** Whether sizes take 64 bits. */
  readonly isLarge: boolean
}

export interface ZipSizes {
  readonly crc: number
  readonly packedBytes: number
  readonly bytes: number
}

const SIGNATURE = { local: 0x04034b50, descriptor: 0x08074b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 }
const U16 = 0xffff
const U32 = 0xffffffff
const FLAG_DESCRIPTOR = 8
const FLAG_UTF8 = 0x800
/** Version 4.5 reads 64-bit sizes; made on Unix by the same. */
const VERSION = 45
const MADE_BY = (3 << 8) | VERSION

type Field = readonly [bytes: 2 | 4 | 8, value: number]

function record(...fields: readonly Field[]): Uint8Array {
  const out = Buffer.alloc(fields.reduce((sum, [bytes]) => sum + bytes, 0))
  let at = 0
  for (const [bytes, value] of fields) {
    if (bytes === 8) out.writeBigUInt64LE(BigInt(value), at)
    else out.writeUIntLE(value, at, bytes)
    at += bytes
  }
  return out
}

export function zipLocalHeader(entry: ZipEntry): Uint8Array {
  const extra = concatBytes(entry.isLarge ? record([2, 1], [2, 16], [8, 0], [8, 0]) : new Uint8Array(0), unixFields(entry))
  const size = entry.isLarge ? U32 : 0
  return concatBytes(record([4, SIGNATURE.local], [2, VERSION], ...common(entry), [4, 0], [4, size], [4, size], [2, entry.name.length], [2, extra.length]), entry.name, extra)
}

export function zipDescriptor(entry: ZipEntry, sizes: ZipSizes): Uint8Array {
  const wide = entry.isLarge ? 8 : 4
  return record([4, SIGNATURE.descriptor], [4, sizes.crc], [wide, sizes.packedBytes], [wide, sizes.bytes])
}

export function zipCentralHeader(entry: ZipEntry, sizes: ZipSizes, offset: number): Uint8Array {
  const needs64 = entry.isLarge || offset >= U32
  const wide = record([2, 1], [2, 24], [8, sizes.bytes], [8, sizes.packedBytes], [8, offset])
  const extra = concatBytes(needs64 ? wide : new Uint8Array(0), unixFields(entry))
  const attributes = (entry.mode & U16) * 0x10000 + (entry.isFolder ? 0x10 : 0)
  const header = record(
    [4, SIGNATURE.central], [2, MADE_BY], [2, VERSION], ...common(entry), [4, sizes.crc], [4, needs64 ? U32 : sizes.packedBytes], [4, needs64 ? U32 : sizes.bytes],
    [2, entry.name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, attributes], [4, needs64 ? U32 : offset],
  )
  return concatBytes(header, entry.name, extra)
}

/** What ends a zip. @param offset - where the central headers begin */
export function zipEnd(entries: number, centralBytes: number, offset: number): Uint8Array {
  const end64 = record([4, SIGNATURE.end64], [8, 44], [2, MADE_BY], [2, VERSION], [4, 0], [4, 0], [8, entries], [8, entries], [8, centralBytes], [8, offset])
  const locator = record([4, SIGNATURE.locator64], [4, 0], [8, offset + centralBytes], [4, 1])
  const isLarge = entries >= U16 || centralBytes >= U32 || offset >= U32
  const count = Math.min(entries, U16)
  const end = record([4, SIGNATURE.end], [2, 0], [2, 0], [2, count], [2, count], [4, Math.min(centralBytes, U32)], [4, Math.min(offset, U32)], [2, 0])
  return isLarge ? concatBytes(end64, locator, end) : end
}

/** Flags, method, time and date. */
function common(entry: ZipEntry): readonly Field[] {
  const { time, date } = dosTime(entry.mtimeS)
  return [[2, FLAG_DESCRIPTOR | (isUtf8(entry.name) ? FLAG_UTF8 : 0)], [2, entry.isDeflated ? 8 : 0], [2, time], [2, date]]
}

/** Of years from 1980 to 2107, to two seconds. */
function dosTime(mtimeS: number): { time: number; date: number } {
  const at = new Date(Math.min(Math.max(mtimeS, 315_532_800), 4_354_819_198) * 1000)
  return {
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    date: ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
  }
}

function unixFields(entry: ZipEntry): Uint8Array {
  const owner = record([2, 0x7875], [2, 11])
  const ids = Buffer.alloc(11)
  ids[0] = 1
  ids[1] = 4
  ids.writeUInt32LE(entry.uid, 2)
  ids[6] = 4
  ids.writeUInt32LE(entry.gid, 7)
  if (entry.mtimeS < -0x80000000 || entry.mtimeS > 0x7fffffff) return concatBytes(owner, ids)
  const time = Buffer.alloc(9)
  time.writeUInt16LE(0x5455, 0)
  time.writeUInt16LE(5, 2)
  time[4] = 1
  time.writeInt32LE(entry.mtimeS, 5)
  return concatBytes(time, owner, ids)
}
