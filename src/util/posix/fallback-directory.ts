/** The entries of an open directory on `node:fs`, in the same order as the native call gives them. */
import { readdirSync, type Dirent } from 'node:fs'
import { calling, pathOfDescriptor } from './fallback.ts'
import type { DirectoryEntry, EntryType } from './file-stat.ts'

export function fallbackReadEntries(fd: number): DirectoryEntry[] {
  const path = pathOfDescriptor(fd, 'scandir')
  return calling('scandir', undefined, () => {
    return readdirSync(path, { encoding: 'buffer', withFileTypes: true })
      .map((entry) => ({ name: entry.name, type: typeOf(entry) }))
      .sort((a, b) => Buffer.compare(a.name, b.name))
  })
}

function typeOf(entry: Dirent<Buffer>): EntryType {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'symlink'
  if (entry.isFIFO()) return 'fifo'
  if (entry.isSocket()) return 'socket'
  if (entry.isBlockDevice()) return 'block'
  if (entry.isCharacterDevice()) return 'character'
  return 'unknown'
}
