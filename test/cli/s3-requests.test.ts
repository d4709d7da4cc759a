/** Latency is the enemy: how many requests a command makes is counted where they pass. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { s3Location } from '../../src/backend/s3/s3-place.ts'
import { running } from '../support/async-nacre.ts'
import { faultProxy, type FaultProxy } from '../support/fault-proxy.ts'
import { place, type Place } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

describe.skipIf(!hasCeph)(`requests on S3 ${needsCeph}`, { timeout: 300_000 }, () => {
  let service: S3Service

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  async function requestsOf(proxy: FaultProxy, here: Place, ...args: string[]): Promise<string[]> {
    const before = proxy.requests.length
    const { code, stderr } = await running(here, ...args)
    expect(code, `${args.join(' ')}: ${stderr}`).toBe(0)
    return proxy.requests.slice(before).map(({ method, url }) => `${method} ${url}`)
  }

  test('with a warm catalogue looking takes 6, and a backup of what has not changed at most 14', async () => {
    const bucket = await newBucket(service)
    await using proxy = await faultProxy({ targetPort: service.port })
    const here = place()
    Object.assign(here.environment, service.environment, { NACRE_REPOSITORY: s3Location({ ...bucket, endpoint: proxy.endpoint }) })
    for (let folder = 0; folder < 5; folder++) {
      mkdirSync(join(here.folder, `src/${folder}`), { recursive: true })
      for (let i = 0; i < 30; i++) writeFileSync(join(here.folder, `src/${folder}/${i}`), `file ${folder} ${i}`)
    }
    // The folders above a path are part of a snapshot, and those of a busy machine change: these are made up.
    const backup = ['backup', '--as-path', `${join(here.folder, 'src')}=/nowhere/src`]
    const run = (...args: string[]): Promise<string[]> => requestsOf(proxy, here, ...args)
    await run('init')
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(here.folder, 'src/0/changing'), `version ${i}`)
      await run(...backup)
    }
    for (const command of [['snapshots'], ['ls', 'latest', '--recursive'], ['find', 'changing'], ['diff', 'latest~1', 'latest']]) {
      const requests = await run(...command)
      expect(requests.length, `${command.join(' ')}:\n${requests.join('\n')}`).toBeLessThanOrEqual(6)
    }
    const requests = await run(...backup)
    expect(requests.length, requests.join('\n')).toBeLessThanOrEqual(14)
  })
})
