/** What goes wrong on the way to a server or to rclone, said in one line without anything secret. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { packRef } from '../../../src/backend/layout.ts'
import { createBackend, openBackend, parseLocation } from '../../../src/backend/location.ts'
import { BackupError } from '../../../src/util/errors.ts'
import { id, pattern } from '../../suites/backend-suite.ts'
import { hasRclone, needsRclone, rcloneEnvironment } from '../../support/rclone.ts'
import { childrenOf, hasSshServer, knowHost, needsSsh, type SshServer, startSshServer } from '../../support/ssh-server.ts'

const { env } = process
const names = ['NACRE_SSH_COMMAND', 'RCLONE_CONFIG', 'PATH'] as const
let before: (string | undefined)[]

beforeEach(() => {
  before = names.map((name) => env[name])
})
afterEach(() => {
  for (const [i, name] of names.entries()) {
    if (before[i] === undefined) delete env[name]
    else env[name] = before[i]
  }
})

async function expectOneLine(location: string, message: RegExp): Promise<BackupError> {
  const error = await openBackend(parseLocation(location)).then(() => undefined, (thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(BackupError)
  expect((error as BackupError).message).toMatch(message)
  expect((error as BackupError).message).not.toMatch(/\n|secret/)
  return error as BackupError
}

describe.skipIf(!hasSshServer)(`ssh${needsSsh}`, () => {
  let server: SshServer
  let folder: string
  beforeAll(async () => {
    server = await startSshServer()
    folder = await mkdtemp(join(tmpdir(), 'nacre-sftp-'))
  })
  afterAll(async () => {
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    env['NACRE_SSH_COMMAND'] = server.command
  })

  test.each<[string, () => string | undefined, RegExp, string, boolean]>([
    ['a host key that is not known', () => void (env['NACRE_SSH_COMMAND'] = server.command.replace(/UserKnownHostsFile=\S+/, 'UserKnownHostsFile=/dev/null')), /the host key of 127.0.0.1 is not known; connect once with ssh/, 'BACKEND_DENIED', false],
    ['a key that is not let in', () => void (env['NACRE_SSH_COMMAND'] = server.command.replace('/client', '/other')), /cannot log in at sftp:.*Permission denied \(publickey\).*use a key that needs none, or an agent/, 'BACKEND_DENIED', false],
    ['a port where nobody listens', () => 'sftp://127.0.0.1:1/x', /the connection to sftp:\/\/127.0.0.1:1\/x failed: .*Connection refused/, 'BACKEND_FAILED', true],
    ['a machine without ssh', () => void ((env['NACRE_SSH_COMMAND'] = ''), (env['PATH'] = '/nowhere')), /there is no ssh on this machine/, 'BACKEND_FAILED', false],
    ['a folder that is not there', () => server.location('/nowhere/at/all'), /there is no folder sftp:.*\/nowhere\/at\/all/, 'BACKEND_NOT_FOUND', false],
    ['a file instead of a folder', () => server.location('/etc/passwd'), /sftp:.*\/etc\/passwd is not a folder/, 'BACKEND_FAILED', false],
    ['a server that prints where a message should begin', () => void (env['NACRE_SSH_COMMAND'] = 'echo Welcome to this machine; cat; :'), /does not speak SFTP: it says "Welcome to this machine.*login files/, 'BACKEND_FAILED', false],
    ['a server that says nothing and ends', () => void (env['NACRE_SSH_COMMAND'] = 'exit 3; :'), /the connection to sftp:.* failed: ssh ended with code 3/, 'BACKEND_FAILED', true],
  ])('%s', { timeout: 60_000 }, async (_what, arrange, message, code, retryable) => {
    const location = arrange() ?? server.location(folder)
    expect(await expectOneLine(location, message)).toMatchObject({ code, retryable })
  })

  test('a host key that changed is refused, with the line of known_hosts', { timeout: 60_000 }, async () => {
    knowHost(server.folder, server.port, 'other')
    try {
      await expectOneLine(server.location(folder), /the host key of 127.0.0.1 is not the one that is known; ssh refuses to connect \(Offending .*known_hosts:1\).*ssh-keygen -R/)
    } finally {
      knowHost(server.folder, server.port, 'host')
    }
  })

  test('a connection that is lost fails what may be tried again, and the next call connects anew', { timeout: 60_000 }, async () => {
    await using backend = await createBackend(parseLocation(server.location(join(folder, 'lost'))), { retryMs: 0 })
    await backend.create(packRef(id(1)), [pattern(10, 1)])
    const before = childrenOf(process.pid)
    const parts = Array.from({ length: 8 }, (_, i) => pattern(1_000_000, i))
    const creating = backend.create(packRef(id(2)), parts).then(() => undefined, (error: unknown) => error)
    for (const pid of server.sessions()) process.kill(pid, 'SIGKILL')
    const error = await creating
    expect(error).toMatchObject({ code: 'BACKEND_FAILED', retryable: true })
    expect(await backend.load(packRef(id(1)))).toEqual(pattern(10, 1))
    expect(await backend.create(packRef(id(2)), parts)).toBe('created')
    // The lost one's processes have gone: no more than there were.
    expect(childrenOf(process.pid).length).toBeLessThanOrEqual(before.length)
  })
})

describe.skipIf(!hasRclone)(`rclone${needsRclone}`, () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nacre-rclone-'))
    Object.assign(env, rcloneEnvironment(folder))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('a remote that is not known', { timeout: 60_000 }, async () => {
    await expectOneLine('rclone:nope:x', /^rclone knows no remote "nope"; "rclone config" makes one/)
  })

  test('a machine without rclone', { timeout: 60_000 }, async () => {
    env['PATH'] = '/nowhere'
    await expectOneLine('rclone:disk:x', /cannot reach rclone:disk:x: there is no rclone on this machine/)
  })

  test('a backend that rclone does not know, with parameters that are not shown', { timeout: 60_000 }, async () => {
    await expectOneLine('rclone::nothing,key=secret:x', /^rclone ended at rclone::nothing:x: /)
  })

  test('is unguarded, and ends with what used it', { timeout: 60_000 }, async () => {
    const backend = await createBackend(parseLocation(`rclone:disk:${join(folder, 'repo')}`))
    expect(backend.unguarded).toContain('rclone cannot')
    expect(await backend.create(packRef(id(1)), [pattern(10, 1)])).toBe('created')
    await backend[Symbol.asyncDispose]()
    expect(childrenOf(process.pid)).toEqual([])
  })
})
