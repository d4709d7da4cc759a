import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { openS3 } from '../../src/backend/s3/s3-client.ts'
import { s3Backend } from '../../src/backend/s3/s3.ts'
import { s3Location, type S3Place } from '../../src/backend/s3/s3-place.ts'
import { collect } from '../suites/backend-suite.ts'
import { running } from '../support/async-nacre.ts'
import { type Fault, faultProxy, type SeenRequest } from '../support/fault-proxy.ts'
import { type Ended, place, type Place, start } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

const slowMs = 300_000

describe.skipIf(!hasCeph)(`S3 when things go wrong ${needsCeph}`, { timeout: slowMs }, () => {
  let service: S3Service

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  function at(bucket: S3Place, keys: Readonly<Record<string, string>> = service.environment): Place {
    const here = place()
    Object.assign(here.environment, keys, { NACRE_REPOSITORY: s3Location(bucket) })
    mkdirSync(join(here.folder, 'src'))
    writeFileSync(join(here.folder, 'src/large'), randomBytes(3_000_000))
    for (let i = 0; i < 20; i++) writeFileSync(join(here.folder, `src/${i}`), `file ${i}`)
    return here
  }

  async function ok(here: Place, ...args: string[]): Promise<Ended> {
    const ended = await running(here, ...args)
    expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0)
    return ended
  }

  test('every command ends right while requests are cut, refused, and answered in vain', async () => {
    const bucket = await newBucket(service)
    // Each seventh request, and each kind of mischief in turn.
    const mischief: Fault[] = ['reset', 'lose reply', { status: 503 }, 'truncate', { status: 500 }, { status: 429 }]
    await using proxy = await faultProxy({ targetPort: service.port, decide: ({ number }) => (number % 7 === 0 ? mischief[(number / 7) % mischief.length] : undefined) })
    const here = at({ ...bucket, endpoint: proxy.endpoint })
    await ok(here, 'init')
    await ok(here, 'backup', 'src')
    writeFileSync(join(here.folder, 'src/new'), 'new')
    await ok(here, 'backup', 'src')
    expect((await ok(here, 'snapshots', '--json')).stdout.match(/"id"/g)).toHaveLength(2)
    await ok(here, 'forget', '--keep-last', '1')
    await ok(here, 'prune')
    await ok(here, 'check', '--read-data')
    await ok(here, 'restore', `latest:${join(here.folder, 'src')}`, '--target', join(here.folder, 'back'))
    expect(readFileSync(join(here.folder, 'back/large'))).toEqual(readFileSync(join(here.folder, 'src/large')))
    expect(proxy.spoiled()).toBeGreaterThan(10)
  })

  test('a commit whose reply is lost is one snapshot, and no failure', async () => {
    const bucket = await newBucket(service)
    let lost = 0
    const isCommit = ({ method, url }: SeenRequest): boolean => method === 'PUT' && url.includes('/snapshots/')
    await using proxy = await faultProxy({ targetPort: service.port, decide: (seen) => (isCommit(seen) && lost++ === 0 ? 'lose reply' : undefined) })
    const here = at({ ...bucket, endpoint: proxy.endpoint })
    await ok(here, 'init')
    await ok(here, 'backup', 'src')
    expect(lost).toBe(2)
    await using backend = await s3Backend(bucket)
    expect(await collect(backend.list('snapshots'))).toHaveLength(1)
    expect(await collect(backend.list('sessions'))).toHaveLength(0)
  })

  test.each(['keeps half of', 'keeps nothing of'])('a service that thanks for a pack and %s it is found out before the commit', async (what) => {
    const bucket = await newBucket(service)
    const halve = (url: string): Fault => ({
      then: async () => {
        const { sdk, client } = await openS3(bucket, {}, 1)
        await client.send(new sdk.PutObjectCommand({ Bucket: bucket.bucket, Key: decodeURIComponent(new URL(url, service.endpoint).pathname).split('/').slice(2).join('/'), Body: 'half' }))
        client.destroy()
      },
    })
    const decide = ({ method, url }: SeenRequest): Fault | undefined => (method === 'PUT' && url.includes('/packs/') ? (what === 'keeps half of' ? halve(url) : { pretend: true }) : undefined)
    await using proxy = await faultProxy({ targetPort: service.port, decide })
    const here = at({ ...bucket, endpoint: proxy.endpoint })
    await ok(here, 'init')
    const ended = await running(here, 'backup', 'src')
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/pack [0-9a-f]{8} was acknowledged, but/)
    await using backend = await s3Backend(bucket)
    const registers = await collect(backend.list('snapshots'))
    expect((await ok(here, 'snapshots', '--json')).stdout).not.toMatch(/"id"/)
    expect(registers.length).toBeLessThanOrEqual(1)
  })

  test('kill -9 while packs are sent loses nothing, and the next backup and a prune go on', async () => {
    const bucket = await newBucket(service)
    let kill: (() => void) | undefined
    const isPack = ({ method, url }: SeenRequest): boolean => method === 'PUT' && url.includes('/packs/')
    await using proxy = await faultProxy({ targetPort: service.port, decide: (seen) => (isPack(seen) && kill !== undefined ? { then: async () => kill?.() } : undefined) })
    const here = at({ ...bucket, endpoint: proxy.endpoint })
    await ok(here, 'init')
    await ok(here, 'backup', 'src/1')
    const child = start(here, 'backup', 'src')
    kill = () => child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    kill = undefined
    await ok(here, 'backup', 'src')
    await ok(here, 'prune', '--fence')
    await ok(here, 'check', '--read-data')
    expect((await ok(here, 'snapshots', '--json')).stdout.match(/"id"/g)).toHaveLength(2)
  })

  test('who may not delete can back up and restore, and learns before a prune begins', async () => {
    const bucket = await newBucket(service)
    const { sdk, client } = await openS3(bucket, {}, 1)
    const arns = [`arn:aws:s3:::${bucket.bucket}`, `arn:aws:s3:::${bucket.bucket}/*`]
    const Statement = [
      { Effect: 'Allow', Principal: { AWS: ['arn:aws:iam:::user/limited'] }, Action: ['s3:GetObject', 's3:PutObject', 's3:ListBucket'], Resource: arns },
    ]
    await client.send(new sdk.PutBucketPolicyCommand({ Bucket: bucket.bucket, Policy: JSON.stringify({ Version: '2012-10-17', Statement }) }))
    client.destroy()
    const owner = at(bucket)
    await ok(owner, 'init')
    const limited = at(bucket, service.limited)
    const backup = await ok(limited, 'backup', 'src')
    expect(backup.stderr).toMatch(/probes\//)
    await ok(limited, 'restore', `latest:${join(limited.folder, 'src')}`, '--target', join(limited.folder, 'back'))
    const prune = await running(limited, 'prune')
    expect(prune.code).toBe(1)
    expect(prune.stderr).toMatch(/^nacre: nothing was pruned: this user may not delete at s3:/m)
  })

  test('what is wrong with keys, clock, endpoint and region is said in one line', async () => {
    const bucket = await newBucket(service)
    const here = at(bucket)
    const line = async (changes: Record<string, string>): Promise<string> => {
      const ended = await running({ ...here, environment: { ...here.environment, ...changes } }, 'snapshots')
      expect(ended).toMatchObject({ code: 1, stdout: '' })
      expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1)
      return ended.stderr
    }
    expect(await line({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' })).toMatch(/the secret key is wrong/)
    expect(await line({ AWS_ACCESS_KEY_ID: 'nobody' })).toMatch(/does not know the access key/)
    const shifted = `data:text/javascript,${encodeURIComponent('const now = Date.now; Date.now = () => now() + 3 * 3600e3')}`
    expect(await line({ NODE_OPTIONS: `--import=${shifted}` })).toMatch(/the clock of this machine is off/)

    await using elsewhere = await faultProxy({ targetPort: service.port, decide: () => ({ status: 400, body: '<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>eu-west-1</Region></Error>' }) })
    expect(await line({ NACRE_REPOSITORY: s3Location({ ...bucket, endpoint: elsewhere.endpoint }) })).toMatch(/in another region; it is in eu-west-1: give --s3-region eu-west-1/)

    const pages = createServer((_, answer) => answer.end('<html><body>Welcome</body></html>'))
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
    try {
      expect(await line({ NACRE_REPOSITORY: s3Location({ ...bucket, endpoint }) })).toMatch(/what answers there is no S3 service/)
    } finally {
      pages.closeAllConnections()
      pages.close()
    }
  })
})

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}
