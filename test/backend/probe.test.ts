/** A storage that does not do what safety rests on is found out, in each of the ways to fail. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend, ObjectInfo, ObjectType } from '../../src/backend/backend.ts'
import { localBackend } from '../../src/backend/local.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { type ProbeNeed, probeBackend, requireSuitable } from '../../src/backend/probe.ts'
import { createRepository } from '../../src/repository/repository.ts'
import { BackupError } from '../../src/util/errors.ts'
import { CHEAP_KDF, namesIn, PASSWORD, PERSON } from '../repository/support.ts'
import { expectRejected } from '../util/expect-error.ts'

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2))
}

/** What looks first and writes then, as a gateway that knows no conditional write does. */
function lookThenWrite(): Backend {
  const inner = memoryBackend()
  return {
    ...inner,
    async create(ref, parts) {
      if ((await inner.stat(ref)) !== undefined) return 'exists'
      await pause()
      await inner.remove(ref)
      return inner.create(ref, parts)
    },
  }
}

function overwriting(): Backend {
  const inner = memoryBackend()
  return {
    ...inner,
    async create(ref, parts) {
      await inner.remove(ref)
      return inner.create(ref, parts)
    },
  }
}

function refusingAll(): Backend {
  return { ...memoryBackend(), create: () => Promise.resolve('exists') }
}

/** A list that is a moment old. */
function listingLate(): Backend {
  const inner = memoryBackend()
  const recent = new Set<string>()
  return {
    ...inner,
    async create(ref, parts) {
      recent.add(ref.name)
      setTimeout(() => recent.delete(ref.name), 50)
      return inner.create(ref, parts)
    },
    async *list(type: ObjectType): AsyncGenerator<ObjectInfo> {
      for await (const info of inner.list(type)) if (!recent.has(info.name)) yield info
    },
  }
}

function readingWrong(): Backend {
  const inner = memoryBackend()
  return { ...inner, load: async (ref, range) => (await inner.load(ref, range)).map((byte) => byte ^ 1) }
}

describe('a probe', () => {
  test.each<[string, () => Backend, ProbeNeed]>([
    ['looks first and writes then', lookThenWrite, 'create-if-absent'],
    ['overwrites what is there', overwriting, 'create-if-absent'],
    ['says of everything that it is there', refusingAll, 'create-if-absent'],
    ['lists what was there a moment ago', listingLate, 'list-after-create'],
    ['gives back other bytes', readingWrong, 'read-after-create'],
  ])('finds a storage that %s', async (_what, make, need) => {
    const backend = make()
    const { problems } = await probeBackend(backend)
    expect(problems.map((problem) => problem.need)).toContain(need)
    const error = await expectRejected(requireSuitable(backend), 'BACKEND_UNSUITABLE')
    expect(error.details).toMatchObject({ needs: expect.arrayContaining([need]) as unknown })
    expect(error.message.split('\n')).toHaveLength(1)
    // No repository is made there, nor a part of one.
    await expectRejected(createRepository({ backend, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF }), 'BACKEND_UNSUITABLE')
    for (const type of ['config', 'keys'] as const) expect(await namesIn(backend, type)).toEqual([])
  })

  test('finds nothing wrong with memory and with a folder, again and again, and leaves nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nacre-probe-'))
    try {
      for (const backend of [memoryBackend(), await localBackend(folder)]) {
        for (let i = 0; i < 5; i++) expect(await probeBackend(backend)).toMatchObject({ problems: [], leftBehind: undefined })
        expect(await namesIn(backend, 'probes')).toEqual([])
      }
      expect(await readdir(folder, { recursive: true })).toEqual(['probes'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('by several at once finds nothing wrong either', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nacre-probe-'))
    try {
      const backends = await Promise.all(Array.from({ length: 4 }, () => localBackend(folder)))
      for (const { problems } of await Promise.all(backends.map((backend) => probeBackend(backend)))) expect(problems).toEqual([])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('where nothing may be removed says so and finds nothing wrong', async () => {
    const inner = memoryBackend()
    const backend: Backend = { ...inner, remove: () => Promise.reject(new BackupError('BACKEND_DENIED', 'append only')) }
    expect(await requireSuitable(backend)).toMatchObject({ problems: [], leftBehind: 'append only' })
    expect(await namesIn(inner, 'probes')).not.toEqual([])
  })

  test('of a storage that cannot be written to throws what the storage says', async () => {
    const backend: Backend = { ...memoryBackend(), create: () => Promise.reject(new BackupError('BACKEND_DENIED', 'read-only')) }
    await expectRejected(probeBackend(backend), 'BACKEND_DENIED')
  })
})
