/** Taking away from a folder of folders of files what was not used for longest, until little enough is left. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { mapOrdered } from '../../util/map-ordered.ts'

export interface Room {
  readonly bytes: number
  readonly files: number
}

interface File {
  readonly path: string
  readonly bytes: number
  readonly usedMs: number
}

const AT_ONCE = 16

/** What is gone meanwhile, or cannot be looked at, is passed over. */
export async function* filesBelow(folder: string): AsyncGenerator<File> {
  for (const name of await readdir(folder).catch(() => [])) {
    const files = await readdir(join(folder, name)).catch(() => [])
    const look = async (file: string): Promise<File | undefined> => {
      const path = join(folder, name, file)
      const found = await stat(path).catch(() => undefined)
      return found?.isFile() === true ? { path, bytes: found.size, usedMs: found.mtimeMs } : undefined
    }
    for await (const file of mapOrdered(files, { concurrency: AT_ONCE }, look)) if (file !== undefined) yield file
  }
}

/** Two who do this at once take away the same. */
export async function takeOldest(folder: string, room: Room): Promise<void> {
  const files: File[] = []
  let bytes = 0
  for await (const file of filesBelow(folder)) {
    files.push(file)
    bytes += file.bytes
  }
  files.sort((a, b) => a.usedMs - b.usedMs)
  for (let at = 0; at < files.length && (bytes > room.bytes || files.length - at > room.files); at++) {
    await rm(files[at]!.path, { force: true }).catch(() => undefined)
    bytes -= files[at]!.bytes
  }
}
