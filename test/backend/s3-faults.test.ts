/** The S3 backend as it is used, with what it tries again, while replies are lost and connections stall. */
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import type { Backend } from '../../src/backend/backend.ts'
import { configRef, packRef, refKey } from '../../src/backend/layout.ts'
import { openS3 } from '../../src/backend/s3/s3-client.ts'
import { s3Backend } from '../../src/backend/s3/s3.ts'
import { s3Location, type S3Place, type S3Settings } from '../../src/backend/s3/s3-place.ts'
import { type RetryNotice, withRetry } from '../../src/backend/with-retry.ts'
import { collect, id, oneOfEach, pattern } from '../suites/backend-suite.ts'
import { running } from '../support/async-nacre.ts'
import { type Fault, faultProxy, type SeenRequest } from '../support/fault-proxy.ts'
import { place as placeOfProgram, PROGRAM } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

const mebibyte = 1024 * 1024

describe.skipIf(!hasCeph)(`S3 over a line that fails ${needsCeph}`, () => {
  let service: S3Service
  let bucket: S3Place
  let folders = 0

  beforeAll(async () => {
    service = await s3Service()
    bucket = await newBucket(service)
  }, s3StartMs)

  const newPlace = (): S3Place => ({ ...bucket, prefix: `folder ${++folders}` })

  async function patient(place: S3Place, settings: S3Settings = {}, notices: RetryNotice[] = []): Promise<Backend> {
    return withRetry(await s3Backend(place, settings), { totalMs: 60_000, firstMs: 60_000, pauseMs: 1, longestPauseMs: 3_000, onRetry: (notice) => notices.push(notice) })
  }

  /** The first request of each kind is spoiled. */
  function firstOf(kindOf: (seen: SeenRequest) => string | undefined, fault: Fault): (seen: SeenRequest) => Fault | undefined {
    const seenKinds = new Set<string>()
    return (seen) => {
      const kind = kindOf(seen)
      if (kind === undefined || seenKinds.has(kind)) return undefined
      seenKinds.add(kind)
      return fault
    }
  }

  async function uploads(prefix: string): Promise<number> {
    const { sdk, client } = await openS3(bucket, {}, 1)
    const { Uploads } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket.bucket, Prefix: `${prefix}/` }))
    client.destroy()
    return Uploads?.length ?? 0
  }

  test('a create of any kind whose reply is lost says that it created, and one of other bytes that it exists', async () => {
    const place = newPlace()
    await using proxy = await faultProxy({ targetPort: service.port, decide: firstOf(({ method, url }) => (method === 'PUT' ? url.replace(/\?.*/, '') : undefined), 'lose reply') })
    await using backend = await patient({ ...place, endpoint: proxy.endpoint })
    for (const ref of oneOfEach()) {
      expect(await backend.create(ref, [pattern(100, 1), pattern(3, 2)]), ref.type).toBe('created')
      expect(await backend.create(ref, [pattern(103, 7)]), ref.type).toBe('exists')
      expect(await backend.load(ref), ref.type).toEqual(Uint8Array.from([...pattern(100, 1), ...pattern(3, 2)]))
    }
    expect(proxy.spoiled()).toBe(oneOfEach().length)
  })

  test('a pack in parts is whole whichever reply of its steps is lost', async () => {
    const place = newPlace()
    const step = ({ method, url }: SeenRequest): string | undefined => {
      if (method === 'POST') return url.includes('uploads') ? 'begin' : 'complete'
      return /partNumber=\d+/.exec(url)?.[0]
    }
    await using proxy = await faultProxy({ targetPort: service.port, decide: firstOf(step, 'lose reply') })
    await using backend = await patient({ ...place, endpoint: proxy.endpoint }, { multipartBytes: 5 * mebibyte })
    const parts = Array.from({ length: 11 }, (_, i) => pattern(mebibyte, i))
    expect(await backend.create(packRef(id(1)), parts)).toBe('created')
    expect(await backend.create(packRef(id(1)), parts)).toBe('exists')
    expect(Buffer.compare(await backend.load(packRef(id(1))), Buffer.concat(parts))).toBe(0)
    expect(proxy.spoiled()).toBe(5)
    // What was begun and never heard of is cleared away later.
    expect(await backend.removeLeftovers!(undefined)).toMatchObject({ files: 1 })
    expect(await uploads(place.prefix)).toBe(0)
  })

  test('a connection that stalls is given up and tried again, before the answer and in the middle of it', async () => {
    const place = newPlace()
    const stalls: Fault[] = ['stall', 'stall halfway']
    let spoiled = 0
    await using proxy = await faultProxy({ targetPort: service.port, decide: ({ method, number }) => (method === 'GET' && number % 2 === 0 ? stalls[spoiled++] : number === 1 ? 'stall' : undefined) })
    const notices: RetryNotice[] = []
    await using backend = await patient({ ...place, endpoint: proxy.endpoint }, { silenceMs: 400 }, notices)
    const bytes = pattern(300_000, 5)
    expect(await backend.create(packRef(id(1)), [bytes])).toBe('created')
    for (let i = 0; i < 4; i++) expect(await backend.load(packRef(id(1)))).toEqual(bytes)
    expect(proxy.spoiled()).toBe(3)
    expect(notices.length).toBeGreaterThanOrEqual(3)
  })

  test('a service that says when to come again is left alone until then', async () => {
    const place = newPlace()
    await using proxy = await faultProxy({ targetPort: service.port, decide: ({ number }) => (number === 1 ? { status: 503, headers: { 'retry-after': '1' } } : number === 2 ? { status: 503, headers: { 'retry-after': '86400' } } : undefined) })
    const notices: RetryNotice[] = []
    await using backend = await patient({ ...place, endpoint: proxy.endpoint }, {}, notices)
    expect(await backend.stat(configRef)).toBeUndefined()
    expect(notices.map(({ pauseMs }) => pauseMs)).toEqual([1000, 3000])
  })

  test('leftovers are parts of packs below the prefix, and old enough', async () => {
    const place = newPlace()
    const { sdk, client } = await openS3(bucket, {}, 1)
    const begin = async (Key: string): Promise<void> => {
      const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand({ Bucket: bucket.bucket, Key }))
      await client.send(new sdk.UploadPartCommand({ Bucket: bucket.bucket, Key, UploadId, PartNumber: 1, Body: pattern(1000, 1) }))
    }
    const own = `${place.prefix}/${refKey(packRef(id(1)))}`
    const strangers = [`${place.prefix}/packs/notes`, `${place.prefix}/other`, `${place.prefix}-2/${refKey(packRef(id(1)))}`]
    for (const key of [own, ...strangers]) await begin(key)
    await using backend = await patient(place)
    expect(await backend.removeLeftovers!(3_600_000)).toEqual({ files: 0, bytes: 0 })
    expect(await backend.removeLeftovers!(undefined)).toEqual({ files: 1, bytes: 1000 })
    const { Uploads } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket.bucket, Prefix: place.prefix }))
    expect(Uploads?.map(({ Key }) => Key).sort()).toEqual([...strangers].sort())
    client.destroy()
  })

  test('parts of an upload that was cleared away meanwhile are sent again', async () => {
    const place = newPlace()
    await using other = await s3Backend(place)
    let cleared = 0
    const clear: Fault = { then: async () => void (cleared += (await other.removeLeftovers!(undefined)).files) }
    await using proxy = await faultProxy({ targetPort: service.port, decide: firstOf(({ url }) => (url.includes('partNumber=2') ? 'second' : undefined), clear) })
    await using backend = await patient({ ...place, endpoint: proxy.endpoint }, { multipartBytes: 5 * mebibyte })
    const parts = Array.from({ length: 16 }, (_, i) => pattern(mebibyte, i))
    expect(await backend.create(packRef(id(1)), parts)).toBe('created')
    expect(cleared).toBe(1)
    expect((await collect(backend.list('packs'))).map(({ sizeBytes }) => sizeBytes)).toEqual([16 * mebibyte])
    expect(await uploads(place.prefix)).toBe(0)
  })

  test('parts that kill -9 left are cleared away by prune, and none that may still be written', async () => {
    const place = newPlace()
    const here = placeOfProgram()
    Object.assign(here.environment, service.environment, { NACRE_REPOSITORY: s3Location(place) })
    expect((await running(here, 'init')).code).toBe(0)
    let kill = (): void => undefined
    await using proxy = await faultProxy({ targetPort: service.port, decide: ({ url }) => (url.includes('partNumber=3') ? { then: async () => kill() } : undefined) })
    const script = `
      const { s3Backend } = await import(${JSON.stringify(join(dirname(PROGRAM), '../backend/s3/s3.js'))})
      const backend = await s3Backend(${JSON.stringify({ ...place, endpoint: proxy.endpoint })}, { multipartBytes: ${5 * mebibyte} })
      await backend.create({ type: 'packs', name: '${id(1)}' }, Array.from({ length: 20 }, () => new Uint8Array(${mebibyte})))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, ...service.environment }, stdio: ['ignore', 'ignore', 'inherit'] })
    kill = () => void child.kill('SIGKILL')
    expect(await new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))).toBe('SIGKILL')
    expect(await uploads(place.prefix)).toBe(1)
    const young = await running(here, 'prune')
    expect(young).toMatchObject({ code: 0 })
    expect(await uploads(place.prefix)).toBe(1)
    const all = await running(here, 'prune', '--exclusive')
    expect(all).toMatchObject({ code: 0, stderr: expect.stringMatching(/^removed 1 leftover of interrupted writes, 1[05]\.\d* MiB$/m) as string })
    expect(await uploads(place.prefix)).toBe(0)
  })
})
