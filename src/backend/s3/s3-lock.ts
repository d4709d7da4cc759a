/**
 * Object Lock of single objects. A lock belongs to a version; what is asked and locked here is the
 * newest one, which is the object. Locks of a mode that nobody may take back are never weakened.
 */
import { BackupError } from '../../util/errors.ts'
import { nameOf, noS3, statusOf } from './s3-error.ts'
import { sendOptions } from './s3-client.ts'
import { s3Location, type S3Place } from './s3-place.ts'
import type { LockMode, ObjectLock } from '../backend.ts'
import type { S3Access } from './s3-client.ts'

export const lockModes = { governance: 'GOVERNANCE', compliance: 'COMPLIANCE' } as const satisfies Record<LockMode, string>

/** Names for: no lock, no such object (or one that is hidden), a bucket that locks nothing. */
const withoutLock: ReadonlySet<string> = new Set(['NoSuchObjectLockConfiguration', 'ObjectLockConfigurationNotFoundError', 'NoSuchKey', 'NoSuchVersion', 'MethodNotAllowed'])

/** Errors come as they are; the caller puts them into nacre's. */
export async function lockOf({ sdk, client, place }: S3Access, key: string, signal: AbortSignal | undefined): Promise<ObjectLock | undefined> {
  try {
    const { Retention } = await client.send(new sdk.GetObjectRetentionCommand({ Bucket: place.bucket, Key: key }), sendOptions(signal))
    const untilMs = Retention?.RetainUntilDate?.getTime()
    // An answer that says neither is none: what may be locked must not pass for unlocked.
    if (untilMs === undefined || Number.isNaN(untilMs)) throw noS3('look at a lock', place, 'it tells of a lock without an end')
    return { mode: Retention?.Mode === 'COMPLIANCE' ? 'compliance' : 'governance', untilMs }
  } catch (error) {
    if (withoutLock.has(nameOf(error)) || isWithoutConfiguration(error)) return undefined
    throw error
  }
}

export async function setLock({ sdk, client, place }: S3Access, key: string, { mode, untilMs }: ObjectLock, signal: AbortSignal | undefined): Promise<'locked' | 'absent'> {
  const Retention = { Mode: lockModes[mode], RetainUntilDate: new Date(untilMs) }
  try {
    await client.send(new sdk.PutObjectRetentionCommand({ Bucket: place.bucket, Key: key, Retention }), sendOptions(signal))
    return 'locked'
  } catch (error) {
    if (nameOf(error) === 'NoSuchKey' || nameOf(error) === 'MethodNotAllowed') return 'absent'
    if (isWithoutConfiguration(error)) throw unlockable(place, error)
    throw error
  }
}

export function unlockable(place: S3Place, cause?: unknown): BackupError {
  return new BackupError('BACKEND_UNSUITABLE', `the bucket "${place.bucket}" has no Object Lock, which a bucket gets when it is made; "nacre init --create-bucket" with another name makes one that has`, { cause, path: s3Location(place) })
}

/** What a bucket says that was made without Object Lock. */
function isWithoutConfiguration(error: unknown): boolean {
  return statusOf(error) === 400 && nameOf(error) === 'InvalidRequest'
}
