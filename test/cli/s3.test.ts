import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

import { gcRef, objectTypes, refKey } from '../../src/backend/layout.ts'
import { s3Backend } from '../../src/backend/s3/s3.ts'
import { s3Location, type S3Place } from '../../src/backend/s3/s3-place.ts'
import { place, type Place, PROGRAM } from '../support/nacre.ts'
import { hasCeph, needsCeph, newBucket, s3Service, s3StartMs, type S3Service } from '../support/s3-service.ts'

const slowMs = 300_000

describe.skipIf(!hasCeph)(`the command line on S3 ${needsCeph}`, () => {
  let service: S3Service

  beforeAll(async () => {
    service = await s3Service()
  }, s3StartMs)

  /** Where the commands run, as somebody whose environment names the keys. */
  function at(bucket: S3Place | string, keys = service.environment): Place {
    const here = place()
    Object.assign(here.environment, keys, { NACRE_REPOSITORY: typeof bucket === 'string' ? bucket : s3Location(bucket) })
    mkdirSync(join(here.folder, 'src'))
    writeFileSync(join(here.folder, 'src/one'), 'one')
    writeFileSync(join(here.folder, 'src/two'), Buffer.alloc(300_000, 7))
    return here
  }

  test('a repository lives there through all that is done to one', { timeout: slowMs }, async () => {
    const bucket = await newBucket(service, 'some/where')
    const here = at(bucket)
    const ok = (...args: string[]): string => {
      const { code, stdout, stderr } = here.run(...args)
      expect(code, `${args.join(' ')}: ${stderr}`).toBe(0)
      for (const secret of Object.values(service.environment).slice(1, 2)) expect(stdout + stderr).not.toContain(secret)
      return stdout
    }
    expect(ok('init')).toContain(`at ${s3Location(bucket)}`)
    expect(here.run('init').stderr).toContain('already')
    ok('backup', 'src')
    writeFileSync(join(here.folder, 'src/three'), 'three')
    ok('backup', 'src')
    expect(ok('snapshots', '--json').match(/"id"/g)).toHaveLength(2)
    expect(ok('ls', 'latest', '--recursive')).toContain('src/three')
    ok('restore', `latest:${join(here.folder, 'src')}`, '--target', join(here.folder, 'back'), '--verify')
    expect(readFileSync(join(here.folder, 'back/two'))).toEqual(Buffer.alloc(300_000, 7))
    expect(readFileSync(join(here.folder, 'back/three'), 'utf8')).toBe('three')
    ok('check', '--read-data')
    expect(ok('sessions')).not.toContain(here.folder)
    ok('forget', '--keep-last', '1')
    ok('prune')
    ok('check', '--read-data')
    expect(ok('snapshots', '--json').match(/"id"/g)).toHaveLength(1)

    // Copied to a disk, object by object, it is the same repository there.
    const disk = join(here.folder, 'disk')
    await copyTo(bucket, disk)
    here.environment['NACRE_REPOSITORY'] = disk
    ok('check', '--read-data')
    ok('restore', `latest:${join(here.folder, 'src')}`, '--target', join(here.folder, 'back-from-disk'))
    expect(readFileSync(join(here.folder, 'back-from-disk/three'), 'utf8')).toBe('three')
    ok('backup', 'src')
  })

  test('of 16 processes that create one register one wins', { timeout: slowMs }, async () => {
    const bucket = await newBucket(service)
    const script = `
      const { s3Backend } = await import(${JSON.stringify(join(dirname(PROGRAM), '../backend/s3/s3.js'))})
      const backend = await s3Backend(${JSON.stringify(bucket)})
      await backend.stat({ type: 'config', name: 'config' })
      console.log('ready')
      await new Promise((resolve) => process.stdin.once('data', resolve))
      const own = new TextEncoder().encode(process.argv[1])
      console.log(await backend.create({ type: 'gc', name: '0000000001.plan' }, [own]))
      process.exit(0)`
    const racers = Array.from({ length: 16 }, (_, i) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, `racer ${i}`], { env: { ...process.env, ...service.environment }, stdio: ['pipe', 'pipe', 'inherit'] })
      let out = ''
      const ready = new Promise<void>((resolve) => child.stdout.on('data', (data: Buffer) => ((out += String(data)), out.includes('ready') && resolve())))
      const ended = new Promise<string>((resolve) => child.on('close', () => resolve(out.trim().split('\n').at(-1) ?? '')))
      return { child, ready: Promise.race([ready, ended]), ended }
    })
    await Promise.all(racers.map(({ ready }) => ready))
    for (const { child } of racers) child.stdin.end('go')
    const results = await Promise.all(racers.map(({ ended }) => ended))
    expect(results.filter((result) => result === 'created')).toHaveLength(1)
    expect(results.filter((result) => result === 'exists')).toHaveLength(15)
    await using backend = await s3Backend(bucket)
    expect(Buffer.from(await backend.load(gcRef(1, 'plan'))).toString()).toBe(`racer ${results.indexOf('created')}`)
  })

  test('init makes the bucket only when it is asked to', { timeout: slowMs }, () => {
    const here = at(`s3:${service.endpoint}/made-${Date.now().toString(36)}-${process.pid}/x`)
    const refused = here.run('init')
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^nacre: cannot make a repository in s3:.*: there is no bucket "made-.*"; "nacre init --create-bucket" makes one\n$/)
    expect(here.run('snapshots').code).toBe(10)
    expect(here.run('init', '--create-bucket').code).toBe(0)
    expect(here.run('snapshots').code).toBe(0)
  })
})

async function copyTo(bucket: S3Place, folder: string): Promise<void> {
  await using backend = await s3Backend(bucket)
  for (const type of objectTypes) {
    for await (const info of backend.list(type)) {
      const path = join(folder, refKey(info))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, await backend.load(info))
    }
  }
}
