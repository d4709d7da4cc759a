/**
 * Temporary files that a killed process or a power cut has left in the folders of a local repository.
 * Nobody lists them, and they may be as large as packs. Age is patience only: whoever still writes one
 * that was taken away writes it again.
 */
import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { nowNs } from '../util/clock.ts'
import { throwIfAborted } from '../util/errors.ts'
import { foldersOf, isFolderName, objectTypes } from './layout.ts'
import { unlessErrno } from './local-error.ts'
import type { Leftovers } from './backend.ts'

const TEMPORARY = /^\.tmp-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function temporaryName(): string {
  return `.tmp-${crypto.randomUUID()}`
}

/** @param olderThanMs - by the time of the last write; undefined takes all */
export async function removeTemporaryFiles(root: string, olderThanMs: number | undefined, signal: AbortSignal | undefined): Promise<Leftovers> {
  const found = { files: 0, bytes: 0 }
  for (const folder of await foldersBelow(root)) {
    throwIfAborted(signal)
    for (const name of (await namesIn(folder)).filter((name) => TEMPORARY.test(name))) {
      const path = join(folder, name)
      const stats = await unlessErrno(['ENOENT'], () => lstat(path))
      if (stats === undefined || !stats.isFile()) continue
      if (olderThanMs !== undefined && Number(nowNs() / 1_000_000n) - stats.mtimeMs < olderThanMs) continue
      await unlessErrno(['ENOENT'], () => unlink(path))
      found.files++
      found.bytes += stats.size
    }
  }
  return found
}

/** Every folder in which objects may stand. */
async function foldersBelow(root: string): Promise<string[]> {
  const folders = [root]
  for (const type of objectTypes) {
    if (foldersOf(type) === 'root') continue
    const folder = join(root, type)
    folders.push(folder)
    if (foldersOf(type) !== 'flat') folders.push(...(await namesIn(folder)).filter((name) => isFolderName(type, name)).map((name) => join(folder, name)))
  }
  return folders
}

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessErrno(['ENOENT', 'ENOTDIR'], () => readdir(folder))) ?? []
}
