/**
 * For buckets that keep versions at services that mind no condition there: each create makes one more
 * version and is told that it created. So the name is looked at first, and creates of one name wait for
 * each other in this process. Two processes may still both make it: it serves who is alone.
 */
import { refKey } from './layout.ts'
import type { Backend, CreateResult } from './backend.ts'

export const LOOKS_FIRST = 'the bucket keeps versions, and its service minds no condition there, so two who create one name at once may both be told that they did'

export function withLook(inner: Backend): Backend {
  const last = new Map<string, Promise<unknown>>()
  return {
    ...inner,
    unguarded: LOOKS_FIRST,

    async create(ref, parts, options = {}) {
      const key = refKey(ref)
      const act = async (): Promise<CreateResult> => ((await inner.stat(ref, options)) === undefined ? inner.create(ref, parts, options) : 'exists')
      const mine = (last.get(key) ?? Promise.resolve()).then(act, act)
      last.set(key, mine)
      try {
        return await mine
      } finally {
        if (last.get(key) === mine) last.delete(key)
      }
    },
  }
}
