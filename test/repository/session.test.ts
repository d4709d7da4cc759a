import { describe, expect, test } from 'vitest'
import type { Backend, ObjectRef } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { openBlobReader } from '../../src/repository/blob-reader.ts'
import { openBlobStore, type StoreOptions } from '../../src/repository/blob-store.ts'
import { encodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import { loadIndex, trustedWriters } from '../../src/repository/index-loader.ts'
import { decodePackHeader, padme } from '../../src/repository/pack.ts'
import { decodeRegister, encodeFence } from '../../src/repository/register.ts'
import { createRepository, openRepository, type Repository } from '../../src/repository/repository.ts'
import { beginSession, type Session } from '../../src/repository/session.ts'
import { decodeSession } from '../../src/repository/session-object.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRejected } from '../util/expect-error.ts'
import { CHEAP_KDF, memoryRepository, namesIn, PASSWORD, PERSON, replaceObject } from './support.ts'

const STORE: StoreOptions = { threads: 0, level: 3, verifyFraction: 1, dryRun: false }
const BEGIN = { person: PERSON, kind: 'backup' }

/** Stores tree blobs of noise and gives their ids. */
async function storeTrees(repository: Repository, session: Session, seeds: readonly number[]): Promise<Uint8Array[]> {
  await using store = await openBlobStore(repository, session, STORE)
  const ids = seeds.map((seed) => store.saveTree(bytesOf(seed, 5000)))
  await store.flush()
  return ids
}

async function condemn(repository: Repository, generation: number, packs: readonly string[]): Promise<void> {
  const bytes = encodeGcRecord(repository.keyring, generation, 'plan', { packs, sweep: [], sweptBefore: [] })
  await repository.backend.create({ type: 'gc', name: gcName(generation, 'plan') }, [bytes])
}

/** A backend that remembers what was asked of it. */
function watched(inner: Backend): { backend: Backend; calls: string[] } {
  const calls: string[] = []
  const note = (verb: string, ref: Pick<ObjectRef, 'type'>): void => void calls.push(`${verb} ${ref.type}`)
  return {
    calls,
    backend: {
      ...inner,
      create: (ref, ...rest) => (note('create', ref), inner.create(ref, ...rest)),
      load: (ref, ...rest) => (note('load', ref), inner.load(ref, ...rest)),
      remove: (ref, ...rest) => (note('remove', ref), inner.remove(ref, ...rest)),
      list: (type, ...rest) => (note('list', { type }), inner.list(type, ...rest)),
    },
  }
}

describe('making and opening a repository', () => {
  test('leaves one config and one key, and an existing one is never touched', async () => {
    await using at = await memoryRepository()
    const before = await at.backend.load({ type: 'config', name: 'config' })
    await expectRejected(createRepository({ backend: at.backend, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF }), 'REPOSITORY_EXISTS')
    expect(await at.backend.load({ type: 'config', name: 'config' })).toEqual(before)
    expect(await namesIn(at.backend, 'keys')).toHaveLength(1)
  })

  test('by two at once makes one repository, which one password opens', async () => {
    const backend = memoryBackend()
    const passwords = [utf8('first'), utf8('second')]
    const results = await Promise.allSettled(passwords.map((password) => createRepository({ backend, password, person: PERSON, kdf: CHEAP_KDF })))
    const won = results.findIndex((result) => result.status === 'fulfilled')
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(await namesIn(backend, 'keys')).toHaveLength(1)
    const repository = await openRepository({ backend, password: passwords[won]!, cacheFolder: '/nonexistent' })
    expect(repository.keyring.role).toBe('owner')
    await expectRejected(openRepository({ backend, password: passwords[1 - won]!, cacheFolder: '/nonexistent' }), 'WRONG_PASSWORD')
  })

  test('is refused where a repository has lost its config, and opening it says what is missing', async () => {
    await using at = await memoryRepository()
    const config = await at.backend.load({ type: 'config', name: 'config' })
    await at.backend.create({ type: 'packs', name: 'ab'.repeat(32) }, [bytesOf(1, 10)])
    await at.backend.remove({ type: 'config', name: 'config' })
    const [key] = await namesIn(at.backend, 'keys')
    const init = (): Promise<unknown> => createRepository({ backend: at.backend, password: PASSWORD, person: PERSON, kdf: CHEAP_KDF })
    expect((await expectRejected(init(), 'REPOSITORY_EXISTS')).message).toMatch(/packs\/abab.*config is missing.*Nothing was touched/)
    expect((await expectRejected(at.open(), 'CORRUPT')).message).toMatch(/config is missing. Put a copy/)
    await at.backend.remove({ type: 'packs', name: 'ab'.repeat(32) })
    for (const found of [await expectRejected(init(), 'REPOSITORY_EXISTS'), await expectRejected(at.open(), 'CORRUPT')]) expect(found.message).toContain(`keys/${key}`)
    expect(await namesIn(at.backend, 'keys')).toEqual([key])
    expect(await namesIn(at.backend, 'config')).toEqual([])
    await at.backend.create({ type: 'config', name: 'config' }, [config])
    expect((await at.open()).id).toBe(at.repository.id)
  })

  test('names a config that is damaged, wherever it is', async () => {
    await using at = await memoryRepository()
    const ref = { type: 'config', name: 'config' } as const
    const whole = await at.backend.load(ref)
    for (const damaged of [whole.subarray(0, 0), whole.subarray(0, whole.length - 1), flipped(whole, 0), flipped(whole, 8 * 12), flipped(whole, 8 * 16), flipped(whole, 8 * 33), flipped(whole, whole.length * 8 - 1)]) {
      await replaceObject(at.backend, ref, damaged)
      const refused = await at.open().then(() => undefined, (error: unknown) => error as BackupError)
      expect(refused).toBeInstanceOf(BackupError)
      expect(refused!.message).toContain('config')
    }
  })

  test('says that there is none where there is none', async () => {
    await expectRejected(openRepository({ backend: memoryBackend(), password: PASSWORD, cacheFolder: '/nonexistent' }), 'REPOSITORY_NOT_FOUND')
  })

  test('refuses an empty password and a chunk size that cannot be', async () => {
    await expectRejected(createRepository({ backend: memoryBackend(), password: new Uint8Array(0), person: PERSON }), 'PASSWORD_REFUSED')
    await expectRejected(createRepository({ backend: memoryBackend(), password: PASSWORD, person: PERSON, chunkBytes: 5 }), 'INVALID_ARGUMENT')
  })
})

describe('a session', () => {
  test('says first that it is open, learns what is condemned before it loads the index, and that before the packs', async () => {
    await using at = await memoryRepository()
    const { backend, calls } = watched(at.backend)
    const repository = await at.open(backend)
    calls.length = 0
    const session = await beginSession(repository, BEGIN)
    expect(calls.filter((call) => !call.startsWith('load'))).toEqual(['create sessions', 'list gc', 'list index', 'list packs'])
    const stored = await at.backend.load({ type: 'sessions', name: session.name })
    expect(decodeSession(repository.keyring, 0, session.name, stored, trustedWriters(repository, 0))).toMatchObject({ host: 'nautilus', user: 'ada', kind: 'backup' })
  })

  test('writes packs before index objects before its register, and leaves last', async () => {
    await using at = await memoryRepository()
    const { backend, calls } = watched(at.backend)
    const repository = await at.open(backend)
    const session = await beginSession(repository, BEGIN)
    await storeTrees(repository, session, [1, 2, 3])
    expect(await session.commit(utf8('record'))).toBe('committed')
    const writes = [...new Set(calls.filter((call) => call.startsWith('create') || call.startsWith('remove')))]
    expect(writes).toEqual(['create sessions', 'create packs', 'create index', 'create snapshots', 'remove sessions'])
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    const register = await at.backend.load({ type: 'snapshots', name: session.name })
    expect(decodeRegister(repository.keyring, 0, session.name, register, trustedWriters(repository, 0))).toEqual({ kind: 'snapshot', body: utf8('record') })
  })

  test('counts as committed when the answer to its commit was lost', async () => {
    await using at = await memoryRepository()
    const lossy: Backend = {
      ...at.backend,
      async create(ref, ...rest) {
        const result = await at.backend.create(ref, ...rest)
        return ref.type === 'snapshots' ? 'exists' : result
      },
    }
    const session = await beginSession(await at.open(lossy), BEGIN)
    expect(await session.commit(utf8('record'))).toBe('committed')
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
    expect(await namesIn(at.backend, 'snapshots')).toEqual([session.name])
  })

  test('that was fenced does not commit, and leaves', async () => {
    await using at = await memoryRepository()
    const session = await beginSession(at.repository, BEGIN)
    const fence = encodeFence(at.repository.keyring, session.name, 0)
    await at.backend.create({ type: 'snapshots', name: session.name }, [fence])
    expect(await session.commit(utf8('record'))).toBe('fenced')
    expect(await at.backend.load({ type: 'snapshots', name: session.name })).toEqual(fence)
    expect(await namesIn(at.backend, 'sessions')).toEqual([])
  })

  test('takes nothing else in its register for a commit or a fence', async () => {
    await using at = await memoryRepository()
    for (const bytes of [utf8('something that is no object of ours, whatever it may be, and long enough'), new Uint8Array(0)]) {
      const session = await beginSession(at.repository, BEGIN)
      await at.backend.create({ type: 'snapshots', name: session.name }, [bytes])
      await expectRejected(session.commit(utf8('record')), 'CORRUPT')
      expect(await namesIn(at.backend, 'sessions')).toContain(session.name)
    }
  })

  test('that gives up fences itself before it leaves, so that no late commit can land', async () => {
    await using at = await memoryRepository()
    const { backend, calls } = watched(at.backend)
    const session = await beginSession(await at.open(backend), BEGIN)
    calls.length = 0
    await session.abandon()
    expect(calls).toEqual(['create snapshots', 'remove sessions'])
    const register = await at.backend.load({ type: 'snapshots', name: session.name })
    expect(decodeRegister(at.repository.keyring, 0, session.name, register, trustedWriters(at.repository, 0))).toEqual({ kind: 'fence' })
    expect(await session.commit(utf8('late'))).toBe('fenced')
  })

  test('that may not remove its object commits all the same, and says so', async () => {
    await using at = await memoryRepository()
    const readOnly: Backend = {
      ...at.backend,
      remove: () => Promise.reject(new BackupError('BACKEND_DENIED', 'no deletes here')),
    }
    const session = await beginSession(await at.open(readOnly), BEGIN)
    expect(await session.commit(utf8('record'))).toBe('committed')
    expect(at.notices.join()).toContain('no deletes here')
  })

  test('has a sid and a data key of its own', async () => {
    await using at = await memoryRepository()
    const sessions = [await beginSession(at.repository, BEGIN), await beginSession(at.repository, BEGIN)]
    expect(new Set(sessions.map(({ sid }) => sid)).size).toBe(2)
    expect(new Set(sessions.map(({ dataKey }) => toHex(dataKey.key))).size).toBe(2)
  })
})

describe('storing blobs', () => {
  test('stores each once, within a session and over several', async () => {
    await using at = await memoryRepository()
    const first = await beginSession(at.repository, BEGIN)
    await using store = await openBlobStore(at.repository, first, STORE)
    const id = store.saveTree(bytesOf(1, 5000))
    expect(store.has(id)).toBe(true)
    expect(toHex(store.saveTree(bytesOf(1, 5000)))).toBe(toHex(id))
    await store.flush()
    expect(store.added).toMatchObject({ blobs: 1, plainBytes: 5000 })
    await first.commit(utf8(''))

    const again = await at.open()
    const second = await beginSession(again, BEGIN)
    await using more = await openBlobStore(again, second, STORE)
    expect(toHex(more.saveTree(bytesOf(1, 5000)))).toBe(toHex(id))
    await more.flush()
    expect(more.added).toMatchObject({ blobs: 0, storedBytes: 0 })
  })

  test('makes packs that say what they are, carry their name\'s hash, and have a Padmé size', async () => {
    await using at = await memoryRepository()
    const session = await beginSession(at.repository, BEGIN)
    await storeTrees(at.repository, session, Array.from({ length: 40 }, (_, i) => i))
    for await (const info of at.backend.list('packs')) {
      const bytes = await at.backend.load(info)
      const { header } = decodePackHeader(bytes, 'pack')
      expect(toHex(header.session)).toBe(session.sid)
      expect(header.group).toBe(0)
      // To a byte: the length of the padding takes bytes itself.
      expect(Math.min(padme(bytes.length) - bytes.length, bytes.length - padme(bytes.length - 1))).toBeLessThanOrEqual(1)
      const { createHash } = await import('node:crypto')
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(info.name)
    }
  })

  test('gives blobs back to a reader without a catalogue', async () => {
    await using at = await memoryRepository()
    const seeds = Array.from({ length: 300 }, (_, i) => i)
    const ids = await storeTrees(at.repository, await beginSession(at.repository, BEGIN), seeds)
    const fresh = await at.open()
    await loadIndex(fresh)
    const reader = await openBlobReader(fresh)
    for (const [i, id] of ids.entries()) expect(Buffer.compare(await reader.load('tree', id), bytesOf(seeds[i]!, 5000))).toBe(0)
    await expectRejected(reader.load('data', ids[0]!), 'CORRUPT')
    await expectRejected(reader.load('tree', bytesOf(99, 32)), 'BLOB_MISSING')
  })

  test('in a dry run writes nothing', async () => {
    await using at = await memoryRepository()
    const session = await beginSession(at.repository, BEGIN)
    await using store = await openBlobStore(at.repository, session, { ...STORE, dryRun: true })
    store.saveTree(bytesOf(1, 5000))
    await store.flush()
    expect(store.added).toMatchObject({ blobs: 1, plainBytes: 5000 })
    expect(await namesIn(at.backend, 'packs')).toEqual([])
    expect(await namesIn(at.backend, 'index')).toEqual([])
  })

  test('fails when the store keeps only a part of a pack, and indexes nothing', async () => {
    await using at = await memoryRepository()
    const truncating: Backend = {
      ...at.backend,
      create: (ref, parts, options) => at.backend.create(ref, ref.type === 'packs' ? [Buffer.concat(parts).subarray(0, 1000)] : parts, options),
    }
    const repository = await at.open(truncating)
    const session = await beginSession(repository, BEGIN)
    await expectRejected(storeTrees(repository, session, [1]), 'BACKEND_TRUNCATED')
    expect(await namesIn(at.backend, 'index')).toEqual([])
  })

  test('fails with what the backend says when a pack or an index object cannot be written', async () => {
    await using at = await memoryRepository()
    for (const type of ['packs', 'index']) {
      const full: Backend = {
        ...at.backend,
        create: (ref, ...rest) => (ref.type === type ? Promise.reject(new BackupError('BACKEND_FULL', 'no room')) : at.backend.create(ref, ...rest)),
      }
      const repository = await at.open(full)
      await expectRejected(storeTrees(repository, await beginSession(repository, BEGIN), [1, 2]), 'BACKEND_FULL')
    }
  })
})

describe('what may be referred to', () => {
  async function stored(): Promise<{ at: Awaited<ReturnType<typeof memoryRepository>>; id: Uint8Array; packs: string[] }> {
    const at = await memoryRepository()
    const session = await beginSession(at.repository, BEGIN)
    const [id] = await storeTrees(at.repository, session, [1])
    await session.commit(utf8(''))
    return { at, id: id!, packs: await namesIn(at.backend, 'packs') }
  }

  async function mayRefer(repository: Repository, id: Uint8Array): Promise<boolean> {
    const session = await beginSession(repository, BEGIN)
    await using store = await openBlobStore(repository, session, STORE)
    return store.has(id)
  }

  test('is a blob of a pack that is listed whole', async () => {
    const { at, id } = await stored()
    await using _ = at
    expect(await mayRefer(at.repository, id)).toBe(true)
    expect(await mayRefer(await at.open(), id)).toBe(true)
  })

  test('is no blob of a condemned pack: it is stored anew, in another pack', async () => {
    const { at, id, packs } = await stored()
    await using _ = at
    await condemn(at.repository, 1, packs)
    for (const repository of [at.repository, await at.open()]) expect(await mayRefer(repository, id)).toBe(false)
    const session = await beginSession(at.repository, BEGIN)
    const [again] = await storeTrees(at.repository, session, [1])
    expect(toHex(again!)).toBe(toHex(id))
    const fresh = (await namesIn(at.backend, 'packs')).filter((name) => !packs.includes(name))
    expect(fresh).toHaveLength(1)
    expect(await mayRefer(at.repository, id)).toBe(true)
  })

  test('is no blob of a pack that was condemned while the session ran', async () => {
    const { at, id, packs } = await stored()
    await using _ = at
    const session = await beginSession(at.repository, BEGIN)
    await using store = await openBlobStore(at.repository, session, STORE)
    expect(store.has(id)).toBe(true)
    expect(await session.refresh()).toBe(false)
    await condemn(at.repository, 1, packs)
    expect(await session.refresh()).toBe(true)
    expect(store.has(id)).toBe(false)
    expect(await session.refresh()).toBe(false)
  })

  test('stays no blob of a condemned pack when a reader of the same repository looks for blobs in vain', async () => {
    const { at, id, packs } = await stored()
    await using _ = at
    await condemn(at.repository, 1, packs)
    const session = await beginSession(at.repository, BEGIN)
    await using store = await openBlobStore(at.repository, session, STORE)
    expect(store.has(id)).toBe(false)
    // As when a parent's tree is read and cannot be found.
    const reader = await openBlobReader(at.repository)
    await reader.load('tree', id).catch(() => undefined)
    await reader.load('tree', bytesOf(99, 32)).catch(() => undefined)
    expect(store.has(id)).toBe(false)
  })

  test('is no blob of a pack that is missing, or has another size than the index says', async () => {
    for (const damage of ['missing', 'short', 'long']) {
      const { at, id, packs } = await stored()
      await using _ = at
      const ref = { type: 'packs', name: packs[0]! } as const
      const bytes = await at.backend.load(ref)
      await at.backend.remove(ref)
      if (damage === 'short') await at.backend.create(ref, [bytes.subarray(1)])
      if (damage === 'long') await at.backend.create(ref, [bytes, Uint8Array.of(0)])
      expect(await mayRefer(at.repository, id), damage).toBe(false)
      expect(await mayRefer(await at.open(), id), damage).toBe(false)
    }
  })

  test('is no blob of an index object that is gone', async () => {
    const { at, id } = await stored()
    await using _ = at
    for (const name of await namesIn(at.backend, 'index')) await at.backend.remove({ type: 'index', name })
    expect(await mayRefer(at.repository, id)).toBe(false)
  })

  test('is known again by all its packs when one that was written in place of a condemned pack is gone', async () => {
    const { at, id, packs } = await stored()
    await using _ = at
    const indexBefore = await namesIn(at.backend, 'index')
    await condemn(at.repository, 1, packs)
    await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    // The generation ends with nothing deleted, and the second copy goes.
    const verdict = encodeGcRecord(at.repository.keyring, 1, 'verdict', { packs: [], sweep: [], sweptBefore: [] })
    await at.backend.create({ type: 'gc', name: gcName(1, 'verdict') }, [verdict])
    for (const name of await namesIn(at.backend, 'index')) if (!indexBefore.includes(name)) await at.backend.remove({ type: 'index', name })
    const { catalogue } = await loadIndex(at.repository)
    expect(catalogue.locate(id).map(({ pack }) => pack.packId)).toEqual(packs)
  })
})

describe('loading the index', () => {
  test('refuses a damaged index object, or names it where that is asked for', async () => {
    await using at = await memoryRepository()
    await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    const [name] = await namesIn(at.backend, 'index')
    const ref = { type: 'index', name: name! } as const
    await replaceObject(at.backend, ref, flipped(await at.backend.load(ref), 3000))
    const fresh = await at.open()
    await expectRejected(loadIndex(fresh), 'CORRUPT')
    expect((await loadIndex(fresh, { tolerant: true })).problems).toMatchObject([{ name }])
  })

  test('reads only index objects that are new', async () => {
    await using at = await memoryRepository()
    const { backend, calls } = watched(at.backend)
    const repository = await at.open(backend)
    await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    await loadIndex(repository)
    expect(calls.filter((call) => call === 'load index')).toHaveLength(1)
    await loadIndex(repository)
    expect(calls.filter((call) => call === 'load index')).toHaveLength(1)
  })

  test('lists again when a listed object is gone, once', async () => {
    await using at = await memoryRepository()
    await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    let lies = 1
    const ghostly: Backend = {
      ...at.backend,
      async *list(type, options) {
        yield* at.backend.list(type, options)
        if (type === 'index' && lies-- > 0) yield { type, name: `0/${'00'.repeat(32)}`, sizeBytes: 10 }
      },
    }
    const { catalogue } = await loadIndex(await at.open(ghostly))
    expect(catalogue.absorbed.size).toBe(1)
    lies = 100
    await expectRejected(loadIndex(await at.open(ghostly)), 'CORRUPT')
  })

  test('never takes a list that fails for an empty one', async () => {
    await using at = await memoryRepository()
    for (const failing of ['index', 'packs', 'gc']) {
      const broken: Backend = {
        ...at.backend,
        list(type, options) {
          if (type === failing) throw new BackupError('BACKEND_FAILED', 'the list broke off')
          return at.backend.list(type, options)
        },
      }
      await expectRejected(beginSession(await at.open(broken), BEGIN), 'BACKEND_FAILED')
    }
  })
})

describe('a reader', () => {
  test('that meets a broken pack takes the blob from another, also from one that was indexed since', async () => {
    await using at = await memoryRepository()
    const [id] = await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    const [packId] = await namesIn(at.backend, 'packs')
    const reading = await at.open()
    await loadIndex(reading)
    // Another copy comes, stated by an index object that the reader has not seen.
    await condemn(at.repository, 1, [packId!])
    await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    const ref = { type: 'packs', name: packId! } as const
    const whole = await at.backend.load(ref)
    for (const bytes of [flipped(whole, 800 * 8), whole.subarray(0, 300)]) {
      await replaceObject(at.backend, ref, bytes)
      const reader = await openBlobReader(reading)
      expect(Buffer.compare(await reader.load('tree', id!), bytesOf(1, 5000))).toBe(0)
    }
    await at.backend.remove(ref)
    expect(Buffer.compare(await (await openBlobReader(reading)).load('tree', id!), bytesOf(1, 5000))).toBe(0)
  })

  test('says CORRUPT, and never gives other bytes, when every copy is broken', async () => {
    await using at = await memoryRepository()
    const [id] = await storeTrees(at.repository, await beginSession(at.repository, BEGIN), [1])
    const [packId] = await namesIn(at.backend, 'packs')
    const ref = { type: 'packs', name: packId! } as const
    await replaceObject(at.backend, ref, flipped(await at.backend.load(ref), 800 * 8))
    await loadIndex(at.repository)
    await expectRejected((await openBlobReader(at.repository)).load('tree', id!), 'CORRUPT')
  })
})
