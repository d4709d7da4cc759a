/**
 * What is asked of the service for each object besides keeping it: a storage class, encryption of its
 * own, a lock. Services that lack one of them refuse in words that say little, or say nothing and do
 * not do it.
 */
import { BackupError } from '../../util/errors.ts'
import { statusOf } from './s3-error.ts'
import { lockModes } from './s3-lock.ts'
import { s3Location, type S3Settings } from './s3-place.ts'
import type { PutObjectCommandInput } from '@aws-sdk/client-s3'
import type { ObjectLock } from '../backend.ts'
import type { S3Access } from './s3-client.ts'

export function attributesOf({ storageClass, encryption }: S3Settings, lock: ObjectLock | undefined): Partial<PutObjectCommandInput> {
  const [, algorithm, keyId] = /^(aws:kms(?::dsse)?|[^:]+)(?::(.+))?$/.exec(encryption ?? '') ?? []
  return {
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(algorithm === undefined ? {} : { ServerSideEncryption: algorithm as NonNullable<PutObjectCommandInput['ServerSideEncryption']> }),
    ...(keyId === undefined ? {} : { SSEKMSKeyId: keyId }),
    ...(lock === undefined ? {} : { ObjectLockMode: lockModes[lock.mode], ObjectLockRetainUntilDate: new Date(lock.untilMs) }),
  }
}

interface Asked {
  /** For messages. */
  readonly doing: string
  readonly lock: ObjectLock | undefined
}

/** The error, or one that says which of the wishes may be the reason. */
export function explained(error: unknown, { place, settings }: S3Access, { doing, lock }: Asked): unknown {
  const status = statusOf(error)
  const { name = '', message = '' } = error instanceof Error ? error : {}
  const isAboutKeys = /\bkms\b|encrypt/i.test(`${name} ${message}`)
  if (!isAboutKeys && !(status === 400 && /^(?:InvalidArgument|InvalidRequest|InvalidStorageClass)$/.test(name))) return error
  const { storageClass, encryption } = settings
  const wishes = [
    ...(encryption === undefined ? [] : [`--s3-sse ${encryption}`]),
    ...(storageClass === undefined || isAboutKeys ? [] : [`--s3-storage-class ${storageClass}`]),
    ...(lock === undefined || isAboutKeys ? [] : ['the Object Lock that this repository asks for, which a bucket gets when it is made']),
  ]
  if (wishes.length === 0) return error
  const said = message === '' || message === 'UnknownError' ? name : `${name}: ${message.split('\n')[0]!}`
  return new BackupError('BACKEND_FAILED', `cannot ${doing} in ${s3Location(place)}: the service does not do ${wishes.join(', or ')} (${status ?? 'no status'} ${said})`, { cause: error, path: s3Location(place) })
}

/** @throws {BackupError} BACKEND_FAILED - what was to be encrypted was taken, and was not */
export function requireEncrypted({ place, settings: { encryption } }: S3Access, doing: string, answered: string | undefined): void {
  if (encryption === undefined || answered !== undefined) return
  throw new BackupError('BACKEND_FAILED', `cannot ${doing} in ${s3Location(place)} as asked: the service does not do --s3-sse ${encryption}, and stored it without`, { path: s3Location(place) })
}
