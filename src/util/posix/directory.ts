/**
 * The names in a folder, as raw bytes and in byte order. `getdents64` fills one reused buffer and
 * the entries become Latin-1 strings, because those sort several times faster than Buffers do; only
 * the result is Buffers. Measured in bench/posix.bench.ts against `readdirSync`.
 */
import { fallbackReadEntries } from './fallback-directory.ts'
import { fileTypeOfNumber, type DirectoryEntry } from './file-stat.ts'
import { CALL, nativeCalls, type NativeCalls } from './native.ts'
import { errnoNumber, systemError } from './system-error.ts'

export type { DirectoryEntry, EntryType } from './file-stat.ts'

/** 128 KiB hold about 3,000 entries; larger made no difference. */
const RECORDS_BYTES = 131_072
/** Names that share memory. */
const BATCH = 256
const SEEK_SET = 0
let records: Buffer | undefined
let lengths = new Uint16Array(0)

/**
 * All entries but `.` and `..`, sorted by the bytes of their names. The directory is read from its
 * start, whatever was read from the descriptor before. Names are the caller's to keep.
 *
 * @throws {PosixError} ENOTDIR, EIO…
 */
export function readEntries(fd: number): DirectoryEntry[] {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackReadEntries(fd)
  const found = readSorted(calls, fd)
  const entries: DirectoryEntry[] = []
  eachName(found, (name, number) => {
    entries.push({ name, type: fileTypeOfNumber(number) ?? 'unknown' })
  })
  return entries
}

/** The entries of a folder that are yet to come, in byte order of their names. */
export interface EntryList {
  next(): DirectoryEntry | undefined
  /** Whether there is, or was, an entry of that name. */
  has(name: string): boolean
}

/**
 * As `readEntries`, but what is held is a string for each name: of a million names of 19 bytes a
 * process grew by 124 MB, with their buffers by 271.
 */
export function listEntries(fd: number): EntryList {
  const calls = nativeCalls()
  if (calls === undefined) return listOf(fallbackReadEntries(fd))
  const found = readSorted(calls, fd)
  let batch: DirectoryEntry[] = []
  let at = 0
  let from = 0
  return {
    next() {
      if (at === batch.length) {
        batch = []
        at = 0
        eachName(found.slice(from, from + BATCH), (name, number) => void batch.push({ name, type: fileTypeOfNumber(number) ?? 'unknown' }))
        from += batch.length
      }
      return batch[at++]
    },
    has(name) {
      const key = `${Buffer.from(name).toString('latin1')}\0`
      let low = 0
      let high = found.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (found[middle]! < key) low = middle + 1
        else high = middle
      }
      return found[low]?.startsWith(key) === true
    },
  }
}

/** Entries that are there, as a list of those to come. */
export function listOf(entries: readonly DirectoryEntry[]): EntryList {
  let at = 0
  return {
    next: () => entries[at++],
    has: (name) => entries.some((entry) => entry.name.equals(Buffer.from(name))),
  }
}

/** As `readEntries`, the names alone. */
export function readNames(fd: number): Buffer[] {
  const calls = nativeCalls()
  if (calls === undefined) return fallbackReadEntries(fd).map((entry) => entry.name)
  const names: Buffer[] = []
  eachName(readSorted(calls, fd), (name) => names.push(name))
  return names
}

/**
 * Makes the strings Buffers again, a batch at once because a copy for each costs more than the
 * system calls do. A name that is kept keeps its batch in memory, hence the bound.
 */
function eachName(texts: readonly string[], visit: (name: Buffer, number: number) => void): void {
  for (let from = 0; from < texts.length; from += BATCH) {
    const to = Math.min(from + BATCH, texts.length)
    const batch = Buffer.from(texts.slice(from, to).join(''), 'latin1')
    let start = 0
    for (let i = from; i < to; i++) {
      const end = start + texts[i]!.length
      visit(batch.subarray(start, end - 2), batch[end - 1]!)
      start = end
    }
  }
}

/**
 * Each string is name, NUL, type. NUL sorts before all that a name can hold, so the strings sort
 * exactly as the names do.
 */
function readSorted(calls: NativeCalls, fd: number): string[] {
  records ??= allocateRecords()
  const found: string[] = []
  if (calls.lseek(fd, 0, SEEK_SET) < 0) throw systemError(calls.errno(), 'scandir')
  for (;;) {
    const filled = calls.getdents64(CALL.getdents64, fd, records, RECORDS_BYTES)
    if (filled === 0) return found.sort()
    if (filled > 0) {
      collect(records, filled, found)
    } else {
      const errno = calls.errno()
      // The directory was removed while it was open: it has no entries any more.
      if (errno === errnoNumber('ENOENT')) return []
      if (errno !== errnoNumber('EINTR')) throw systemError(errno, 'scandir')
    }
  }
}

function allocateRecords(): Buffer {
  // Eight bytes more, as the last entry's type is written after its name.
  const memory = new ArrayBuffer(RECORDS_BYTES + 8)
  lengths = new Uint16Array(memory)
  return Buffer.from(memory)
}

/**
 * struct linux_dirent64: inode (8 bytes), offset (8), length (2), type (1), name, NUL; at multiples
 * of 8. The type is copied behind the NUL, where it can only hit padding or the next inode, neither
 * of which is read.
 */
function collect(from: Buffer, filled: number, into: string[]): void {
  for (let at = 0; at < filled; at += lengths[(at + 16) >> 1]!) {
    const start = at + 19
    let end = start
    while (from[end] !== 0) end++
    if (from[start] === 0x2e) {
      const dots = end - start
      if (dots === 1 || (dots === 2 && from[start + 1] === 0x2e)) continue
    }
    from[end + 1] = from[at + 18]!
    into.push(from.toString('latin1', start, end + 2))
  }
}
