/**
 * The S3 service of a test run: one for all files, brought up by whoever asks first and taken down by
 * the run's own end. Files run in processes of their own, so they meet in a folder: who makes `lock`
 * brings it up and leaves `ready.json`, the others wait for that.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { inject } from 'vitest'

import { createS3Place } from '../../src/backend/s3/s3-bucket.ts'
import type { S3Place } from '../../src/backend/s3/s3-place.ts'

declare module 'vitest' {
  interface ProvidedContext {
    s3Folder: string
    runPid: number
  }
}

export interface S3Service {
  readonly endpoint: string
  readonly port: number
  /** Environment of the user whom the buckets belong to. */
  readonly environment: Readonly<Record<string, string>>
  /** Of a user who may do what a bucket's policy lets him. */
  readonly limited: Readonly<Record<string, string>>
}

export const cephScript = join(import.meta.dirname, 'ceph-one-node.sh')
export const hasCeph = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph'].every((command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0)
/** For the names of tests, so that one that is skipped says what it lacks. */
export const needsCeph = '(needs radosgw, ceph-mon, ceph-osd and ceph-common)'

const startMs = 120_000
export const s3StartMs = startMs + 10_000

/** `TEST_S3_PORT` names a gateway that ceph-one-node.sh has up already, for those who run one test again and again. */
export async function s3Service(): Promise<S3Service> {
  const folder = inject('s3Folder')
  const running = process.env['TEST_S3_PORT']
  if (running !== undefined) return inEnvironment(serviceAt(Number(running)))
  const ready = join(folder, 'ready.json')
  if (isFirst(folder)) await start(folder, ready)
  for (let waitedMs = 0; !existsSync(ready); waitedMs += 100) {
    if (existsSync(join(folder, 'failed')) || waitedMs > startMs) throw new Error(`the S3 service did not start: ${failure(folder)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return inEnvironment(JSON.parse(readFileSync(ready, 'utf8')) as S3Service)
}

/** In-process backends find the credentials where users have them. */
function inEnvironment(service: S3Service): S3Service {
  Object.assign(process.env, service.environment)
  return service
}

function serviceAt(port: number): S3Service {
  const keys = (id: string, secret: string): Record<string, string> => ({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: 'us-east-1' })
  return { endpoint: `http://127.0.0.1:${port}`, port, environment: keys('owner', 'owner-secret-3141592653'), limited: keys('limited', 'limited-secret-2718281828') }
}

let buckets = 0

/** A bucket of the test's own. It goes with the service. */
export async function newBucket(service: S3Service, prefix = '', needsLock = false): Promise<S3Place> {
  const place: S3Place = { kind: 's3', endpoint: service.endpoint, bucket: `t-${process.pid}-${Date.now().toString(36)}-${++buckets}`, prefix }
  await createS3Place(place, {}, { mayCreate: true, needsLock })
  return place
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(join(folder, 'lock'))
    return true
  } catch {
    return false
  }
}

async function start(folder: string, ready: string): Promise<void> {
  const [port, ...monitors] = await freePorts(3)
  const child = spawn(cephScript, ['start', join(folder, 'ceph'), String(port), ...monitors.map(String), String(inject('runPid'))], { stdio: ['ignore', 'ignore', 'pipe'] })
  let problems = ''
  child.stderr.on('data', (data: Buffer) => (problems += String(data)))
  const timer = setTimeout(() => child.kill(), startMs)
  const status = await new Promise((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  if (status !== 0) return writeFileSync(join(folder, 'failed'), `exit ${String(status)} ${problems}`)
  writeFileSync(`${ready}.new`, JSON.stringify(serviceAt(port!)))
  renameSync(`${ready}.new`, ready)
}

function failure(folder: string): string {
  const path = join(folder, 'failed')
  return existsSync(path) ? readFileSync(path, 'utf8') : 'no answer in time'
}

/** Free now; all at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
