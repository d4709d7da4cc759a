import { describe, expect, test, beforeAll } from 'vitest'

import { packRef, refKey } from '../../src/backend/layout.ts'
import { openS3 } from '../../src/backend/s3/s3-client.ts'
import { s3Backend } from '../../src/backend/s3/s3.ts'
import type { S3Place } from '../../src/backend/s3/s3-place.ts'
import { backendSuite, collect, id, pattern } from '../suites/backend-suite.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

describe.skipIf(!hasCeph)(`S3 on Ceph ${needsCeph}`, () => {
  let service: S3Service
  let bucket: S3Place
  let folders = 0

  beforeAll(async () => {
    service = await s3Service()
    bucket = await newBucket(service)
  }, s3StartMs)

  const places = new Map<unknown, S3Place>()
  backendSuite(
    'a bucket',
    async () => {
      const place = { ...bucket, prefix: `some folder/ä+${++folders}` }
      const backend = await s3Backend(place, { multipartBytes: 8 * 1024 * 1024 })
      places.set(backend, place)
      return { backend, cleanup: async () => undefined }
    },
    {
      reopen: async ({ backend }) => s3Backend(places.get(backend)!),
      plant: async ({ backend }, path, bytes) => {
        const place = places.get(backend)!
        const { sdk, client } = await openS3(place, {}, 1)
        await client.send(new sdk.PutObjectCommand({ Bucket: place.bucket, Key: `${place.prefix}/${path}`, Body: bytes }))
        client.destroy()
      },
    },
  )

  test('a large pack that goes in parts leaves no parts behind when it is stopped', async () => {
    const place = { ...bucket, prefix: 'stopped' }
    await using backend = await s3Backend(place, { multipartBytes: 5 * 1024 * 1024 })
    const controller = new AbortController()
    const reason = new Error('stopped by the test')
    const parts = Array.from({ length: 20 }, (_, i) => pattern(1024 * 1024, i))
    const { sdk, client } = await openS3(place, {}, 1)
    const uploads = async (): Promise<number> => (await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: place.bucket, Prefix: place.prefix }))).Uploads?.length ?? 0
    const creating = backend.create(packRef(id(1)), parts, { signal: controller.signal })
    while ((await uploads()) === 0) await new Promise((resolve) => setImmediate(resolve))
    controller.abort(reason)
    await expect(creating).rejects.toBe(reason)
    expect(await uploads()).toBe(0)
    expect(await backend.stat(packRef(id(1)))).toBeUndefined()
    client.destroy()
  })

  test('objects stand under the names of the layout below the prefix', async () => {
    const place = { ...bucket, prefix: 'names' }
    await using backend = await s3Backend(place)
    await backend.create(packRef(id(1)), [pattern(10, 1)])
    const { sdk, client } = await openS3(place, {}, 1)
    const { Contents } = await client.send(new sdk.ListObjectsV2Command({ Bucket: place.bucket, Prefix: 'names/' }))
    expect(Contents?.map(({ Key }) => Key)).toEqual([`names/${refKey(packRef(id(1)))}`])
    client.destroy()
  })

  test('a bucket that is not there is never an empty one', async () => {
    await using backend = await s3Backend({ ...bucket, bucket: 'never-made' })
    const missing = { code: 'BACKEND_FAILED', details: { isPlaceMissing: true } }
    await expect(collect(backend.list('packs'))).rejects.toMatchObject(missing)
    await expect(backend.stat(packRef(id(1)))).rejects.toMatchObject(missing)
    await expect(backend.load(packRef(id(1)))).rejects.toMatchObject(missing)
    await expect(backend.create(packRef(id(1)), [pattern(1, 1)])).rejects.toMatchObject(missing)
    await expect(backend.remove(packRef(id(1)))).rejects.toMatchObject(missing)
  })
})
