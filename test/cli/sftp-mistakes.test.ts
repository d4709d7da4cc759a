/** What goes wrong with a server and its ssh, or needs a person, as a user meets it: one clear line, or a question at the terminal. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { optionsFor, parseSshSettings } from '../../src/backend/sftp/ssh-settings.ts'
import { type Ended, type Place, place, PROGRAM, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { hasSshServer, needsSsh, type SshServer, startSshServer } from '../support/ssh-server.ts'

const TIME = { timeout: 180_000 }
const TERMINAL = join(import.meta.dirname, '../support/terminal.py')
const hasPython = spawnSync('python3', ['--version']).status === 0

test('what the configuration of ssh says is left to it, and only what it leaves open is said', () => {
  expect(optionsFor(parseSshSettings('user me\nloglevel INFO\nserveraliveinterval 0\n'))).toEqual(['LogLevel=ERROR', 'ServerAliveInterval=15', 'ServerAliveCountMax=4'])
  expect(optionsFor(parseSshSettings('serveraliveinterval 45\nserveralivecountmax 2\nloglevel VERBOSE\n'))).toEqual([])
  expect(optionsFor(parseSshSettings('no configuration at all'))).toHaveLength(3)
})

describe.skipIf(!hasSshServer)(`a server${needsSsh}`, () => {
  let server: SshServer
  let readOnly: SshServer
  beforeAll(async () => {
    server = await startSshServer()
    readOnly = await startSshServer({ subsystem: '/usr/lib/openssh/sftp-server -R' })
    // A key that opens with a passphrase only.
    spawnSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'the passphrase', '-f', join(server.folder, 'other')])
    writeFileSync(join(server.folder, 'authorized_keys'), readFileSync(join(server.folder, 'client.pub'), 'utf8') + readFileSync(join(server.folder, 'other.pub'), 'utf8'), { mode: 0o600 })
  })
  afterAll(async () => {
    await server.close()
    await readOnly.close()
  })

  function remote(by: SshServer = server, path?: string): Place & { readonly path: string } {
    const at = place()
    const folder = path ?? join(at.folder, 'far')
    Object.assign(at.environment, { NACRE_REPOSITORY: by.location(folder), NACRE_SSH_COMMAND: by.command })
    return { ...at, path: folder }
  }

  /** In a session of its own: where the tests run at a terminal, it has none. */
  async function away(at: Place, ...args: string[]): Promise<Ended> {
    const child = spawn(process.execPath, [PROGRAM, ...args], { env: at.environment, cwd: at.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (text: Buffer) => (stdout += String(text)))
    child.stderr.on('data', (text: Buffer) => (stderr += String(text)))
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout, stderr }
  }

  function atTerminal(at: Place, talk: readonly string[], ...args: string[]): { readonly code: number | null; readonly shown: string } {
    const { status, stdout } = spawnSync('python3', [TERMINAL, ...talk, '--', process.execPath, PROGRAM, ...args], { env: at.environment, cwd: at.folder, encoding: 'utf8', timeout: 50_000 })
    return { code: status, shown: stdout }
  }

  test('gets signs of life as often as the configuration says', TIME, () => {
    const at = remote()
    const [log, config, own] = ['log', 'config', 'own-ssh'].map((name) => join(at.folder, name)) as [string, string, string]
    writeFileSync(own, `#!/bin/sh\necho "$@" >> ${log}\nexec ${server.command.replace('-F none', `-F ${config}`)} "$@"\n`)
    chmodSync(own, 0o700)
    at.environment['NACRE_SSH_COMMAND'] = own
    writeFileSync(config, 'Host *\n  ServerAliveInterval 40\n')
    expect(at.run('init')).toMatchObject({ code: 0 })
    writeFileSync(config, '')
    expect(at.run('snapshots')).toMatchObject({ code: 0 })
    const [first, second] = readFileSync(log, 'latin1').trim().split('\n').filter((line) => line.endsWith('sftp'))
    expect(first).not.toContain('ServerAlive')
    expect(first).toContain('LogLevel=ERROR')
    expect(second).toContain('ServerAliveInterval=15')
  })

  test('whose ssh is to say more than errors is explained all the same', TIME, async () => {
    const at = remote()
    at.environment['NACRE_SSH_COMMAND'] = `${server.command.replace('/client', '/host')} -o LogLevel=DEBUG1`
    const { code, stderr } = await away(at, 'init')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^nacre: cannot log in at sftp:.*Permission denied.*\n$/) as string])
  })

  test.skipIf(!hasPython)('that wants a passphrase gets it at the terminal, and is refused without one', TIME, async () => {
    const at = remote()
    at.environment['NACRE_SSH_COMMAND'] = server.command.replace('/client', '/other')
    const { code, stderr } = await away(at, 'init')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^nacre: cannot log in at sftp:.*Without a terminal ssh cannot ask.*\n$/) as string])
    const asked = atTerminal(at, ['Enter passphrase', 'the passphrase'], 'init')
    expect(asked, asked.shown).toMatchObject({ code: 0 })
    const wrong = atTerminal(at, Array.from({ length: 3 }, () => ['Enter passphrase', 'another']).flat(), 'snapshots')
    expect(wrong.code).toBe(1)
    expect(wrong.shown).toMatch(/nacre: cannot log in at sftp:[^\n]*Permission denied/)
    expect(wrong.shown).not.toContain('Without a terminal')
  })

  test.skipIf(!hasPython)('whose key is not known is shown at the terminal, and taken or refused there', TIME, async () => {
    const at = remote()
    at.environment['NACRE_SSH_COMMAND'] = server.command.replace(/UserKnownHostsFile=\S+/, `UserKnownHostsFile=${join(at.folder, 'known')}`)
    const { code, stderr } = await away(at, 'init')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^nacre: the host key of 127.0.0.1 is not known; connect once with ssh.*\n$/) as string])
    const refused = atTerminal(at, ['(yes/no', 'no'], 'init')
    expect(refused.code).toBe(1)
    expect(refused.shown).toMatch(/nacre: the host key of 127.0.0.1 was not accepted\r?\n/)
    const taken = atTerminal(at, ['(yes/no', 'yes'], 'init')
    expect(taken, taken.shown).toMatchObject({ code: 0 })
    expect(at.run('snapshots')).toMatchObject({ code: 0 })
  })

  test('on which nothing may be written says so in one line', TIME, async () => {
    const at = remote()
    expect(at.run('init')).toMatchObject({ code: 0 })
    Object.assign(at.environment, { NACRE_REPOSITORY: readOnly.location(at.path), NACRE_SSH_COMMAND: readOnly.command })
    writeFileSync(join(at.folder, 'file'), 'text')
    const { code, stderr } = await away(at, 'backup', join(at.folder, 'file'), '--quiet')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^nacre: cannot .* at sftp:.*: permission denied\n$/) as string])
    expect(await away(at, 'snapshots')).toMatchObject({ code: 0 })
  })

  test('whose disk is full says so, and the next backup succeeds when there is room', TIME, ({ skip }) => {
    const disk = join(place().folder, 'disk')
    mkdirSync(disk)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'none', disk]).status !== 0) skip('a small disk can only be mounted by root')
    onTestFinished(() => void spawnSync('umount', [disk]))
    const at = remote(server, join(disk, 'far'))
    expect(at.run('init')).toMatchObject({ code: 0 })
    writeFileSync(join(disk, 'filler'), Buffer.alloc(30_000_000))
    writeFileSync(join(at.folder, 'large'), seededBytes('large', 15_000_000))
    const { code, stderr } = at.run('backup', join(at.folder, 'large'), '--quiet')
    expect([code, stderr.trim().split('\n').at(-1)]).toEqual([1, expect.stringMatching(/^nacre: .*the disk of the server is full/) as string])
    expect(stderr).not.toContain('bug')
    rmSync(join(disk, 'filler'))
    expect(at.run('backup', join(at.folder, 'large'))).toMatchObject({ code: 0 })
    expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  })

  test('that dies in the middle of an upload is reached again, and the backup goes on', TIME, async () => {
    const at = remote()
    expect(at.run('init')).toMatchObject({ code: 0 })
    writeFileSync(join(at.folder, 'large'), crypto.getRandomValues(new Uint8Array(60_000)))
    for (let i = 0; i < 200; i++) appendFileSync(join(at.folder, 'large'), crypto.getRandomValues(new Uint8Array(60_000)))
    const child = start(at, 'backup', join(at.folder, 'large'))
    let said = ''
    child.stderr!.on('data', (text: Buffer) => (said += String(text)))
    const ended = once(child, 'exit')
    const isUploading = (): boolean => (readdirSync(at.path, { recursive: true }) as string[]).some((name) => /packs.*\.tmp-/.test(name))
    while (child.exitCode === null && !isUploading()) await new Promise((resolve) => setTimeout(resolve, 1))
    for (const pid of server.sessions()) process.kill(pid, 'SIGKILL')
    expect(await ended, said).toEqual([0, null])
    expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  })
})
