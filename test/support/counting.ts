/** Counts the requests that a piece of code makes, by verb, for tests that bound them. */
import type { Backend } from '../../src/backend/backend.ts'

export interface RequestCounts {
  create: number
  load: number
  stat: number
  list: number
  remove: number
}

export function noRequests(): RequestCounts {
  return { create: 0, load: 0, stat: 0, list: 0, remove: 0 }
}

export function withCounting(inner: Backend, counts: RequestCounts): Backend {
  return {
    ...inner,
    create(...args) {
      counts.create += 1
      return inner.create(...args)
    },
    load(...args) {
      counts.load += 1
      return inner.load(...args)
    },
    stat(...args) {
      counts.stat += 1
      return inner.stat(...args)
    },
    list(...args) {
      counts.list += 1
      return inner.list(...args)
    },
    remove(...args) {
      counts.remove += 1
      return inner.remove(...args)
    },
  }
}
