/**
 * Finding or making the bucket, for `init`. Object Lock is given to a bucket when it is made, and what
 * is removed from such a bucket lies on as a version; so one that is made here for a repository with
 * locks gets a rule that clears hidden versions away once no lock keeps them.
 */
import { openS3 } from './s3-client.ts'
import { nameOf, statusOf, told } from './s3-error.ts'
import { confirmBucket } from './s3-list.ts'
import { unlockable } from './s3-lock.ts'
import { s3Connections } from './s3.ts'
import type { S3Access } from './s3-client.ts'
import type { S3Place, S3Settings } from './s3-place.ts'

export interface S3Wishes {
  readonly mayCreate: boolean
  readonly needsLock: boolean
}

/** Grace for what was hidden by mistake, or by somebody else. */
const hiddenDays = 7

/**
 * @throws {BackupError} BACKEND_FAILED - there is none and none was asked for; BACKEND_UNSUITABLE - it
 * cannot lock; BACKEND_DENIED
 */
export async function createS3Place(place: S3Place, settings: S3Settings, { mayCreate, needsLock }: S3Wishes): Promise<void> {
  const access = await openS3(place, settings, s3Connections)
  try {
    const isMade = mayCreate && (await makeBucket(access, needsLock))
    if (!mayCreate) await confirmBucket(access, 'make a repository', undefined)
    if (!needsLock) return
    await requireLock(access)
    if (isMade) await told(access, 'give the bucket a rule for hidden versions', undefined, () => clearHidden(access))
  } finally {
    access.client.destroy()
  }
}

/** Whether there was none. */
async function makeBucket(access: S3Access, needsLock: boolean): Promise<boolean> {
  const { sdk, client, place } = access
  return told(access, 'make the bucket', undefined, async () => {
    // Asked first: some services thank for making a bucket that one has already.
    if (needsLock && (await hasBucket(access))) return false
    const region = await client.config.region()
    const constraint = place.endpoint === undefined && region !== 'us-east-1' ? { CreateBucketConfiguration: { LocationConstraint: region } } : {}
    const lock = needsLock ? { ObjectLockEnabledForBucket: true } : {}
    try {
      await client.send(new sdk.CreateBucketCommand({ Bucket: place.bucket, ...constraint, ...lock } as ConstructorParameters<typeof sdk.CreateBucketCommand>[0]))
      return true
    } catch (error) {
      if (nameOf(error) !== 'BucketAlreadyOwnedByYou') throw error
      return false
    }
  })
}

async function hasBucket({ sdk, client, place }: S3Access): Promise<boolean> {
  try {
    await client.send(new sdk.HeadBucketCommand({ Bucket: place.bucket }))
    return true
  } catch (error) {
    if (statusOf(error) !== 404) throw error
    return false
  }
}

async function requireLock(access: S3Access): Promise<void> {
  const { sdk, client, place } = access
  const isEnabled = await told(access, 'look at the Object Lock of the bucket', undefined, async () => {
    try {
      const { ObjectLockConfiguration } = await client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: place.bucket }))
      return ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled'
    } catch (error) {
      if (nameOf(error) !== 'ObjectLockConfigurationNotFoundError') throw error
      return false
    }
  })
  if (!isEnabled) throw unlockable(place)
}

async function clearHidden({ sdk, client, place }: S3Access): Promise<void> {
  const rule = { ID: 'nacre-hidden-versions', Status: 'Enabled', Filter: { Prefix: '' }, NoncurrentVersionExpiration: { NoncurrentDays: hiddenDays } } as const
  await client.send(new sdk.PutBucketLifecycleConfigurationCommand({ Bucket: place.bucket, LifecycleConfiguration: { Rules: [rule] } }))
}
