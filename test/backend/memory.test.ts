import { describe, expect, test } from 'vitest'

import { memoryBackend } from '../../src/backend/memory.ts'
import { packRef } from '../../src/backend/layout.ts'
import { withDryRun } from '../../src/backend/with-dry-run.ts'
import { backendSuite, collect, id, pattern } from '../suites/backend-suite.ts'
import { noRequests, withCounting } from '../support/counting.ts'

backendSuite('memory', async () => ({ backend: memoryBackend(), cleanup: async () => undefined }))

backendSuite('memory behind a counter', async () => ({
  backend: withCounting(memoryBackend(), noRequests()),
  cleanup: async () => undefined,
}))

describe('counting', () => {
  test('counts requests by verb', async () => {
    const counts = noRequests()
    const backend = withCounting(memoryBackend(), counts)
    await backend.create(packRef(id(1)), [])
    await backend.create(packRef(id(1)), [])
    await backend.load(packRef(id(1)))
    await collect(backend.list('packs'))
    expect(counts).toEqual({ create: 2, load: 1, stat: 0, list: 1, remove: 0 })
  })
})

describe('dry run', () => {
  test('says created and changes nothing', async () => {
    const inner = memoryBackend()
    await inner.create(packRef(id(1)), [pattern(5, 1)])
    const backend = withDryRun(inner)
    expect(await backend.create(packRef(id(2)), [pattern(5, 2)])).toBe('created')
    await backend.remove(packRef(id(1)))
    expect(await collect(inner.list('packs'))).toEqual([{ ...packRef(id(1)), sizeBytes: 5 }])
    expect(await backend.load(packRef(id(1)))).toEqual(pattern(5, 1))
  })

  test('judges names and signals as the real one does', async () => {
    const backend = withDryRun(memoryBackend())
    const reason = new Error('stopped')
    const signal = AbortSignal.abort(reason)
    await expect(backend.create({ type: 'packs', name: '..' }, [])).rejects.toThrow(TypeError)
    await expect(backend.remove({ type: 'packs', name: '..' })).rejects.toThrow(TypeError)
    await expect(backend.create(packRef(id(1)), [], { signal })).rejects.toBe(reason)
    await expect(backend.remove(packRef(id(1)), { signal })).rejects.toBe(reason)
  })
})
