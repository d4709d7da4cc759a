/**
 * What every backend and every wrapper must do, whatever stands behind it. A new backend's test is
 * one call of this and its own specialities.
 */
import { createHash } from 'node:crypto'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { configRef, gcRef, indexRef, keyRef, markRef, objectTypes, packRef } from '../../src/backend/layout.ts'
import { forgottenRef, probeRef, sessionRef, snapshotRef } from '../../src/backend/layout.ts'
import type { Backend, ObjectInfo, ObjectRef, ObjectType } from '../../src/backend/backend.ts'

export interface SuiteSubject {
  backend: Backend
  cleanup: () => Promise<void>
}

/** What a backend's storage allows to do past the backend; tests that need more are left out. */
export interface SuiteExtras {
  /** A second view of the same objects, as another process would have it. */
  reopen?: (subject: SuiteSubject) => Promise<Backend>
  /** Puts bytes at a path below the root, as a stranger would. */
  plant?: (subject: SuiteSubject, path: string, bytes: Uint8Array) => Promise<void>
}

const mebibyte = 1024 * 1024
const slowMs = 120_000

export function backendSuite(
  name: string,
  makeBackend: () => Promise<SuiteSubject>,
  { reopen, plant }: SuiteExtras = {},
): void {
  describe(`${name} as a backend`, () => {
    let subject: SuiteSubject
    let backend: Backend

    beforeEach(async () => {
      subject = await makeBackend()
      backend = subject.backend
    })

    afterEach(async () => {
      await backend[Symbol.asyncDispose]()
      await subject.cleanup()
    })

    describe('create and load', () => {
      test('gives back an empty object', async () => {
        expect(await backend.create(packRef(id(1)), [])).toBe('created')
        expect(await backend.load(packRef(id(1)))).toEqual(new Uint8Array(0))
        expect(await backend.stat(packRef(id(1)))).toEqual({ ...packRef(id(1)), sizeBytes: 0 })
      })

      test('gives back one byte', async () => {
        await backend.create(packRef(id(1)), [Uint8Array.of(7)])
        expect(await backend.load(packRef(id(1)))).toEqual(Uint8Array.of(7))
      })

      test('writes many parts one after another, empty ones among them', async () => {
        const parts = Array.from({ length: 5000 }, (_, i) => pattern(i % 7, i))
        await backend.create(packRef(id(1)), parts)
        expect(hash(await backend.load(packRef(id(1))))).toBe(hash(...parts))
      })

      test('gives back 40 MiB', { timeout: slowMs }, async () => {
        const parts = Array.from({ length: 41 }, (_, i) => pattern(mebibyte - (i === 0 ? 1 : 0), i))
        await backend.create(packRef(id(1)), parts)
        const sizeBytes = 41 * mebibyte - 1
        expect(await backend.stat(packRef(id(1)))).toEqual({ ...packRef(id(1)), sizeBytes })
        expect(hash(await backend.load(packRef(id(1))))).toBe(hash(...parts))
      })

      test('writes parts that are views of a larger buffer', async () => {
        const whole = pattern(1000, 3)
        await backend.create(packRef(id(1)), [whole.subarray(10, 20), whole.subarray(900)])
        const wanted = [...whole.subarray(10, 20), ...whole.subarray(900)]
        expect([...(await backend.load(packRef(id(1))))]).toEqual(wanted)
      })

      test('keeps the object when the caller uses the parts for something else', async () => {
        const part = pattern(100, 1)
        await backend.create(packRef(id(1)), [part])
        part.fill(0)
        expect(await backend.load(packRef(id(1)))).toEqual(pattern(100, 1))
      })

      test('hands out bytes that the caller may change and transfer', async () => {
        await backend.create(packRef(id(1)), [pattern(5000, 1)])
        for (const range of [undefined, { offset: 10, length: 20 }]) {
          const bytes = await backend.load(packRef(id(1)), range)
          const wanted = Uint8Array.from(bytes)
          bytes.fill(0)
          structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
          expect(await backend.load(packRef(id(1)), range)).toEqual(wanted)
        }
      })

      test('stores an object of every type', async () => {
        for (const [i, ref] of oneOfEach().entries()) {
          expect(await backend.create(ref, [pattern(10 + i, i)])).toBe('created')
        }
        for (const [i, ref] of oneOfEach().entries()) {
          expect(await backend.load(ref)).toEqual(pattern(10 + i, i))
        }
      })

      test('says BACKEND_NOT_FOUND for what is not there', async () => {
        for (const ref of oneOfEach()) {
          await expect(backend.load(ref)).rejects.toMatchObject({ code: 'BACKEND_NOT_FOUND' })
          await expect(backend.load(ref, { offset: 0, length: 0 })).rejects.toMatchObject({
            code: 'BACKEND_NOT_FOUND',
          })
        }
      })

      if (reopen) test('shows another view what was created', async () => {
        await backend.create(packRef(id(1)), [pattern(100, 1)])
        await using other = await reopen(subject)
        expect(await other.load(packRef(id(1)))).toEqual(pattern(100, 1))
        expect(await other.create(packRef(id(1)), [pattern(5, 2)])).toBe('exists')
        expect(await collect(other.list('packs'))).toHaveLength(1)
      })
    })

    describe('ranges', () => {
      const whole = pattern(1000, 9)
      const ref = packRef(id(1))

      beforeEach(async () => {
        await backend.create(ref, [whole])
      })

      test.each([
        ['at the start', 0, 100],
        ['in the middle', 333, 100],
        ['at the end', 900, 100],
        ['of everything', 0, 1000],
        ['of one byte', 999, 1],
        ['of nothing at the start', 0, 0],
        ['of nothing in the middle', 500, 0],
        ['of nothing at the end', 1000, 0],
      ])('loads a range %s', async (_, offset, length) => {
        expect(await backend.load(ref, { offset, length })).toEqual(whole.slice(offset, offset + length))
      })

      test.each([
        ['ends one byte late', 900, 101],
        ['begins at the end', 1000, 1],
        ['begins beyond the end', 5000, 10],
        ['is empty beyond the end', 1001, 0],
        ['is absurdly long', 0, 2 ** 52],
      ])('says BACKEND_TRUNCATED when the range %s', async (_, offset, length) => {
        await expect(backend.load(ref, { offset, length })).rejects.toMatchObject({ code: 'BACKEND_TRUNCATED' })
      })

      test.each([
        [-1, 1],
        [0, -1],
        [0.5, 1],
        [0, 1.5],
        [Number.NaN, 1],
        [0, Number.POSITIVE_INFINITY],
        [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
      ])('refuses offset %d with length %d', async (offset, length) => {
        await expect(backend.load(ref, { offset, length })).rejects.toThrow(RangeError)
      })
    })

    describe('create-if-absent', () => {
      test('leaves the first object under the name', async () => {
        for (const ref of oneOfEach()) {
          expect(await backend.create(ref, [pattern(50, 1)])).toBe('created')
          expect(await backend.create(ref, [pattern(70, 2)])).toBe('exists')
          expect(await backend.create(ref, [pattern(50, 1)])).toBe('exists')
          expect(await backend.load(ref)).toEqual(pattern(50, 1))
        }
      })

      test('also counts an empty object as there', async () => {
        await backend.create(packRef(id(1)), [])
        expect(await backend.create(packRef(id(1)), [pattern(9, 9)])).toBe('exists')
        expect((await backend.load(packRef(id(1)))).length).toBe(0)
      })

      test('takes the name anew once the object was removed', async () => {
        await backend.create(packRef(id(1)), [pattern(50, 1)])
        await backend.remove(packRef(id(1)))
        expect(await backend.create(packRef(id(1)), [pattern(70, 2)])).toBe('created')
        expect(await backend.load(packRef(id(1)))).toEqual(pattern(70, 2))
      })

      test('has one winner among 16 racers, whose whole object every reader sees', { timeout: slowMs }, async () => {
        const views = reopen ? [backend, await reopen(subject), await reopen(subject)] : [backend]
        for (let round = 0; round < 5; round += 1) {
          const ref = snapshotRef(0, id(round).slice(0, 32))
          const race = { over: false }
          const readers = views.map((view) => readWhileRacing(view, ref, race))
          const results = await Promise.all(
            Array.from({ length: 16 }, (_, i) => viewAt(views, i).create(ref, racerParts(i))),
          )
          race.over = true
          expect(results.filter((result) => result === 'created')).toHaveLength(1)
          const winner = results.indexOf('created')
          const seen = [hash(await backend.load(ref)), ...(await Promise.all(readers)).flat()]
          expect(new Set(seen)).toEqual(new Set([hash(...racerParts(winner))]))
        }
        for (const view of views.slice(1)) await view[Symbol.asyncDispose]()
      })
    })

    describe('list', () => {
      test('is empty for every type at first', async () => {
        for (const type of objectTypes) expect(await collect(backend.list(type))).toEqual([])
      })

      test('shows the objects of its type and no others', async () => {
        for (const ref of oneOfEach()) await backend.create(ref, [pattern(5, 1)])
        for (const ref of oneOfEach()) {
          expect(await collect(backend.list(ref.type))).toEqual([{ ...ref, sizeBytes: 5 }])
        }
      })

      test('shows every group and every shard', async () => {
        const refs = [0, 1, 9, 10, 4294967295].flatMap((group) => [
          indexRef(group, id(group)),
          snapshotRef(group, id(group).slice(0, 32)),
          markRef(group, id(1).slice(0, 32), group),
          packRef(id(group)),
        ])
        await inTurns(refs, (ref) => backend.create(ref, [pattern(3, 1)]))
        for (const type of ['index', 'snapshots', 'marks', 'packs'] as const) {
          expect(await names(backend, type)).toEqual(namesOf(refs, type))
        }
      })

      test('shows each of more than 1,000 objects once', { timeout: slowMs }, async () => {
        const refs = Array.from({ length: 1100 }, (_, i) => snapshotRef(3, id(i).slice(0, 32)))
        await inTurns(refs, (ref, i) => backend.create(ref, [pattern(i % 10, i)]))
        const infos = await collect(backend.list('snapshots'))
        expect(infos.map((info) => info.name).sort()).toEqual(namesOf(refs, 'snapshots'))
        const sizes = new Map(infos.map((info) => [info.name, info.sizeBytes]))
        for (const [i, ref] of refs.entries()) expect(sizes.get(ref.name)).toBe(i % 10)
        const middle = namesOf(refs, 'snapshots')[550] ?? ''
        expect(await names(backend, 'snapshots', middle)).toEqual(namesOf(refs, 'snapshots').slice(551))
      })

      test('leaves out names up to and including `after`, in byte order', async () => {
        const sid = id(1).slice(0, 32)
        const refs: ObjectRef[] = [
          ...[0, 1, 2, 9, 10, 123].map((n) => gcRef(n, 'plan')),
          ...[0, 1, 2, 9, 10, 123].map((n) => gcRef(n, 'done')),
          ...[0, 1, 2, 9, 10, 100].map((group) => indexRef(group, id(group))),
          ...[0, 2, 10, 11].map((n) => markRef(1, sid, n)),
          ...Array.from({ length: 20 }, (_, i) => packRef(id(i))),
          configRef,
        ]
        await inTurns(refs, (ref) => backend.create(ref, []))
        for (const type of ['gc', 'index', 'marks', 'packs', 'config'] as const) {
          const all = namesOf(refs, type)
          for (const after of ['', '0', '1', '1/', '10/', '5', 'config', 'zz', ...all]) {
            const wanted = all.filter((one) => one > after)
            expect(await names(backend, type, after), `${type} after ${after}`).toEqual(wanted)
          }
        }
      })

      if (plant) test('does not show what is no object', async () => {
        for (const ref of oneOfEach()) await backend.create(ref, [pattern(5, 1)])
        const strangers = [
          'config.bak', 'README', 'keys/.tmp-1', 'keys/README', `keys/${id(1).toUpperCase()}`,
          `packs/${id(1)}`, `packs/zz/${id(1)}`, `packs/${otherShard(id(1))}/${id(1)}`,
          `packs/${id(1).slice(0, 2)}/.tmp-${id(2)}`, `packs/${id(1).slice(0, 2)}/${id(1)}.part`,
          `index/00/${id(1)}`, `index/0/${id(1)}~`, `snapshots/4294967296/${id(1).slice(0, 32)}`,
          `snapshots/0/${id(1)}`, `marks/0/${id(1).slice(0, 32)}`, `marks/0/${id(1).slice(0, 32)}.01`,
          'gc/1.plan', 'gc/0000000001.plan.tmp', 'gc/0000000001.PLAN', 'locks/x', 'forgotten/7',
        ]
        for (const path of strangers) await plant(subject, path, pattern(5, 5))
        for (const ref of oneOfEach()) {
          expect(await collect(backend.list(ref.type)), ref.type).toEqual([{ ...ref, sizeBytes: 5 }])
        }
      })

      test('shows all that was created before it while others are being created', { timeout: slowMs }, async () => {
        const before = Array.from({ length: 200 }, (_, i) => packRef(id(i)))
        await inTurns(before, (ref) => backend.create(ref, [pattern(10, 1)]))
        const others = Array.from({ length: 100 }, (_, i) => packRef(id(1000 + i)))
        const parts = [pattern(100_000, 2), pattern(100_000, 3)]
        const work = { over: false }
        const creating = inTurns(others, (ref) => backend.create(ref, parts)).finally(() => {
          work.over = true
        })
        do {
          const infos = await collect(backend.list('packs'))
          const sizes = new Map(infos.map((info) => [info.name, info.sizeBytes]))
          expect(sizes.size, 'each once').toBe(infos.length)
          for (const ref of before) expect(sizes.get(ref.name)).toBe(10)
          for (const ref of others) expect([undefined, 200_000]).toContain(sizes.get(ref.name))
        } while (!work.over)
        await creating
        expect(await names(backend, 'packs')).toEqual(namesOf([...before, ...others], 'packs'))
      })

      test('shows all that stays while others are being removed', { timeout: slowMs }, async () => {
        const refs = Array.from({ length: 300 }, (_, i) => snapshotRef(0, id(i).slice(0, 32)))
        await inTurns(refs, (ref) => backend.create(ref, [pattern(10, 1)]))
        const [going, staying] = [refs.slice(0, 150), refs.slice(150)]
        const removing = inTurns(going, (ref) => backend.remove(ref))
        for (let i = 0; i < 5; i += 1) {
          const listed = new Set(await names(backend, 'snapshots'))
          for (const ref of staying) expect(listed.has(ref.name)).toBe(true)
        }
        await removing
        expect(await names(backend, 'snapshots')).toEqual(namesOf(staying, 'snapshots'))
      })

      test('can be left before its end', async () => {
        await inTurns(Array.from({ length: 20 }, (_, i) => packRef(id(i))), (ref) => backend.create(ref, []))
        for await (const info of backend.list('packs')) {
          expect(info.type).toBe('packs')
          break
        }
      })
    })

    describe('stat and remove', () => {
      test('says undefined for what is not there', async () => {
        for (const ref of oneOfEach()) expect(await backend.stat(ref)).toBeUndefined()
      })

      test('removes, again and again', async () => {
        for (const ref of oneOfEach()) {
          await backend.remove(ref)
          await backend.create(ref, [pattern(5, 1)])
          expect(await backend.stat(ref)).toEqual({ ...ref, sizeBytes: 5 })
          await backend.remove(ref)
          await backend.remove(ref)
          expect(await backend.stat(ref)).toBeUndefined()
          expect(await collect(backend.list(ref.type))).toEqual([])
        }
      })

      test('removes nothing else', async () => {
        await backend.create(packRef(id(1)), [pattern(5, 1)])
        await backend.create(packRef(id(2)), [pattern(6, 2)])
        await backend.remove(packRef(id(1)))
        expect(await backend.load(packRef(id(2)))).toEqual(pattern(6, 2))
      })
    })

    describe('abort', () => {
      const reason = new Error('stopped by the test')

      test('rejects every verb with the reason when it was aborted before', async () => {
        const options = { signal: AbortSignal.abort(reason) }
        await backend.create(packRef(id(1)), [pattern(5, 1)])
        await expect(backend.create(packRef(id(2)), [pattern(5, 1)], options)).rejects.toBe(reason)
        await expect(backend.load(packRef(id(1)), undefined, options)).rejects.toBe(reason)
        await expect(backend.stat(packRef(id(1)), options)).rejects.toBe(reason)
        await expect(backend.remove(packRef(id(1)), options)).rejects.toBe(reason)
        await expect(collect(backend.list('packs', options))).rejects.toBe(reason)
        expect(await names(backend, 'packs')).toEqual([id(1)])
      })

      test('leaves the whole object or nothing when it is aborted in the middle', { timeout: slowMs }, async () => {
        const parts = Array.from({ length: 16 }, (_, i) => pattern(mebibyte, i))
        for (const delayMs of [0, 1, 2, 5, 10, 20]) {
          const ref = packRef(id(delayMs))
          const controller = new AbortController()
          const timer = setTimeout(() => controller.abort(reason), delayMs)
          const result = await backend
            .create(ref, parts, { signal: controller.signal })
            .catch((error: unknown) => error)
          clearTimeout(timer)
          const sizeBytes = (await backend.stat(ref))?.sizeBytes
          expect([undefined, 16 * mebibyte]).toContain(sizeBytes)
          if (result === 'created') expect(sizeBytes).toBe(16 * mebibyte)
          else expect(result).toBe(reason)
        }
      })
    })

    describe('names', () => {
      test.each(nonsense())('refuses %o', async (ref) => {
        await expect(backend.create(ref, [pattern(5, 1)])).rejects.toThrow(TypeError)
        await expect(backend.load(ref)).rejects.toThrow(TypeError)
        await expect(backend.stat(ref)).rejects.toThrow(TypeError)
        await expect(backend.remove(ref)).rejects.toThrow(TypeError)
      })

      test.each(['', 'pack', '..', '.', 'packs/', '__proto__', 'constructor'])(
        'refuses to list %o',
        async (type) => {
          await expect((async () => collect(backend.list(type as ObjectType)))()).rejects.toThrow(TypeError)
        },
      )
    })

    test('does many things at once', { timeout: slowMs }, async () => {
      const refs = Array.from({ length: 150 }, (_, i) => packRef(id(i)))
      await inTurns(refs, async (ref, i) => {
        const bytes = pattern(20_000 + i, i)
        expect(await backend.create(ref, [bytes.subarray(0, i), bytes.subarray(i)])).toBe('created')
        expect(hash(await backend.load(ref))).toBe(hash(bytes))
        expect(await backend.stat(ref)).toMatchObject({ sizeBytes: 20_000 + i })
        expect(await backend.load(ref, { offset: i, length: 10 })).toEqual(bytes.slice(i, i + 10))
        if (i % 3 === 0) await backend.remove(ref)
      })
      expect(await names(backend, 'packs')).toEqual(namesOf(refs.filter((_, i) => i % 3 !== 0), 'packs'))
    })
  })
}

/** One object of each type. */
export function oneOfEach(): ObjectRef[] {
  const sid = id(77).slice(0, 32)
  return [
    configRef,
    keyRef(id(71)),
    packRef(id(72)),
    indexRef(0, id(73)),
    sessionRef(5, sid),
    snapshotRef(0, sid),
    forgottenRef(0, sid),
    markRef(0, sid, 3),
    gcRef(0, 'plan'),
    probeRef(sid),
  ]
}

export async function collect(list: AsyncIterable<ObjectInfo>): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = []
  for await (const info of list) infos.push(info)
  return infos
}

