/** A mount whose repository is damaged, slow or hostile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mounted, MOUNT_LIMIT, run } from '../support/mounted.ts'
import { type Place, place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { childrenOf, SFTP_SERVER } from '../support/ssh-server.ts'

function saved(at: Place, fill: (source: string) => void): { source: string; shown: string } {
  const source = join(at.folder, 'source')
  mkdirSync(source)
  fill(source)
  const init = at.run('init')
  expect(init.code, init.stderr).toBe(0)
  expect(at.run('backup', source, '--quiet').code).toBe(0)
  return { source, shown: join(at.folder, 'mnt', 'latest', source) }
}

const PAGE = 4096

test('damaged bytes are an error for whoever reads them, a line with snapshot, file and pack, and nothing else', async () => {
  const at = place()
  const bytes = seededBytes('damaged', 12_000_000)
  const { source, shown } = saved(at, (folder) => {
    writeFileSync(join(folder, 'large'), bytes)
    writeFileSync(join(folder, 'small'), 'small')
  })
  const packs = readdirSync(join(at.repo, 'packs'), { recursive: true, encoding: 'utf8' }).map((name) => join(at.repo, 'packs', name)).filter((path) => statSync(path).isFile())
  const pack = packs.reduce((largest, path) => (statSync(path).size > statSync(largest).size ? path : largest))
  const spoiled = readFileSync(pack)
  spoiled[spoiled.length >> 1]! ^= 1
  writeFileSync(pack, spoiled)

  const { log, said } = await mounted(at)
  const file = openSync(join(shown, 'large'), 'r')
  onTestFinished(() => closeSync(file))
  const page = Buffer.alloc(PAGE)
  const bad: number[] = []
  for (let offset = 0; offset < bytes.length; offset += PAGE) {
    try {
      const length = readSync(file, page, 0, PAGE, offset)
      expect(page.subarray(0, length).equals(bytes.subarray(offset, offset + PAGE))).toBe(true)
    } catch (error) {
      expect(error).toMatchObject({ code: 'EIO' })
      bad.push(offset)
    }
  }
  // One frame, and what shares a page with it.
  expect(bad.length).toBeGreaterThan(0)
  expect(bad.length * PAGE).toBeLessThan(1_200_000)
  expect(bad.at(-1)! - bad[0]!).toBe((bad.length - 1) * PAGE)
  await said(new RegExp(`snapshot [0-9a-f]{8}, ${source}/large: data blob [0-9a-f]{16} in pack ${basename(pack).slice(0, 16)} cannot be read`))
  expect(log()).not.toContain('bug')
  expect(readFileSync(join(shown, 'small'), 'utf8')).toBe('small')
}, MOUNT_LIMIT)

test.skipIf(SFTP_SERVER === undefined)('a storage that does not answer keeps those waiting who need it, and nobody else (needs openssh-sftp-server)', async () => {
  const here = place()
  // The server is a child of the mount, without a network: so it can be stopped.
  const environment = { ...here.environment, NACRE_REPOSITORY: `sftp://somewhere${here.repo}`, NACRE_SSH_COMMAND: `sh -c 'exec ${SFTP_SERVER}'` }
  const at: Place = { ...here, environment, run: (...args) => here.runWith(environment, ...args), runWith: (changes, ...args) => here.runWith({ ...environment, ...changes }, ...args) }
  const { source, shown } = saved(at, (folder) => {
    for (let i = 0; i < 20; i++) writeFileSync(join(folder, `small-${i}`), `small ${i}`)
    mkdirSync(join(folder, 'z'))
    for (let i = 0; i < 4; i++) writeFileSync(join(folder, 'z', `large-${i}`), seededBytes(`slow ${i}`, 24_000_000))
  })
  const { pid, signal, ended } = await mounted(at, '--refresh', 'off')
  expect(readFileSync(join(shown, 'small-0'), 'utf8')).toBe('small 0')
  const servers = childrenOf(pid)
  expect(servers.length).toBeGreaterThan(0)
  for (const server of servers) process.kill(server, 'SIGSTOP')
  onTestFinished(() => servers.forEach((server) => isRunning(server) && process.kill(server, 'SIGKILL')))
  const waiting = Array.from({ length: 4 }, (_, i) => spawn('cmp', [join(source, 'z', `large-${i}`), join(shown, 'z', `large-${i}`)]))
  const outcomes = waiting.map((child) => once(child, 'exit'))
  // Nothing of these was read yet; they lie in a frame that was.
  for (let i = 1; i < 20; i++) expect(readFileSync(join(shown, `small-${i}`), 'utf8')).toBe(`small ${i}`)
  run('find', shown, '-ls')
  run('stat', '-f', shown)
  expect(waiting.map(({ exitCode }) => exitCode)).toEqual([null, null, null, null])
  // Who loses patience may go.
  waiting[0]!.kill('SIGINT')
  expect(await outcomes[0]).toEqual([null, 'SIGINT'])
  for (const server of servers) process.kill(server, 'SIGCONT')
  for (const outcome of outcomes.slice(1)) expect(await outcome).toEqual([0, null])
  signal('SIGTERM')
  expect(await ended).toBe(0)
}, MOUNT_LIMIT)

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
