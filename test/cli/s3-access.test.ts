/** How a bucket is reached: certificates, addresses, credentials, and what is asked of the service for each object. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { s3Location, type S3Place } from '../../src/backend/s3/s3-place.ts'
import { running } from '../support/async-nacre.ts'
import { faultProxy } from '../support/fault-proxy.ts'
import { type Ended, place, type Place, temporaryFolder } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'
import { hasOpenssl, makeAuthority, tlsProxy } from '../support/tls-proxy.ts'

describe.skipIf(!hasCeph || !hasOpenssl)(`reaching a bucket ${needsCeph}`, { timeout: 300_000 }, () => {
  let service: S3Service

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  function at(bucket: S3Place): Place {
    const here = place()
    Object.assign(here.environment, service.environment, { NACRE_REPOSITORY: s3Location(bucket) })
    mkdirSync(join(here.folder, 'src'))
    writeFileSync(join(here.folder, 'src/one'), 'one')
    return here
  }

  async function ok(here: Place, ...args: string[]): Promise<Ended> {
    const ended = await running(here, ...args)
    expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0)
    return ended
  }

  async function refused(here: Place, ...args: string[]): Promise<string> {
    const ended = await running(here, ...args)
    expect(ended, ended.stderr).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^nacre: [^\n]+\n$/)
    return ended.stderr
  }

  test('over TLS, by an authority of one\'s own that is named, and by no other', async () => {
    const folder = temporaryFolder()
    const own = makeAuthority(folder, 'own')
    const other = makeAuthority(folder, 'other')
    await using tls = await tlsProxy(folder, 'own', service.port)
    const here = at({ ...(await newBucket(service)), endpoint: tls.endpoint })
    await ok(here, 'init', '--s3-ca', own)
    await ok(here, 'backup', 'src', '--s3-ca', own)
    here.environment['AWS_CA_BUNDLE'] = own
    await ok(here, 'check', '--read-data')
    delete here.environment['AWS_CA_BUNDLE']
    const untrusted = /the certificate of https:\/\/127\.0\.0\.1:\d+ is not trusted \([A-Z_]+\); if it is your own, name the authority that signed it by --s3-ca FILE/
    expect(await refused(here, 'snapshots')).toMatch(untrusted)
    expect(await refused(here, 'snapshots', '--s3-ca', other)).toMatch(untrusted)
    const wrong = async (file: string): Promise<Ended> => running(here, 'snapshots', '--s3-ca', file)
    expect(await wrong(join(folder, 'nowhere'))).toMatchObject({ code: 2, stderr: expect.stringMatching(/^nacre: the file of certificates .*nowhere cannot be read: [^\n]+\n$/) as string })
    expect(await wrong(join(folder, 'own.key'))).toMatchObject({ code: 2, stderr: expect.stringMatching(/^nacre: .*own\.key holds no certificate \(PEM\)\n$/) as string })
    here.environment['NACRE_REPOSITORY'] = here.environment['NACRE_REPOSITORY']!.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${service.port}`)
    expect(await refused(here, 'snapshots')).toMatch(/does not speak TLS there; is it http:\/\/ and not https:\/\/\?/)
  })

  test('by the bucket\'s name in the host, or in the path', async () => {
    const bucket = await newBucket(service)
    await using proxy = await faultProxy({ targetPort: service.port })
    const port = new URL(proxy.endpoint).port
    const here = at({ ...bucket, endpoint: `http://localhost:${port}` })
    // Not every machine's resolver knows that all of .localhost is here.
    const resolver = `data:text/javascript,${encodeURIComponent(`
      import dns from 'node:dns'
      const lookup = dns.lookup
      dns.lookup = (name, options, done) => lookup(String(name).endsWith('localhost') ? '127.0.0.1' : name, options, done)`)}`
    here.environment['NODE_OPTIONS'] = `--import=${resolver}`
    await ok(here, 'init')
    await ok(here, 'backup', 'src', '--s3-addressing', 'host')
    await ok(here, 'check', '--read-data')
    const hosts = new Set(proxy.requests.map(({ headers }) => headers['host']))
    expect([...hosts].sort()).toEqual([`${bucket.bucket}.localhost:${port}`, `localhost:${port}`].sort())
    expect(await running(here, 'snapshots', '--s3-addressing', 'none')).toMatchObject({ code: 2 })
  })

  test('with keys from a profile, and one line where there are none', async () => {
    const here = at(await newBucket(service))
    await ok(here, 'init')
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = service.environment
    delete here.environment['AWS_ACCESS_KEY_ID']
    delete here.environment['AWS_SECRET_ACCESS_KEY']
    // Or the machine itself would be asked, over a network that may take its time.
    here.environment['AWS_EC2_METADATA_DISABLED'] = 'true'
    expect(await refused(here, 'snapshots')).toMatch(/no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE/)
    mkdirSync(join(here.folder, '.aws'))
    writeFileSync(join(here.folder, '.aws/credentials'), `[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n[ours]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`)
    expect(await refused(here, 'snapshots')).toMatch(/does not know the access key/)
    here.environment['AWS_PROFILE'] = 'ours'
    const listed = await ok(here, 'snapshots', '-v')
    expect(listed.stdout + listed.stderr).not.toContain(secret)
    here.environment['AWS_PROFILE'] = 'missing'
    expect(await refused(here, 'snapshots')).toMatch(/no credentials were found/)
  })

  test('a storage class and encryption are asked for with each object, and a refusal is one line', async () => {
    await using proxy = await faultProxy({ targetPort: service.port })
    const asked = (name: string): unknown[] => [...new Set(proxy.requests.filter(({ method }) => method === 'PUT').map(({ headers }) => headers[name]))]
    const here = at({ ...(await newBucket(service)), endpoint: proxy.endpoint })
    await ok(here, 'init', '--s3-storage-class', 'STANDARD', '--s3-sse', 'aws:kms:key-of-the-tests')
    await ok(here, 'backup', 'src', '--s3-storage-class', 'STANDARD', '--s3-sse', 'aws:kms:key-of-the-tests')
    expect(asked('x-amz-storage-class')).toEqual(['STANDARD'])
    expect(asked('x-amz-server-side-encryption')).toEqual(['aws:kms'])
    expect(asked('x-amz-server-side-encryption-aws-kms-key-id')).toEqual(['key-of-the-tests'])
    await ok(here, 'check', '--read-data')
    writeFileSync(join(here.folder, 'src/two'), 'two')
    expect(await refused(here, 'backup', 'src', '-q', '--s3-storage-class', 'MARBLE')).toMatch(/--s3-storage-class/)
    expect(await refused(here, 'backup', 'src', '-q', '--s3-sse', 'AES256')).toMatch(/--s3-sse/)
    expect(await refused(here, 'backup', 'src', '-q', '--s3-sse', 'aws:kms:no-such-key')).toMatch(/--s3-sse/)
    expect(asked('x-amz-server-side-encryption')).toContain('AES256')
    expect(await running(here, 'backup', 'src', '--s3-sse', 'ROT13')).toMatchObject({ code: 2 })
    await ok(here, 'backup', 'src')
    await ok(here, 'check', '--read-data')
  })
})
