/**
 * A backend that can be read and not changed: what would be created or removed is only said to be.
 * So a dry run takes the same path through the code as a real one. Nothing that was "created" can be
 * read back.
 */
import { throwIfAborted } from '../util/errors.ts'
import { refKey } from './layout.ts'
import type { Backend } from './backend.ts'

export function withDryRun(inner: Backend): Backend {
  return {
    ...inner,

    async create(ref, _parts, { signal } = {}) {
      refKey(ref)
      throwIfAborted(signal)
      return 'created'
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
