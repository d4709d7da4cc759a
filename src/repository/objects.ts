/** Loading whole small objects, with what every reader of them has to check first. */
import type { Backend, ObjectInfo, ObjectRef, ObjectType } from '../backend/backend.ts'
import { BackupError } from '../util/errors.ts'
import { OBJECT_BYTES_LIMIT } from './format.ts'

/** @throws {BackupError} BACKEND_NOT_FOUND; CORRUPT - larger than any such object may be */
export async function loadObject(backend: Backend, ref: ObjectRef | ObjectInfo, signal?: AbortSignal): Promise<Uint8Array> {
  if ('sizeBytes' in ref && ref.sizeBytes > OBJECT_BYTES_LIMIT) throw new BackupError('CORRUPT', `${ref.type}/${ref.name} has ${ref.sizeBytes} bytes, more than such an object may have`)
  return backend.load(ref, undefined, { signal })
}

export async function listObjects(backend: Backend, type: ObjectType, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = []
  for await (const info of backend.list(type, { signal })) found.push(info)
  return found
}

/** Group and id of a name `<group>/<id>`. */
export function splitName(name: string): { group: number; id: string } {
  const slash = name.indexOf('/')
  return { group: Number(name.slice(0, slash)), id: name.slice(slash + 1) }
}