/** An id that differs in every digit from one number to the next. */
export function id(n: number): string {
  return createHash('sha256').update(`id ${n}`).digest('hex')
}

export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i += 1) bytes[i] = i * 31 + (i >> 8) * 17 + seed * 101
  return bytes
}

function hash(...parts: readonly Uint8Array[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

async function names(backend: Backend, type: ObjectType, after?: string): Promise<string[]> {
  const infos = await collect(backend.list(type, after === undefined ? {} : { after }))
  return infos.map((info) => info.name).sort()
}

function namesOf(refs: readonly ObjectRef[], type: ObjectType): string[] {
  return refs.filter((ref) => ref.type === type).map((ref) => ref.name).sort()
}

/** Calls for each item, 16 at once. */
async function inTurns<T>(items: readonly T[], call: (item: T, i: number) => Promise<unknown>): Promise<void> {
  const queue = items.entries()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const [i, item] of queue) await call(item, i)
    }),
  )
}

function racerParts(i: number): Uint8Array[] {
  return [pattern(40_000 + i, i), pattern(30_000, i + 100)]
}

function viewAt(views: readonly Backend[], i: number): Backend {
  const view = views[i % views.length]
  if (!view) throw new RangeError('no view')
  return view
}

/** The hashes of all that was there to be read until the race was over. */
async function readWhileRacing(backend: Backend, ref: ObjectRef, race: { over: boolean }): Promise<string[]> {
  const seen: string[] = []
  while (!race.over) {
    if (await backend.stat(ref)) seen.push(hash(await backend.load(ref)))
    else await new Promise((resolve) => setImmediate(resolve))
  }
  return seen
}

