/**
 * A source folder by descriptor. The walk leaves a folder long before the last of its files has been
 * read, and those are opened by name below it: no path is then too long, and none can be led
 * elsewhere by a folder that was exchanged for a link. So a folder stays open until the walk and
 * every file of it have let go.
 */
import { AT_FDCWD, close } from '../util/posix/open.ts'

/** Folders that the walk has left and that wait for their files; more make the walk wait. */
const WAITING_MOST = 256

export interface SourceFolder {
  readonly fd: number
  /** One more file of it is to be read. */
  hold(): void
  release(): void
  /** The walk is done with it. */
  leave(): void
}

export interface SourceFolders {
  open(fd: number): SourceFolder
  isFull(): boolean
  /** Resolves when some folders that waited have been closed. Only files on their way close them. */
  room(): Promise<void>
}

/** For what is reached by its absolute path. */
export const NO_FOLDER: SourceFolder = { fd: AT_FDCWD, hold: () => undefined, release: () => undefined, leave: () => undefined }

export function createSourceFolders(): SourceFolders {
  let waiting = 0
  let waiters: (() => void)[] = []

  const closed = (fd: number): void => {
    close(fd)
    if (waiting >= WAITING_MOST / 2) return
    for (const wake of waiters) wake()
    waiters = []
  }

  return {
    open(fd) {
      let files = 0
      let isLeft = false
      return {
        fd,
        hold: () => void files++,
        release() {
          if (--files > 0 || !isLeft) return
          waiting--
          closed(fd)
        },
        leave() {
          isLeft = true
          if (files === 0) close(fd)
          else waiting++
        },
      }
    },
    isFull: () => waiting >= WAITING_MOST,
    room: () => (waiting < WAITING_MOST ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  }
}
