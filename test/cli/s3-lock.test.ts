/** Object Lock and buckets that keep versions, on the real gateway. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { openS3 } from '../../src/backend/s3/s3-client.ts'
import { s3Backend } from '../../src/backend/s3/s3.ts'
import { s3Location, type S3Place } from '../../src/backend/s3/s3-place.ts'
import { refKey } from '../../src/backend/layout.ts'
import type { Backend, ObjectInfo, ObjectRef, ObjectType } from '../../src/backend/backend.ts'
import { collect } from '../suites/backend-suite.ts'
import { type Ended, lastJson, place, type Place } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

const slowMs = 300_000
const hourMs = 3_600_000
const kinds = ['config', 'keys', 'packs', 'index', 'snapshots'] as const

describe.skipIf(!hasCeph)(`buckets that lock or keep versions ${needsCeph}`, { timeout: slowMs }, () => {
  let service: S3Service
  let buckets = 0

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  function unmade(): S3Place {
    return { kind: 's3', endpoint: service.endpoint, bucket: `lock-${process.pid}-${Date.now().toString(36)}-${++buckets}`, prefix: 'in/here' }
  }

  function at(bucket: S3Place): Place {
    const here = place()
    Object.assign(here.environment, service.environment, { NACRE_REPOSITORY: s3Location(bucket) })
    mkdirSync(join(here.folder, 'src'))
    writeFileSync(join(here.folder, 'src/stays'), randomBytes(400_000))
    writeFileSync(join(here.folder, 'src/goes'), randomBytes(1_000_000))
    return here
  }

  function ok(here: Place, ...args: string[]): Ended {
    const ended = here.run(...args)
    expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0)
    return ended
  }

  test('what is stored is locked; prune keeps what is locked, says until when, and locks on what is used', async () => {
    const bucket = unmade()
    const here = at(bucket)
    const made = ok(here, 'init', '--create-bucket', '--object-lock', 'governance:1h')
    expect(made.stderr).toMatch(/locked for 1h: only who may bypass governance/)
    const old = lastJson(ok(here, 'backup', 'src', '--json').stdout)['snapshot_id'] as string
    writeFileSync(join(here.folder, 'src/goes'), randomBytes(500_000))
    ok(here, 'backup', 'src')

    await using backend = await s3Backend(bucket)
    const oldPacks = await objects(backend, 'packs')
    for (const kind of kinds) {
      const found = await objects(backend, kind)
      expect(found.length, kind).toBeGreaterThan(0)
      for (const ref of found) {
        const lock = await backend.lockOf!(ref)
        expect(lock?.mode, refKey(ref)).toBe('governance')
        expect(Math.abs(lock!.untilMs - Date.now() - hourMs), refKey(ref)).toBeLessThan(10 * 60_000)
      }
    }

    // Forgotten, and kept all the same: nothing goes, and it can be had back.
    ok(here, 'forget', old)
    const kept = ok(here, 'prune', '--exclusive')
    expect(kept.stderr).toMatch(/^kept because locked until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d at the latest: 1 forgotten snapshot$/m)
    expect(await objects(backend, 'packs')).toEqual(oldPacks)
    ok(here, 'unforget', old)
    ok(here, 'forget', old)

    // The snapshot's lock ends first, as that of one that was forgotten does: its packs stay until theirs has ended.
    await unlock(bucket, [{ type: 'snapshots', name: `0/${old}` }])
    const swept = lastJson(ok(here, 'prune', '--exclusive', '--json').stdout)
    expect(swept).toMatchObject({ swept_snapshots: 1, deleted_packs: 0, keeps_versions: true })
    ok(here, 'check', '--read-data')
    const locked = lastJson(ok(here, 'prune', '--exclusive', '--json').stdout)['plan'] as Record<string, unknown>
    expect(locked['locked_packs']).toBeGreaterThan(0)

    // When it has ended they go; what is used is locked on.
    const used = (await objects(backend, 'index'))[0]!
    await unlock(bucket, [used, ...(await objects(backend, 'packs'))])
    const freed = lastJson(ok(here, 'prune', '--exclusive', '--json').stdout)
    expect(freed['deleted_packs']).toBeGreaterThan(0)
    expect(freed['extended_locks']).toBeGreaterThan(0)
    for (const ref of [used, ...(await objects(backend, 'packs'))]) {
      const lock = await backend.lockOf!(ref)
      if (await backend.stat(ref)) expect(lock!.untilMs - Date.now(), refKey(ref)).toBeGreaterThan(0.8 * hourMs)
    }
    ok(here, 'check', '--read-data')
  })

  test('who deletes what is locked hides it, and it can be had back', async () => {
    const bucket = unmade()
    const here = at(bucket)
    ok(here, 'init', '--create-bucket', '--object-lock', 'compliance:1h')
    ok(here, 'backup', 'src')
    await using backend = await s3Backend(bucket)
    const { sdk, client } = await openS3(bucket, {}, 1)
    const versions = async () => (await client.send(new sdk.ListObjectVersionsCommand({ Bucket: bucket.bucket, Prefix: 'in/here/packs/' }))).Versions ?? []
    const before = await versions()
    expect(before.length).toBeGreaterThan(0)
    for (const { Key, VersionId } of before) {
      const attempt = client.send(new sdk.DeleteObjectCommand({ Bucket: bucket.bucket, Key, VersionId, BypassGovernanceRetention: true }))
      await expect(attempt).rejects.toMatchObject({ name: 'AccessDenied' })
    }
    for (const ref of await objects(backend, 'packs')) await backend.remove(ref)
    expect(backend.hasKeptVersions!()).toBe(true)
    expect(await objects(backend, 'packs')).toEqual([])
    expect(here.run('check').code).toBe(1)
    expect(await versions()).toHaveLength(before.length)
    const { DeleteMarkers } = await client.send(new sdk.ListObjectVersionsCommand({ Bucket: bucket.bucket, Prefix: 'in/here/packs/' }))
    for (const { Key, VersionId } of DeleteMarkers ?? []) await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket.bucket, Key, VersionId }))
    client.destroy()
    ok(here, 'check', '--read-data')
  })

  test('a bucket that keeps versions, delete markers and all, serves as any other', async () => {
    const bucket = { ...(await newBucket(service)), prefix: 'versions' }
    await turnVersionsOn(bucket)
    const here = at(bucket)
    ok(here, 'init')
    const old = lastJson(ok(here, 'backup', 'src', '--json').stdout)['snapshot_id'] as string
    writeFileSync(join(here.folder, 'src/goes'), randomBytes(700_000))
    ok(here, 'backup', 'src')
    ok(here, 'tag', 'latest', '--add', 'kept')
    ok(here, 'tag', 'latest', '--add', 'twice')
    ok(here, 'forget', old)
    ok(here, 'unforget', old)
    ok(here, 'forget', old)
    const pruned = ok(here, 'prune', '--exclusive')
    expect(pruned.stderr).toMatch(/keeps what was deleted as old versions/)
    ok(here, 'check', '--read-data')
    ok(here, 'restore', `latest:${join(here.folder, 'src')}`, '--target', join(here.folder, 'back'), '--verify')
    expect(ok(here, 'snapshots', '--json').stdout.match(/"id"/g)).toHaveLength(1)
    // Each name that was ever created was created once: nothing was written over.
    const { sdk, client } = await openS3(bucket, {}, 1)
    const { Versions, DeleteMarkers } = await client.send(new sdk.ListObjectVersionsCommand({ Bucket: bucket.bucket }))
    client.destroy()
    const keys = (Versions ?? []).map(({ Key }) => Key!).filter((key) => !/\/(probes|forgotten)\//.test(key))
    expect(new Set(keys).size).toBe(keys.length)
    expect((DeleteMarkers ?? []).length).toBeGreaterThan(0)
  })

  test('a bucket that begins to keep versions later is found out by prune, which refuses', async () => {
    const bucket = await newBucket(service)
    const here = at(bucket)
    ok(here, 'init')
    const old = lastJson(ok(here, 'backup', 'src', '--json').stdout)['snapshot_id'] as string
    writeFileSync(join(here.folder, 'src/goes'), randomBytes(700_000))
    ok(here, 'backup', 'src')
    await turnVersionsOn(bucket)
    ok(here, 'forget', old)
    const refused = here.run('prune')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/cannot be pruned safely while others use it: two writers of one name were both told that they made it; nothing was deleted/)
    ok(here, 'prune', '--exclusive')
    ok(here, 'check', '--read-data')
  })

  test('where nothing can be locked, that is said before anything is made', async () => {
    const bucket = await newBucket(service)
    const here = at(bucket)
    for (const more of [[], ['--create-bucket']]) {
      const refused = here.run('init', '--object-lock', 'governance:30d', ...more)
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toMatch(/^nacre: the bucket "t-.*" has no Object Lock, which a bucket gets when it is made; .*\n$/)
    }
    await using backend = await s3Backend(bucket)
    expect(await objects(backend, 'probes')).toEqual([])
    for (const text of ['30d', 'compliance:30', 'forever:1d', 'compliance:36501d']) {
      const wrong = here.run('init', '--object-lock', text)
      expect(wrong.code, text).toBe(2)
      expect(wrong.stderr).toMatch(/^nacre: --object-lock takes governance:TIME or compliance:TIME/)
    }
    const folder = here.run('init', '-r', here.repo, '--object-lock', 'governance:30d')
    expect(folder.code).toBe(2)
    expect(folder.stderr).toMatch(/^nacre: Object Lock is for buckets of S3 services/)
  })

  /** As who may bypass governance: the locks end at once, or nearly. */
  async function unlock(bucket: S3Place, refs: readonly ObjectRef[]): Promise<void> {
    const { sdk, client } = await openS3(bucket, {}, 4)
    let lastMs = 0
    const shorten = async (ref: ObjectRef, spanMs: number): Promise<void> => {
      const end = new Date(Date.now() + spanMs)
      try {
        await client.send(new sdk.PutObjectRetentionCommand({ Bucket: bucket.bucket, Key: `${bucket.prefix}/${refKey(ref)}`, Retention: { Mode: 'GOVERNANCE', RetainUntilDate: end }, BypassGovernanceRetention: true }))
        lastMs = Math.max(lastMs, end.getTime())
      } catch (error) {
        // It arrived when its end was over.
        if ((error as Error).name !== 'InvalidArgument') throw error
        await shorten(ref, spanMs * 2)
      }
    }
    await Promise.all(refs.map((ref) => shorten(ref, 1000)))
    client.destroy()
    while (Date.now() <= lastMs) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  async function turnVersionsOn(bucket: S3Place): Promise<void> {
    const { sdk, client } = await openS3(bucket, {}, 1)
    await client.send(new sdk.PutBucketVersioningCommand({ Bucket: bucket.bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    client.destroy()
  }
})

async function objects(backend: Backend, type: ObjectType): Promise<ObjectInfo[]> {
  return (await collect(backend.list(type))).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}