function otherShard(packId: string): string {
  return packId.startsWith('00') ? '01' : '00'
}

function nonsense(): ObjectRef[] {
  const sid = id(1).slice(0, 32)
  const cases: [string, unknown][] = [
    ['config', 'config/..'], ['config', '../config'], ['config', ''],
    ['keys', '..'], ['keys', '../config'], ['keys', id(1).toUpperCase()], ['keys', `${id(1)}\n`],
    ['keys', id(1).slice(1)], ['keys', undefined], ['keys', [id(1)]],
    ['packs', `../../${id(1)}`], ['packs', `${id(1).slice(0, 2)}/${id(1)}`], ['packs', `${id(1)}/..`],
    ['packs', `${id(1)}\0`], ['packs', ''], ['packs', '.'], ['packs', '/etc/passwd'], ['packs', '.tmp-1'],
    ['index', id(1)], ['index', `01/${id(1)}`], ['index', `-1/${id(1)}`], ['index', `4294967296/${id(1)}`],
    ['index', `../${id(1)}`], ['index', `0//${id(1)}`], ['index', `0/${sid}`], ['index', `1e3/${id(1)}`],
    ['sessions', `0/${id(1)}`], ['snapshots', `0\\${sid}`], ['forgotten', `0/${sid}/../../../x`],
    ['marks', `0/${sid}`], ['marks', `0/${sid}.`], ['marks', `0/${sid}.01`], ['marks', `0/${sid}.4294967296`],
    ['gc', '1.plan'], ['gc', '0000000001.plans'], ['gc', '0000000001'], ['gc', '00000000001.plan'],
    ['', 'x'], ['..', 'x'], ['.', 'config'], ['__proto__', 'x'], ['constructor', id(1)], ['PACKS', id(1)],
  ]
  return cases.map(([type, name]) => ({ type: type as ObjectType, name: name as string }))
}
