/**
 * Objects in memory, for tests and for programs that want a repository without a disk. Bytes are
 * copied on the way in and on the way out, so that nobody can change an object.
 */
import { nowNs } from '../util/clock.ts'
import { concatBytes } from '../util/bytes.ts'
import { BackupError, throwIfAborted } from '../util/errors.ts'
import { checkRange, rangeWithin } from './range.ts'
import { checkType, parseKey, refKey } from './layout.ts'
import type { Backend, ObjectInfo, ObjectLock, ObjectType, OperationOptions } from './backend.ts'

export function memoryBackend(): Backend {
  const objects = new Map<string, Uint8Array>()
  const locks = new Map<string, ObjectLock>()

  return {
    location: 'memory',
    connections: 16,

    async create(ref, parts, { signal, lock } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      if (objects.has(key)) return 'exists'
      objects.set(key, concatBytes(...parts))
      if (lock !== undefined) locks.set(key, lock)
      return 'created'
    },

    async load(ref, range, { signal } = {}) {
      const key = refKey(ref)
      checkRange(range)
      throwIfAborted(signal)
      const bytes = objects.get(key)
      if (!bytes) throw new BackupError('BACKEND_NOT_FOUND', `${key} is not in memory`, { path: key })
      const { offset, length } = rangeWithin(range, bytes.length, key)
      return bytes.slice(offset, offset + length)
    },

    async stat(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      const bytes = objects.get(key)
      return bytes && { type: ref.type, name: ref.name, sizeBytes: bytes.length }
    },

    list(type, options = {}) {
      checkType(type)
      return listed(type, options)
    },

    async remove(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      if (isLocked(locks.get(key))) throw denied(key, 'is locked')
      objects.delete(key)
      locks.delete(key)
    },

    async lockOf(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      return locks.get(key)
    },

    async setLock(ref, lock, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      if (!objects.has(key)) throw new BackupError('BACKEND_NOT_FOUND', `${key} is not in memory`, { path: key })
      const standing = locks.get(key)
      if (isLocked(standing) && (lock.untilMs < standing!.untilMs || (standing!.mode === 'compliance' && lock.mode !== 'compliance'))) throw denied(key, 'has a stronger lock')
      locks.set(key, lock)
    },

    async [Symbol.asyncDispose]() {},
  }

  async function* listed(
    type: ObjectType,
    { after = '', signal }: OperationOptions & { readonly after?: string },
  ): AsyncGenerator<ObjectInfo> {
    throwIfAborted(signal)
    for (const key of [...objects.keys()]) {
      const ref = parseKey(key)
      if (ref?.type !== type || ref.name <= after) continue
      throwIfAborted(signal)
      const bytes = objects.get(key)
      if (bytes) yield { ...ref, sizeBytes: bytes.length }
    }
  }
}

function isLocked(lock: ObjectLock | undefined): boolean {
  return lock !== undefined && lock.untilMs > Number(nowNs() / 1_000_000n)
}

function denied(key: string, why: string): BackupError {
  return new BackupError('BACKEND_DENIED', `${key} ${why}`, { path: key, details: { isLocked: true } })
}
