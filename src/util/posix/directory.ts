/**
 * The names in a folder, as raw bytes and in byte order. `getdents64` fills one reused buffer, and
 * names are gathered and sorted as bytes: no string is made of one, and no object before it is its
 * turn. Measured in bench/posix.bench.ts against `readdirSync`.
 *
 * A folder may hold more names than there is memory. Then only those that come first are kept, and
 * when they have been given out the folder is read once more, for those that come next.
 */
import { fallbackReadEntries } from './fallback-directory.ts'
import { fileTypeOfNumber, type DirectoryEntry } from './file-stat.ts'
import { compareName, NameTable } from './name-table.ts'
import { CALL, nativeCalls, type NativeCalls } from './native.ts'
import { statAtIfPresent } from './stat.ts'
import { errnoNumber, PosixError, systemError } from './system-error.ts'

export type { DirectoryEntry, EntryType } from './file-stat.ts'

/** 128 KiB hold about 3,000 entries; larger made no difference. */
const RECORDS_BYTES = 131_072
/** The least that the system makes of an entry, whatever its name. */
const RECORD_BYTES = 24
/** Some 400,000 names of 20 bytes are in memory at once; a folder of a million is read a few times. */
const NAMES_BYTES = 12 * 1024 * 1024
const SEEK_SET = 0
let records: Buffer | undefined
let lengths = new Uint16Array(0)

/** The entries of a folder that are yet to come, in byte order of their names. */
export interface EntryList {
  /** @throws {PosixError} where the folder is read again, and cannot be */
  next(): DirectoryEntry | undefined
  /** Whether there is, or was, an entry of that name. */
  has(name: string): boolean
}

/**
 * All entries but `.` and `..`, in the order of the bytes of their names. The directory is read from
 * its start, whatever was read from the descriptor before; it must stay open. Names are the
 * caller's to keep, but one that is kept keeps those around it in memory.
 *
 * @param mostBytes - of names that are in memory at once
 * @throws {PosixError} ENOTDIR, EIO…
 */
export function listEntries(fd: number, mostBytes = NAMES_BYTES): EntryList {
  const calls = nativeCalls()
  if (calls === undefined) return listOf(fallbackReadEntries(fd))
  let { names, isAll } = readSorted(calls, fd, undefined, mostBytes)
  const isWhole = isAll
  let at = 0
  return {
    next() {
      if (at === names.count && !isAll) {
        ;({ names, isAll } = readSorted(calls, fd, names.nameAt(at - 1), mostBytes))
        at = 0
      }
      if (at === names.count) return undefined
      return { name: names.nameAt(at), type: fileTypeOfNumber(names.typeAt(at++)) ?? 'unknown' }
    },
    has: (name) => (isWhole ? names.has(Buffer.from(name)) : isThere(fd, Buffer.from(name))),
  }
}

/** As `listEntries`, at once: for folders that are known to be small. */
export function readEntries(fd: number): DirectoryEntry[] {
  const list = listEntries(fd)
  const entries: DirectoryEntry[] = []
  for (let entry = list.next(); entry !== undefined; entry = list.next()) entries.push(entry)
  return entries
}

function listOf(entries: readonly DirectoryEntry[]): EntryList {
  let at = 0
  return {
    next: () => entries[at++],
    has: (name) => entries.some((entry) => entry.name.equals(Buffer.from(name))),
  }
}

function isThere(fd: number, name: Buffer): boolean {
  try {
    return statAtIfPresent(fd, name) !== undefined
  } catch (error) {
    // What cannot be asked for cannot be read either.
    if (!(error instanceof PosixError)) throw error
    return false
  }
}

interface SortedNames {
  readonly names: NameTable
  /** Whether none comes after them. */
  readonly isAll: boolean
}

/** @param after - only names that come after this one */
function readSorted(calls: NativeCalls, fd: number, after: Uint8Array | undefined, mostBytes: number): SortedNames {
  records ??= allocateRecords()
  if (calls.lseek(fd, 0, SEEK_SET) < 0) throw systemError(calls.errno(), 'scandir')
  let names: NameTable | undefined
  /** Where names from here on are left to a later reading. */
  let before: Uint8Array | undefined
  for (;;) {
    const filled = calls.getdents64(CALL.getdents64, fd, records, RECORDS_BYTES)
    if (filled < 0) {
      const errno = calls.errno()
      if (errno === errnoNumber('EINTR')) continue
      // The directory was removed while it was open: it has no entries any more.
      if (errno === errnoNumber('ENOENT')) return { names: new NameTable(0, 0), isAll: true }
      throw systemError(errno, 'scandir')
    }
    // What the first call has filled is, of most folders, all.
    names ??= new NameTable(filled, Math.ceil(filled / RECORD_BYTES))
    if (filled === 0) {
      names.sort()
      return { names, isAll: before === undefined }
    }
    collect(records, filled, names, { after, before })
    if (names.sizeBytes > mostBytes && names.count > 1) {
      names.sort()
      const half = names.count >> 1
      before = new Uint8Array(names.nameAt(half))
      names.keep(half)
    }
  }
}

function allocateRecords(): Buffer {
  const memory = new ArrayBuffer(RECORDS_BYTES)
  lengths = new Uint16Array(memory)
  return Buffer.from(memory)
}

interface Bounds {
  readonly after: Uint8Array | undefined
  readonly before: Uint8Array | undefined
}

/** struct linux_dirent64: inode (8 bytes), offset (8), length (2), type (1), name, NUL; at multiples of 8. */
function collect(from: Buffer, filled: number, into: NameTable, { after, before }: Bounds): void {
  for (let at = 0; at < filled; at += lengths[(at + 16) >> 1]!) {
    const start = at + 19
    let end = start
    while (from[end] !== 0) end++
    if (from[start] === 0x2e) {
      const dots = end - start
      if (dots === 1 || (dots === 2 && from[start + 1] === 0x2e)) continue
    }
    if (after !== undefined && compareName(from, start, after) <= 0) continue
    if (before !== undefined && compareName(from, start, before) >= 0) continue
    into.add(from, start, end, from[at + 18]!)
  }
}
