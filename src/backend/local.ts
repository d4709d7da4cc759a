/**
 * A repository in a folder. An object is written to a temporary file beside its place, synced, and
 * given its name by link(2): that fails when the name is taken, where rename(2) would put one
 * object over another. Then the folder is synced, so that the name lasts too.
 */
import { link, lstat, mkdir, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { BackupError, errnoOf, throwIfAborted } from '../util/errors.ts'
import { isFolderName, checkType, foldersOf, parseKey, refKey } from './layout.ts'
import { isSystemError, localError, reasonOf, unlessErrno } from './local-error.ts'
import { isSameFile, readRange, sizeOf, withTemporaryFile } from './local-file.ts'
import { removeTemporaryFiles, temporaryName } from './local-leftovers.ts'
import { openLocalFolders, syncFolder } from './local-folders.ts'
import { checkRange } from './range.ts'
import type { LocalFolders } from './local-folders.ts'
import type { Backend, CreateResult, ObjectInfo, ObjectRef, ObjectType, OperationOptions } from './backend.ts'

type ListOptions = OperationOptions & { readonly after?: string }

/** libuv has four threads for file work. */
const connections = 4
/** Enough to keep those threads busy while a list is read. */
const statsAtOnce = 64

/**
 * Opens an existing folder.
 * @throws {BackupError} BACKEND_NOT_FOUND when there is none, or something else stands there, BACKEND_DENIED, BACKEND_FAILED
 */
export async function localBackend(path: string): Promise<Backend> {
  const root = resolve(path)
  const folders = await told('open the repository', root, () => openRoot(root))

  return {
    location: root,
    connections,

    async create(ref, parts, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      return told(`store ${key}`, root, () => createObject(key, parts, signal))
    },

    async load(ref, range, { signal, memory } = {}) {
      const key = refKey(ref)
      checkRange(range)
      throwIfAborted(signal)
      return told(`read ${key}`, root, async () => {
        const bytes = await unlessErrno(['ENOENT'], () => readRange(join(root, key), range, { key, signal, memory }))
        if (bytes) return bytes
        await folders.confirmRoot()
        throw new BackupError('BACKEND_NOT_FOUND', `${key} is not in ${root}`, { path: key })
      })
    },

    async stat(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      return told(`look at ${key}`, root, () => infoOf(ref))
    },

    list(type, options = {}) {
      checkType(type)
      return listObjects(type, options)
    },

    async remove(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      await told(`remove ${key}`, root, () => removeObject(key))
    },

    async removeLeftovers(olderThanMs, { signal } = {}) {
      throwIfAborted(signal)
      return told('remove temporary files', root, async () => {
        await folders.confirmRoot()
        return removeTemporaryFiles(root, olderThanMs, signal)
      })
    },

    async [Symbol.asyncDispose]() {},
  }

  async function createObject(
    key: string,
    parts: readonly Uint8Array[],
    signal: AbortSignal | undefined,
  ): Promise<CreateResult> {
    const folder = folderOf(key)
    await folders.confirmRoot()
    await folders.make(folder)
    const attempt = (): Promise<CreateResult> => {
      const temporary = join(root, folder, temporaryName())
      return withTemporaryFile(temporary, parts, signal, () => linkNew(temporary, join(root, key)))
    }
    // Gone between write and link: somebody took it for a leftover.
    const result = (await unlessErrno(['ENOENT'], attempt)) ?? (await attempt())
    // For `exists` too: the caller will rely on what another may have linked only just now.
    await folders.sync(folder)
    return result
  }

  async function infoOf(ref: ObjectRef): Promise<ObjectInfo | undefined> {
    const key = refKey(ref)
    const sizeBytes = await sizeOf(join(root, key), key)
    if (sizeBytes !== undefined) return { type: ref.type, name: ref.name, sizeBytes }
    await folders.confirmRoot()
    return undefined
  }

  async function removeObject(key: string): Promise<void> {
    await folders.confirmRoot()
    await unlessErrno(['ENOENT'], () => unlink(join(root, key)))
    // Also when it was gone: it may have been taken away a moment ago by one who died before this.
    await unlessErrno(['ENOENT'], () => folders.sync(folderOf(key)))
  }

  async function* listObjects(type: ObjectType, { after = '', signal }: ListOptions): AsyncGenerator<ObjectInfo> {
    for await (const refs of listedFolders(type, after, signal)) {
      const wanted = refs.filter((ref) => ref.name > after)
      for (let at = 0; at < wanted.length; at += statsAtOnce) {
        throwIfAborted(signal)
        const some = wanted.slice(at, at + statsAtOnce)
        const infos = await told(`list ${type}`, root, () => Promise.all(some.map(infoOf)))
        for (const info of infos) if (info) yield info
      }
    }
    await folders.confirmRoot()
  }

  /** The objects that the folders of a type name, folder by folder. */
  async function* listedFolders(
    type: ObjectType,
    after: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ObjectRef[]> {
    throwIfAborted(signal)
    const shape = foldersOf(type)
    if (shape === 'root') return yield [{ type, name: type } as ObjectRef]
    const names = await told(`list ${type}`, root, () => readTypeFolder(type))
    if (shape === 'flat') return yield objectsIn(type, names)
    for (const name of names.filter((name) => isFolderName(type, name) && mayHold(type, name, after))) {
      throwIfAborted(signal)
      const folder = `${type}/${name}`
      yield objectsIn(folder, await told(`list ${folder}`, root, () => readSubfolder(type, folder)))
    }
  }

  /** Empty when the folder was never made; all else that keeps it from being read is an error. */
  async function readTypeFolder(type: ObjectType): Promise<string[]> {
    const names = await unlessErrno(['ENOENT'], () => readSynced(type, type))
    if (names) return names
    await readdir(root)
    const found = await unlessErrno(['ENOENT'], () => lstat(join(root, type)))
    if (!found || found.isDirectory()) return []
    throw new BackupError('BACKEND_FAILED', `${join(root, type)} leads nowhere`, { path: root })
  }

  async function readSubfolder(type: ObjectType, folder: string): Promise<string[]> {
    const stats = await stat(join(root, folder))
    return stats.isDirectory() ? readSynced(type, folder) : []
  }

  /**
   * What is listed is about to be relied on, and may have been linked by a process that is not yet
   * done syncing. Packs are spared this, 256 folders of them: whoever indexed one had it synced.
   */
  async function readSynced(type: ObjectType, folder: string): Promise<string[]> {
    const names = await readdir(join(root, folder))
    if (type === 'packs') return names
    await folders.anchor(folder)
    await folders.sync(folder)
    return names
  }
}

/**
 * Makes the folder of a new repository, and those above it, where they are missing; durable.
 * @throws {BackupError} BACKEND_FULL, BACKEND_DENIED, BACKEND_FAILED
 */
export async function createLocalRoot(path: string): Promise<void> {
  const root = resolve(path)
  await told('make the folder of the repository', root, () => makeDurably(root))
}

async function makeDurably(path: string): Promise<void> {
  const found = await unlessErrno(['ENOENT'], () => stat(path))
  if (found?.isDirectory()) return
  if (dirname(path) !== path) await makeDurably(dirname(path))
  await mkdir(path, 0o700)
  await syncFolder(dirname(path))
}

async function openRoot(root: string): Promise<LocalFolders> {
  const stats = await unlessErrno(['ENOENT'], () => stat(root))
  if (!stats) throw new BackupError('BACKEND_NOT_FOUND', `there is no folder ${root}`, { path: root })
  if (!stats.isDirectory()) throw new BackupError('BACKEND_NOT_FOUND', `${root} is not a folder`, { path: root })
  await readdir(root)
  return openLocalFolders(root)
}

async function linkNew(temporary: string, path: string): Promise<CreateResult> {
  try {
    await link(temporary, path)
    return 'created'
  } catch (error) {
    const errno = isSystemError(error) ? errnoOf(error) : undefined
    // The answer of a network file system may be lost and the call sent twice: the name may be ours.
    if (errno === 'EEXIST') return (await isSameFile(temporary, path)) ? 'created' : 'exists'
    if (errno === undefined || !linkRefusals.has(errno)) throw error
    const message =
      `the file system of ${dirname(path)} refuses hard links: ${reasonOf(error)}. Without them nacre cannot ` +
      'create an object without the danger of overwriting another; use another file system'
    throw new BackupError('BACKEND_FAILED', message, { cause: error, path, details: { errno } })
  }
}

const linkRefusals: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

function objectsIn(folder: string, names: readonly string[]): ObjectRef[] {
  return names.map((name) => parseKey(`${folder}/${name}`)).filter((ref) => ref !== undefined)
}

/** Whether a folder can hold a name that comes after that one, so that others need not be read. */
function mayHold(type: ObjectType, folderName: string, after: string): boolean {
  const prefix = type === 'packs' ? folderName : `${folderName}/`
  return prefix >= after.slice(0, prefix.length)
}

function folderOf(key: string): string {
  return key.slice(0, Math.max(key.lastIndexOf('/'), 0))
}

/** Puts what the system says into nacre's codes, with what was tried. */
async function told<T>(doing: string, root: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw localError(error, doing, root)
  }
}
