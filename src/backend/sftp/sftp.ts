/**
 * A repository that an SFTP server holds. An object is written to a temporary file beside its place,
 * synced where the server can, and given its name by a hard link, which fails when the name is taken:
 * OpenSSH's extension. Without it the file is renamed, which other servers do over what is there; such
 * a backend says of itself that it is unguarded.
 */
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import type { Backend, CreateResult, ObjectInfo, ObjectRef, ObjectType, OperationOptions } from '../backend.ts'
import { checkType, foldersOf, isFolderName, parseKey, refKey } from '../layout.ts'
import { checkRange } from '../range.ts'
import { untilAborted } from './abortable.ts'
import type { Connection } from './connection.ts'
import type { SftpClient } from './client.ts'
import type { Attributes, NamedEntry } from './replies.ts'
import { closeQuietly, exists, HARDLINK, linkNew, makeFolder, readFolder, renameNew, syncFolder, writeNewFile } from './server-files.ts'
import { type ServerFolders, serverFolders } from './server-folders.ts'
import { told } from './sftp-error.ts'
import { isStatus, STATUS, unlessStatus } from './status.ts'
import { readRange } from './transfer.ts'
import { OPEN_READ } from './wire.ts'

type ListOptions = OperationOptions & { readonly after?: string }

export interface SftpPlace {
  readonly connection: Connection
  /** Absolute, or relative to where the server lets one in; `.` is that itself. */
  readonly root: string
  /** For messages. */
  readonly location: string
  /**
   * Why hard links there are none, whatever the server says. rclone 1.60 offers them, acknowledges each
   * and makes none; then a rename removes what is there, and moves after that.
   */
  readonly withoutLinks?: string | undefined
}

/** Each waits for a few answers in turn, and shares the connection's window. */
const CONNECTIONS = 8
/** Folders that are read at once; a server may have few handles. */
const FOLDERS_AT_ONCE = 16
/** The names that unguarded backends of this process create at the moment. */
const creating = new Map<string, Promise<unknown>>()

/**
 * Opens an existing folder. The connection is the backend's from here on, also when this fails.
 * @throws {BackupError} BACKEND_NOT_FOUND when there is none, BACKEND_DENIED, BACKEND_FAILED
 */
