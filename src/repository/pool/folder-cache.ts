/** The folders of one restore request, open while its files are made. */
import { close, O_DIRECTORY, O_PATH, O_RDONLY, openBeneath } from '../../util/posix/open.ts'
import { fstat } from '../../util/posix/stat.ts'

export interface OpenFolder {
  readonly fd: number
  readonly isSetgid: boolean
}

export interface FolderCache {
  open(path: Uint8Array): OpenFolder
  /** Descriptors are the process's: a thread that ends does not close them. */
  close(): void
}

const SETGID = 0o2000

const FOLDERS_OPEN = 64

/** Folders below the target by descriptor; none is ever reached through a link. */
export function folderCache(targetFd: number): FolderCache {
  const open = new Map<string, OpenFolder>()
  const described = (fd: number): OpenFolder => ({ fd, isSetgid: (fstat(fd).mode & SETGID) !== 0 })
  return {
    open(path) {
      if (path.length === 0) return described(targetFd)
      const key = Buffer.from(path).toString('latin1')
      const known = open.get(key)
      if (known !== undefined) return known
      const folder = described(openBeneath(targetFd, path, O_RDONLY | O_PATH | O_DIRECTORY))
      open.set(key, folder)
      if (open.size > FOLDERS_OPEN) {
        const [oldest, { fd }] = open.entries().next().value!
        open.delete(oldest)
        close(fd)
      }
      return folder
    },
    close() {
      for (const { fd } of open.values()) close(fd)
      open.clear()
    },
  }
}
