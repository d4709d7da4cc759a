/** A bad line: 300 ms there and back (half of it in the short version), and one request in a hundred is cut. Every command ends right. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { s3Location } from '../../src/backend/s3/s3-place.ts'
import { running } from '../support/async-nacre.ts'
import { faultProxy } from '../support/fault-proxy.ts'
import { type Ended, place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

const isTorture = process.env['NACRE_TORTURE'] !== undefined
/** A short one has few requests, so that more of them must be cut for any to be. */
const [files, bytes, cutEach, latencyMs] = isTorture ? [3000, 400_000_000, 100, 150] : [40, 3_000_000, 12, 75]

describe.skipIf(!hasCeph)(`far away ${needsCeph}`, { timeout: isTorture ? 3_600_000 : 300_000 }, () => {
  let service: S3Service

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  test('backup, check and restore end right, and nothing is lost', async () => {
    const bucket = await newBucket(service)
    await using proxy = await faultProxy({ targetPort: service.port, latencyMs, decide: ({ number }) => (number % cutEach === 0 ? (number % (2 * cutEach) === 0 ? 'reset' : 'lose reply') : undefined) })
    const here = place()
    Object.assign(here.environment, service.environment, { NACRE_REPOSITORY: s3Location({ ...bucket, endpoint: proxy.endpoint }) })
    const source = join(here.folder, 'src')
    mkdirSync(source)
    writeFileSync(join(source, 'large'), seededBytes('large', bytes))
    for (let i = 0; i < files; i++) writeFileSync(join(source, `${i}`), seededBytes(`file ${i}`, 1000 + i))
    const ok = async (...args: string[]): Promise<Ended> => {
      const ended = await running(here, ...args)
      expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0)
      return ended
    }
    await ok('init', '-r', s3Location(bucket))
    await ok('backup', 'src')
    if (isTorture) {
      writeFileSync(join(source, 'large'), seededBytes('large, changed', bytes / 2))
      await ok('backup', 'src')
      await ok('forget', '--keep-last', '1')
      await ok('prune')
    }
    await ok('check', '--read-data')
    await ok('restore', `latest:${source}`, '--target', join(here.folder, 'back'))
    for (const name of ['large', ...Array.from({ length: files }, (_, i) => `${i}`)]) expect(readFileSync(join(here.folder, 'back', name)).equals(readFileSync(join(source, name))), name).toBe(true)
    expect(proxy.spoiled()).toBeGreaterThan(3)
  })
})
