/** Loading whole small objects, with what every reader of them has to check first. */
import type { Backend, ObjectInfo, ObjectRef, ObjectType } from '../backend/backend.ts'
import { BackupError, isBackupError } from '../util/errors.ts'
import { OBJECT_BYTES_LIMIT } from './format.ts'

/** @throws {BackupError} BACKEND_NOT_FOUND; CORRUPT - larger than any such object may be */
export async function loadObject(backend: Backend, ref: ObjectRef | ObjectInfo, signal?: AbortSignal): Promise<Uint8Array> {
  if ('sizeBytes' in ref && ref.sizeBytes > OBJECT_BYTES_LIMIT) throw new BackupError('CORRUPT', `${ref.type}/${ref.name} has ${ref.sizeBytes} bytes, more than such an object may have`)
  return backend.load(ref, undefined, { signal })
}

export async function listObjects(backend: Backend, type: ObjectType, signal?: AbortSignal): Promise<ObjectInfo[]> {
  // By name: a list may be made of pages, and an object stand on two of them.
  const found = new Map<string, ObjectInfo>()
  for await (const info of backend.list(type, { signal })) found.set(info.name, info)
  return [...found.values()]
}

/**
 * Some stores acknowledge a write and keep a part of it: whoever goes on to rely on an object looks first.
 * @param what - what comes of it, for the message
 * @throws {BackupError} BACKEND_TRUNCATED
 */
export async function requireStored(backend: Backend, ref: ObjectRef, sizeBytes: number, { what, signal }: { readonly what: string; readonly signal?: AbortSignal | undefined }): Promise<void> {
  const stored = await backend.stat(ref, { signal })
  if (stored?.sizeBytes === sizeBytes) return
  throw new BackupError('BACKEND_TRUNCATED', `${ref.type}/${ref.name} was acknowledged by the storage, but ${stored === undefined ? 'is not there' : `has ${stored.sizeBytes} instead of ${sizeBytes} bytes`}: ${what}`, { path: `${ref.type}/${ref.name}` })
}

/**
 * Stores an object that is named by the hash of its bytes and that others will rely on. One that was
 * cut short goes away again: nobody can have read anything in it.
 * @throws {BackupError} BACKEND_TRUNCATED
 */
export async function createHashed(backend: Backend, ref: ObjectRef, bytes: Uint8Array, options: { readonly what: string; readonly signal?: AbortSignal | undefined }): Promise<void> {
  await backend.create(ref, [bytes], { signal: options.signal })
  try {
    await requireStored(backend, ref, bytes.length, options)
  } catch (error) {
    if (isBackupError(error, 'BACKEND_TRUNCATED')) await backend.remove(ref).catch(() => undefined)
    throw error
  }
}

/** Group and id of a name `<group>/<id>`. */
export function splitName(name: string): { group: number; id: string } {
  const slash = name.indexOf('/')
  return { group: Number(name.slice(0, slash)), id: name.slice(slash + 1) }
}
