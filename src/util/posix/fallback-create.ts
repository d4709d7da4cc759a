/** The calls of `create.ts` on `node:fs`; contracts are there. */
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs'
import { errnoOf } from '../errors.ts'
import { calling, pathOf } from './fallback.ts'

export function mkdirAtIfAbsent(dirFd: number, name: Uint8Array, mode: number): boolean {
  const path = pathOf(dirFd, name, 'mkdir')
  return unless('EEXIST', () => calling('mkdir', name, () => mkdirSync(path, { mode })))
}

export function linkAt(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): void {
  const from = pathOf(oldDirFd, oldName, 'link')
  const to = pathOf(newDirFd, newName, 'link')
  calling('link', newName, () => linkSync(from, to))
}

export function symlinkAt(target: Uint8Array, dirFd: number, name: Uint8Array): void {
  const path = pathOf(dirFd, name, 'symlink')
  calling('symlink', name, () => symlinkSync(Buffer.from(target), path))
}

export function readlinkAt(dirFd: number, name: Uint8Array): Buffer {
  const path = pathOf(dirFd, name, 'readlink')
  return calling('readlink', name, () => readlinkSync(path, { encoding: 'buffer' }))
}

export function renameAt(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): void {
  const from = pathOf(oldDirFd, oldName, 'rename')
  const to = pathOf(newDirFd, newName, 'rename')
  calling('rename', newName, () => renameSync(from, to))
}

/** Directories have no second names: for them, and only them, it looks first and then renames. */
export function renameAtNoReplace(
  oldDirFd: number,
  oldName: Uint8Array,
  newDirFd: number,
  newName: Uint8Array,
): boolean {
  const from = pathOf(oldDirFd, oldName, 'rename')
  const to = pathOf(newDirFd, newName, 'rename')
  return calling('rename', newName, () => {
    if (lstatSync(from).isDirectory()) {
      if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false
      renameSync(from, to)
      return true
    }
    if (!unless('EEXIST', () => linkSync(from, to))) return false
    unlinkSync(from)
    return true
  })
}

export function unlinkAtIfPresent(dirFd: number, name: Uint8Array, directory: boolean): boolean {
  const syscall = directory ? 'rmdir' : 'unlink'
  const path = pathOf(dirFd, name, syscall)
  const remove = directory ? rmdirSync : unlinkSync
  return unless('ENOENT', () => calling(syscall, name, () => remove(path)))
}

/** True once it has run, false when it failed in the one way that is expected. */
function unless(code: string, run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (errnoOf(error) === code) return false
    throw error
  }
}
