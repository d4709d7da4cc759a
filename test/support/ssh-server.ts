/**
 * A real OpenSSH server for tests: a child of the test on a free port of the loopback, with keys and
 * a configuration of its own, that lets in nobody but the key made with it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/local/bin/sshd'].find((path) => existsSync(path))
const SFTP_SERVERS = ['/usr/lib/openssh/sftp-server', '/usr/libexec/openssh/sftp-server', '/usr/libexec/sftp-server']

/** The program alone, for tests that need no network. */
export const SFTP_SERVER = SFTP_SERVERS.find((path) => existsSync(path))
export const hasSshServer = SSHD !== undefined && spawnSync('ssh', ['-V']).error === undefined
/** The name of the suite says why it is skipped. */
export const needsSsh = hasSshServer ? '' : ' (left out: there is no sshd on this machine; Debian: openssh-server, openssh-client)'

export interface SshServer {
  /** For keys and configurations. */
  readonly folder: string
  readonly port: number
  /** For NACRE_SSH_COMMAND. */
  readonly command: string
  /** The location of a folder on this machine by way of the server. */
  location(path: string): string
  /** Process ids of the connections that are open, by the server's own children. */
  sessions(): number[]
  close(): Promise<void>
}

export interface SshServerOptions {
  /** Lines of the server's configuration. */
  readonly lines?: readonly string[]
  /** The subsystem's command; OpenSSH's own by default. */
  readonly subsystem?: string
}

export async function startSshServer({ lines = [], subsystem }: SshServerOptions = {}): Promise<SshServer> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-sshd-'))
  for (const name of ['host', 'client', 'other']) run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(folder, name)])
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'client.pub')), { mode: 0o600 })
  // A server that runs as root wants this folder.
  if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const server = subsystem ?? SFTP_SERVERS.find((path) => existsSync(path)) ?? 'internal-sftp'
  for (let attempt = 0; ; attempt++) {
    const port = await freePort()
    writeFileSync(join(folder, 'sshd_config'), [
      `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${join(folder, 'host')}`, `AuthorizedKeysFile ${join(folder, 'authorized_keys')}`,
      `PidFile ${join(folder, 'pid')}`, 'PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'UsePAM no', 'StrictModes no',
      'PermitRootLogin prohibit-password', 'MaxStartups 100', `Subsystem sftp ${server}`, ...lines, '',
    ].join('\n'))
    const child = spawn(SSHD!, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
    if (await isListening(child)) return running(folder, port, child)
    // Another took the port in between.
    if (attempt === 5) throw new Error('sshd did not start')
  }
}

function running(folder: string, port: number, child: ChildProcess): SshServer {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  knowHost(folder, port, 'host')
  return {
    folder,
    port,
    command: `ssh -F none -i ${join(folder, 'client')} -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile=${join(folder, 'known_hosts')} -o GlobalKnownHostsFile=none`,
    location: (path) => `sftp://${userInfo().username}@127.0.0.1:${port}${path}`,
    sessions: () => childrenOf(child.pid!),
    async close() {
      for (const pid of childrenOf(child.pid!)) killQuietly(pid)
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Writes the key of that name as the known one. */
export function knowHost(folder: string, port: number, name: string): void {
  const [type, key] = readFileSync(join(folder, `${name}.pub`), 'utf8').split(' ')
  writeFileSync(join(folder, 'known_hosts'), `[127.0.0.1]:${port} ${type} ${key}\n`)
}

/** The children of a process and theirs, outermost first. */
export function childrenOf(pid: number): number[] {
  const ps = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
  const table = ps.stdout.trim().split('\n').map((line) => line.trim().split(/\s+/))
  const below = (parent: number): number[] => table.filter(([child, ppid, state]) => Number(ppid) === parent && Number(child) !== ps.pid && state?.startsWith('Z') !== true).flatMap(([child]) => [Number(child), ...below(Number(child))])
  return below(pid)
}

function isListening(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    let said = ''
    child.stderr!.setEncoding('utf8')
    child.stderr!.on('data', (text: string) => {
      said += text
      if (said.includes('Server listening')) resolve(true)
    })
    child.once('exit', () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
