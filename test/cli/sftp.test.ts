/** The whole program over a real OpenSSH server: a repository's life, deaths in the middle, races, and what goes wrong. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Ended, lastJson, type Place, place, start } from '../support/nacre.ts'
import { childrenOf, hasSshServer, needsSsh, type SshServer, type SshServerOptions, startSshServer } from '../support/ssh-server.ts'

const TIME = { timeout: 180_000 }

interface Remote extends Place {
  /** The repository's folder, for a look past the server. */
  readonly path: string
}

function remote(server: SshServer): Remote {
  const at = place()
  const path = join(at.folder, 'far', 'repo')
  const environment = { ...at.environment, NACRE_REPOSITORY: server.location(path), NACRE_SSH_COMMAND: server.command }
  return { ...at, path, environment, runWith: (changes, ...args) => at.runWith({ ...environment, ...changes }, ...args), run: (...args) => at.runWith(environment, ...args) }
}

function done(ended: Ended): Ended {
  expect(ended.code, ended.stderr).toBe(0)
  return ended
}

/** Files that hold nothing twice. */
function makeSource(folder: string, files = 12): string {
  const source = join(folder, 'source')
  mkdirSync(source, { recursive: true })
  for (let i = 0; i < files; i++) writeFileSync(join(source, `file-${i}`), crypto.getRandomValues(new Uint8Array(60_000)))
  return source
}

describe.skipIf(!hasSshServer)(`nacre by SFTP${needsSsh}`, () => {
  let server: SshServer
  beforeAll(async () => {
    server = await startSshServer()
  })
  afterAll(() => server.close())

  const another = async (options: SshServerOptions): Promise<SshServer> => {
    const one = await startSshServer(options)
    onTestFinished(() => one.close())
    return one
  }

  test('a repository lives there, is the same by its path, and leaves no process', TIME, () => {
    const at = remote(server)
    const source = makeSource(at.folder)
    done(at.run('init'))
    expect(lastJson(done(at.run('probe', '--json')).stdout)).toMatchObject({ suitable: true, unguarded: null, problems: [] })
    done(at.run('backup', source))
    writeFileSync(join(source, 'file-0'), 'changed')
    // Its path is another location of the same repository.
    done(at.runWith({ NACRE_REPOSITORY: at.path }, 'backup', source))
    const snapshots = JSON.parse(done(at.run('snapshots', '--json')).stdout) as { id: string }[]
    expect(snapshots).toHaveLength(2)
    expect(done(at.run('ls', `latest:${source}`)).stdout).toContain('file-11')
    expect(JSON.parse(done(at.run('sessions', '--json')).stdout)).toEqual([])
    done(at.run('forget', snapshots[0]!.id, '--allow-empty-group'))
    expect(lastJson(done(at.run('prune', '--max-unused', '0%', '--json')).stdout)).toMatchObject({ outcome: 'done', swept_snapshots: 1 })
    done(at.run('check', '--read-data'))
    done(at.runWith({ NACRE_REPOSITORY: at.path }, 'check', '--read-data'))
    const target = join(at.folder, 'target')
    done(at.run('restore', `latest:${source}`, '--target', target))
    for (const name of readdirSync(source)) expect(readFileSync(join(target, name)).equals(readFileSync(join(source, name))), name).toBe(true)
    expect(readdirSync(at.path, { recursive: true }).filter((name) => String(name).includes('.tmp-'))).toEqual([])
    expect(server.sessions()).toEqual([])
  })

  test('a backup that is killed, or whose ssh is, loses nothing, and the next one goes on', TIME, async () => {
    const at = remote(server)
    const source = makeSource(at.folder)
    done(at.run('init'))
    done(at.run('backup', source))
    for (const whom of ['nacre', 'ssh'] as const) {
      for (let i = 0; i < 40; i++) writeFileSync(join(source, `more-${whom}-${i}`), crypto.getRandomValues(new Uint8Array(60_000)))
      const child = start(at, 'backup', source)
      const ended = once(child, 'exit')
      let said = ''
      child.stderr!.on('data', (text: Buffer) => (said += String(text)))
      // Something of it is on its way when the session stands there.
      while (child.exitCode === null && readdirSync(join(at.path, 'sessions'), { recursive: true }).length < 2) await new Promise((resolve) => setImmediate(resolve))
      const ssh = childrenOf(child.pid!)
      if (whom === 'nacre') child.kill('SIGKILL')
      else for (const pid of ssh) process.kill(pid, 'SIGKILL')
      const [code] = (await ended) as [number | null]
      if (whom === 'ssh' && code !== 0) expect(said).toMatch(/^nacre: .*the connection to sftp:.* failed: ssh was killed$/m)
      expect(said).not.toMatch(/^\s+at /m)
    }
    done(at.run('backup', source))
    done(at.run('prune', '--fence'))
    done(at.run('check', '--read-data'))
    // What the killed ones had open has ended with them.
    while (server.sessions().length > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  })

  test('of eight processes that race for one register one wins', TIME, async () => {
    const at = remote(server)
    done(at.run('init'))
    const script = `
      import { openBackend, parseLocation } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href)}
      const backend = await openBackend(parseLocation(process.env.NACRE_REPOSITORY))
      console.log('ready')
      await new Promise((resolve) => process.stdin.once('data', resolve))
      const bytes = new Uint8Array(1000 + process.pid % 1000).fill(process.pid)
      const results = []
      for (let i = 0; i < 10; i++) results.push(await backend.create({ type: 'snapshots', name: '0/' + String(i).padStart(32, '0') }, [bytes]))
      console.log(JSON.stringify(results))
      await backend[Symbol.asyncDispose]()
      process.exit(0)`
    const racers = Array.from({ length: 8 }, () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env: at.environment, stdio: ['pipe', 'pipe', 'inherit'] })
      let out = ''
      const ready = new Promise<void>((resolve) => child.stdout.on('data', (text: Buffer) => {
        out += String(text)
        if (out.startsWith('ready')) resolve()
      }))
      return { child, ready, ended: once(child, 'close'), results: () => JSON.parse(out.split('\n')[1]!) as string[] }
    })
    for (const { ready } of racers) await ready
    for (const { child } of racers) child.stdin.end('go')
    for (const { ended } of racers) await ended
    const results = racers.map(({ results }) => results())
    for (let i = 0; i < 10; i++) expect(results.filter((own) => own[i] === 'created')).toHaveLength(1)
  })

  test('a server without hard links serves who is alone, and prune asks for --exclusive', TIME, async () => {
    const at = remote(await another({ subsystem: '/usr/lib/openssh/sftp-server -P hardlink' }))
    const source = makeSource(at.folder, 3)
    expect(done(at.run('init')).stderr).toMatch(/no hard links.*--exclusive/)
    expect(lastJson(done(at.run('probe', '--json')).stdout)).toMatchObject({ unguarded: expect.stringContaining('hard links') as string })
    done(at.run('backup', source))
    done(at.run('forget', 'latest', '--allow-empty-group'))
    const refused = at.run('prune')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^nacre: this storage cannot be pruned safely.*no hard links.*--exclusive.*\n$/) as string])
    done(at.run('prune', '--exclusive'))
    done(at.run('check', '--read-data'))
  })
})
