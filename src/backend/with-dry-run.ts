/**
 * A backend that can be read and not changed: what would be created or removed is only said to be.
 * So a dry run takes the same path through the code as a real one. What was "created" has its size,
 * and cannot be read back.
 */
import { throwIfAborted } from '../util/errors.ts'
import { refKey } from './layout.ts'
import type { Backend } from './backend.ts'

export function withDryRun(inner: Backend): Backend {
  const created = new Map<string, number>()
  return {
    ...inner,

    async create(ref, parts, { signal } = {}) {
      throwIfAborted(signal)
      created.set(refKey(ref), parts.reduce((sum, part) => sum + part.length, 0))
      return 'created'
    },

    async stat(ref, options) {
      const sizeBytes = created.get(refKey(ref))
      return sizeBytes === undefined ? inner.stat(ref, options) : { ...ref, sizeBytes }
    },

    async remove(ref, { signal } = {}) {
      refKey(ref)
      throwIfAborted(signal)
    },

    async removeLeftovers() {
      return { files: 0, bytes: 0 }
    },

    ...(inner.setLock && {
      async setLock(ref, _lock, { signal } = {}) {
        refKey(ref)
        throwIfAborted(signal)
      },
    }),
  }
}