export async function sftpBackend({ connection, root, location, withoutLinks }: SftpPlace): Promise<Backend> {
  const connect = (): Promise<SftpClient> => connection.client()
  const opened = await closingOnFailure(connection, () => told('open the repository', location, () => openRoot(connect, root, location)))
  const folders = serverFolders({ root, location, hasConfig: opened.hasConfig, connect })
  const unguarded = withoutLinks ?? (opened.hasLinks ? undefined : 'the server has no hard links (hardlink@openssh.com), and so cannot create an object only if it is absent')
  const running = new Set<Promise<unknown>>()

  return {
    location,
    connections: CONNECTIONS,
    unguarded,

    async create(ref, parts, { signal } = {}) {
      const key = refKey(ref)
      return run(`store ${key}`, signal, () => createObject(key, parts, signal))
    },

    async load(ref, range, { signal, memory } = {}) {
      const key = refKey(ref)
      checkRange(range)
      return run(`read ${key}`, signal, async () => {
        const client = await connect()
        const handle = await unlessStatus([STATUS.noSuchFile], () => client.handle({ kind: 'open', path: folders.path(key), flags: OPEN_READ }))
        if (handle === undefined) {
          await folders.confirmRoot()
          throw new BackupError('BACKEND_NOT_FOUND', `${key} is not at ${location}`, { path: key })
        }
        try {
          const bytes = await readRange(client, handle, range, { key, memory, signal })
          if (bytes === 'no file') throw notRegular(key)
          return bytes
        } finally {
          closeQuietly(client, handle)
        }
      })
    },

    async stat(ref, { signal } = {}) {
      refKey(ref)
      return run(`look at ${refKey(ref)}`, signal, async () => {
        const info = await infoOf(ref)
        if (info === undefined) await folders.confirmRoot()
        return info
      })
    },

    list(type, options = {}) {
      checkType(type)
      return listObjects(type, options)
    },

    async remove(ref, { signal } = {}) {
      const key = refKey(ref)
      await run(`remove ${key}`, signal, () => removeObject(key))
    },

    async [Symbol.asyncDispose]() {
      // What was aborted clears away behind itself; what hangs is not waited for.
      await Promise.race([Promise.allSettled([...running]), new Promise((resolve) => setTimeout(resolve, 2000).unref())])
      await connection.close()
    },
  }

  async function run<T>(doing: string, signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    const work = told(doing, location, call)
    running.add(work)
    void work.catch(() => undefined).finally(() => running.delete(work))
    return untilAborted(signal, work)
  }

  async function createObject(key: string, parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<CreateResult> {
    const folder = folderOf(key)
    const client = await connect()
    const path = folders.path(key)
    const temporary = `${folders.path(folder)}/.tmp-${crypto.randomUUID()}`
    await writeBeside(client, { folder, temporary, parts, signal })
    const result = unguarded === undefined ? await linkNew(client, temporary, path) : await inTurn(`${location}\n${key}`, () => renameNew(client, temporary, path))
    // For `exists` too: the caller will rely on what another may have linked only just now.
    await folders.sync(folder)
    return result
  }

  /** Most often the folder is there: it is made sure of while the file is written. */
  async function writeBeside(client: SftpClient, { folder, temporary, parts, signal }: { folder: string; temporary: string; parts: readonly Uint8Array[]; signal: AbortSignal | undefined }): Promise<void> {
    const made = folders.make(folder)
    made.catch(() => undefined)
    try {
      await writeNewFile(client, temporary, parts, signal)
    } catch (error) {
      if (!isStatus(error, STATUS.noSuchFile)) throw error
      await made
      await writeNewFile(client, temporary, parts, signal)
    }
    await made
  }

  async function infoOf(ref: ObjectRef): Promise<ObjectInfo | undefined> {
    const key = refKey(ref)
    const client = await connect()
    const attributes = await unlessStatus([STATUS.noSuchFile], () => client.attributes({ kind: 'lstat', path: folders.path(key) }))
    return attributes && { type: ref.type, name: ref.name, sizeBytes: sizeOf(attributes, key) }
  }

  async function removeObject(key: string): Promise<void> {
    const client = await connect()
    await unlessStatus([STATUS.noSuchFile], () => client.done({ kind: 'remove', path: folders.path(key) }))
    // Also when it was gone: it may have been taken away a moment ago by one who died before this.
    await unlessStatus([STATUS.noSuchFile], () => folders.sync(folderOf(key)))
  }

  async function* listObjects(type: ObjectType, { after = '', signal }: ListOptions): AsyncGenerator<ObjectInfo> {
    const listed = (folder: string): Promise<NamedEntry[] | undefined> => run(`list ${folder}`, signal, () => readListed(folders, connect, { folder, isSynced: type !== 'packs', signal }))
    const shape = foldersOf(type)
    let isAny = false
    for await (const infos of shape === 'root' ? [await rootObject(type, signal)] : shape === 'flat' ? [objectsIn(type, (await listed(type)) ?? [])] : below(type, after, signal, listed)) {
      for (const info of infos) {
        isAny = true
        if (info.name > after) yield info
      }
    }
    if (!isAny) await run(`list ${type}`, signal, () => folders.confirmRoot())
  }

  async function rootObject(type: ObjectType, signal: AbortSignal | undefined): Promise<ObjectInfo[]> {
    const info = await run(`list ${type}`, signal, () => infoOf({ type, name: type }))
    return info === undefined ? [] : [info]
  }

  async function* below(type: ObjectType, after: string, signal: AbortSignal | undefined, listed: (folder: string) => Promise<NamedEntry[] | undefined>): AsyncGenerator<ObjectInfo[]> {
    const names = ((await listed(type)) ?? []).filter(({ name, kind }) => kind !== 'file' && isFolderName(type, name) && mayHold(type, name, after))
    yield* mapOrdered(names, { concurrency: FOLDERS_AT_ONCE, signal }, async ({ name, kind }) => {
      const folder = `${type}/${name}`
      // A link may lead to a folder elsewhere.
      if (kind !== 'folder' && !(await run(`list ${folder}`, signal, async () => (await (await connect()).attributes({ kind: 'stat', path: folders.path(folder) })).kind === 'folder'))) return []
      const entries = await listed(folder)
      if (entries === undefined) throw new BackupError('BACKEND_FAILED', `cannot list ${folder} at ${location}: it was there a moment ago`, { path: location, retryable: true })
      return objectsIn(folder, entries)
    })
  }
}

/**
 * Makes the folder of a new repository, and those above it, where they are missing.
 * @throws {BackupError} BACKEND_DENIED, BACKEND_FAILED
 */
export async function createSftpRoot({ connection, root, location }: SftpPlace): Promise<void> {
  await closingOnFailure(connection, () => told('make the folder of the repository', location, async () => makeAll(await connection.client(), root)))
}

async function makeAll(client: SftpClient, path: string): Promise<void> {
  if (path === '/' || path === '.' || (await exists(client, path))) return
  const slash = path.lastIndexOf('/')
  const parent = slash > 0 ? path.slice(0, slash) : slash === 0 ? '/' : '.'
  await makeAll(client, parent)
  await makeFolder(client, path)
  await syncFolder(client, parent)
}

async function openRoot(connect: () => Promise<SftpClient>, root: string, location: string): Promise<{ hasLinks: boolean; hasConfig: boolean }> {
  const client = await connect()
  const handle = await unlessStatus([STATUS.noSuchFile], () => client.handle({ kind: 'opendir', path: root }))
  // OpenSSH says of a file that it is no such folder.
  if (handle === undefined && (await exists(client, root))) throw new BackupError('BACKEND_FAILED', `${location} is not a folder`, { path: location })
  if (handle === undefined) throw new BackupError('BACKEND_NOT_FOUND', `there is no folder ${location}`, { path: location })
  closeQuietly(client, handle)
  const hasConfig = await exists(client, root === '/' ? '/config' : `${root}/config`)
  return { hasLinks: client.extensions.has(HARDLINK), hasConfig }
}

async function closingOnFailure<T>(connection: Connection, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * What is listed is about to be relied on, and may have been linked by a process that is not yet done
 * syncing. Packs are spared this: whoever indexed one had it synced.
 */
async function readListed(folders: ServerFolders, connect: () => Promise<SftpClient>, { folder, isSynced, signal }: { readonly folder: string; readonly isSynced: boolean; readonly signal: AbortSignal | undefined }): Promise<NamedEntry[] | undefined> {
  const entries = await readFolder(await connect(), folders.path(folder), signal)
  if (entries === undefined || !isSynced) return entries
  await folders.anchor(folder)
  await folders.sync(folder)
  return entries
}

/** One after another for each name, and no two at once. */
async function inTurn<T>(name: string, call: () => Promise<T>): Promise<T> {
  const before = creating.get(name)
  const turn = (before ?? Promise.resolve()).then(call, call)
  creating.set(name, turn)
  try {
    return await turn
  } finally {
    if (creating.get(name) === turn) creating.delete(name)
  }
}

function objectsIn(folder: string, entries: readonly NamedEntry[]): ObjectInfo[] {
  const infos: ObjectInfo[] = []
  for (const entry of entries) {
    const key = `${folder}/${entry.name}`
    const ref = parseKey(key)
    if (ref) infos.push({ ...ref, sizeBytes: sizeOf(entry, key) })
  }
  return infos
}

function sizeOf({ kind, sizeBytes }: Attributes, key: string): number {
  if ((kind !== undefined && kind !== 'file') || sizeBytes === undefined) throw notRegular(key)
  return sizeBytes
}

/** Whether a folder can hold a name that comes after that one, so that others need not be read. */
function mayHold(type: ObjectType, folderName: string, after: string): boolean {
  const prefix = type === 'packs' ? folderName : `${folderName}/`
  return prefix >= after.slice(0, prefix.length)
}

function folderOf(key: string): string {
  return key.slice(0, Math.max(key.lastIndexOf('/'), 0))
}

function notRegular(key: string): BackupError {
  return new BackupError('BACKEND_FAILED', `${key} is not a regular file`, { path: key })
}
