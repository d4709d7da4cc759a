/**
 * A repository in a bucket of an S3 service: the names of the layout below a prefix, so that a bucket
 * copied to a disk is the same repository. Each verb is one request, but for stat and load of what is
 * not there: who is told "no such object" must know that the bucket at least is there.
 */
import { BackupError, throwIfAborted } from '../../util/errors.ts'
import { checkType, refKey } from '../layout.ts'
import { checkRange, truncated } from '../range.ts'
import { bytesOf } from './s3-body.ts'
import { openS3, sendOptions, silenceMsDefault } from './s3-client.ts'
import { nameOf, noS3, statusOf, told } from './s3-error.ts'
import { abortUploads } from './s3-leftovers.ts'
import { confirmBucket, listObjects } from './s3-list.ts'
import { lockOf, setLock } from './s3-lock.ts'
import { s3Location } from './s3-place.ts'
import { createObject } from './s3-upload.ts'
import type { Readable } from 'node:stream'
import type { Backend, ByteRange, LoadOptions, ObjectInfo, ObjectRef } from '../backend.ts'
import type { S3Place, S3Settings } from './s3-place.ts'

/** Requests wait for the network and not for each other; packs on their way are bounded elsewhere. */
export const s3Connections = 16

/** Opens the place without asking for anything there. @throws {BackupError} INVALID_ARGUMENT */
export async function s3Backend(place: S3Place, settings: S3Settings = {}, connections = s3Connections): Promise<Backend> {
  const access = await openS3(place, settings, connections)
  const { sdk, client } = access
  const root = place.prefix === '' ? '' : `${place.prefix}/`
  const { silenceMs = silenceMsDefault } = settings
  let hasKeptVersions = false

  return {
    location: s3Location(place),
    connections,
    listsInOrder: true,

    async create(ref, parts, { signal, lock } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      const doing = `store ${key}`
      return told(access, doing, signal, () => createObject(access, { key: root + key, doing, parts, mayBeMultipart: ref.type === 'packs', lock, signal }))
    },

    async load(ref, range, options = {}) {
      const key = refKey(ref)
      checkRange(range)
      throwIfAborted(options.signal)
      return told(access, `read ${key}`, options.signal, () => (range?.length === 0 ? loadNothing(ref, range, options) : loadObject(key, range, options)))
    },

    async stat(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      return told(access, `look at ${key}`, signal, () => infoOf(ref, key, signal))
    },

    list(type, options = {}) {
      checkType(type)
      return listObjects(access, type, options)
    },

    async remove(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      await told(access, `remove ${key}`, signal, async () => {
        try {
          const { DeleteMarker } = await client.send(new sdk.DeleteObjectCommand({ Bucket: place.bucket, Key: root + key }), sendOptions(signal))
          hasKeptVersions ||= DeleteMarker === true
        } catch (error) {
          if (nameOf(error) !== 'NoSuchKey') throw error
        }
      })
    },

    async removeLeftovers(olderThanMs, { signal } = {}) {
      throwIfAborted(signal)
      return told(access, 'clear interrupted uploads', signal, () => abortUploads(access, olderThanMs, signal))
    },

    async lockOf(ref, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      return told(access, `look at the lock of ${key}`, signal, () => lockOf(access, root + key, signal))
    },

    async setLock(ref, lock, { signal } = {}) {
      const key = refKey(ref)
      throwIfAborted(signal)
      await told(access, `lock ${key}`, signal, async () => {
        if ((await setLock(access, root + key, lock, signal)) === 'absent') throw absent(key)
      })
    },

    hasKeptVersions: () => hasKeptVersions,

    async [Symbol.asyncDispose]() {
      client.destroy()
    },
  }

  async function loadObject(key: string, range: ByteRange | undefined, options: LoadOptions): Promise<Uint8Array> {
    const doing = `read ${key}`
    const wanted = range && `bytes=${range.offset}-${range.offset + range.length - 1}`
    const command = new sdk.GetObjectCommand({ Bucket: place.bucket, Key: root + key, ...(wanted === undefined ? {} : { Range: wanted }) })
    let answer
    try {
      answer = await client.send(command, sendOptions(options.signal))
    } catch (error) {
      if (nameOf(error) === 'NoSuchKey') throw absent(key)
      if (statusOf(error) !== 416 || range === undefined) throw error
      const sizeBytes = await sizeOf(key, options.signal)
      if (sizeBytes === undefined) throw absent(key)
      throw truncated(key, range.offset + range.length, sizeBytes)
    }
    const body = answer.Body as Readable | undefined
    if (body === undefined || answer.ETag === undefined || answer.ContentLength === undefined) throw noS3(doing, place, 'it gives an object without its size and name')
    if (range === undefined) return bytesOf(body, answer.ContentLength, { ...options, silenceMs })
    const whole = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.ContentRange ?? '')
    if (whole === null || Number(whole[1]) !== range.offset) {
      body.destroy()
      throw noS3(doing, place, 'it does not give parts of objects')
    }
    if (Number(whole[2]) !== range.offset + range.length - 1) {
      body.destroy()
      throw truncated(key, range.offset + range.length, Number(whole[3] === '*' ? Number(whole[2]) + 1 : whole[3]))
    }
    if (answer.ContentLength !== range.length) throw noS3(doing, place, 'it gives another part of an object than it says')
    return bytesOf(body, range.length, { ...options, silenceMs })
  }

  /** No service gives a range of nothing; what is asked is whether the object reaches so far. */
  async function loadNothing(ref: ObjectRef, { offset }: ByteRange, { signal, memory }: LoadOptions): Promise<Uint8Array> {
    const key = refKey(ref)
    const sizeBytes = await sizeOf(key, signal)
    if (sizeBytes === undefined) throw absent(key)
    if (sizeBytes < offset) throw truncated(key, offset, sizeBytes)
    return memory?.take(0) ?? new Uint8Array(0)
  }

  async function infoOf(ref: ObjectRef, key: string, signal: AbortSignal | undefined): Promise<ObjectInfo | undefined> {
    const sizeBytes = await sizeOf(key, signal)
    return sizeBytes === undefined ? undefined : { type: ref.type, name: ref.name, sizeBytes }
  }

  async function sizeOf(key: string, signal: AbortSignal | undefined): Promise<number | undefined> {
    try {
      const { ETag, ContentLength } = await client.send(new sdk.HeadObjectCommand({ Bucket: place.bucket, Key: root + key }), sendOptions(signal))
      if (ETag === undefined || ContentLength === undefined) throw noS3(`look at ${key}`, place, 'it gives an object without its size and name')
      return ContentLength
    } catch (error) {
      if (statusOf(error) !== 404) throw error
    }
    // The answer to HEAD has no body, and says the same of a bucket that is not there.
    await confirmBucket(access, `look at ${key}`, signal)
    return undefined
  }

  function absent(key: string): BackupError {
    return new BackupError('BACKEND_NOT_FOUND', `${key} is not in ${s3Location(place)}`, { path: key })
  }
}
