/** Backups of a source that another process changes all the while: nothing hangs, nothing is passed over in silence. */
import { spawn, spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { seededBytes } from '../support/seeded.ts'
import { place } from '../support/nacre.ts'

/**
 * Grows one file, shrinks and restores another, and turns the files of a folder in turn into nothing,
 * a FIFO, a link, a folder and a file again, until its input ends.
 */
const RACER = `
  import { spawnSync } from 'node:child_process'
  import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
  const [source] = process.argv.slice(1)
  let turn = 0
  const kinds = [
    (path) => rmSync(path, { recursive: true, force: true }),
    (path) => spawnSync('mkfifo', [path]),
    (path) => symlinkSync('/etc/passwd', path),
    (path) => mkdirSync(path),
    (path) => writeFileSync(path, 'again'.repeat(1000)),
  ]
  const step = () => {
    turn++
    appendFileSync(source + '/grows', Buffer.alloc(4096, turn))
    truncateSync(source + '/shrinks', turn % 2 === 0 ? 12_000_000 : 5_000_000)
    const path = source + '/turns/' + (turn % 60)
    rmSync(path, { recursive: true, force: true })
    kinds[Math.floor(turn / 60) % kinds.length](path)
    if (turn === 60) process.stdout.write('going\\n')
    setImmediate(step)
  }
  process.stdin.on('end', () => process.exit(0)).resume()
  step()`

interface Racer {
  stop(): Promise<void>
}

async function race(source: string): Promise<Racer> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', RACER, source], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(() => void child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return {
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}

test('files that grow, shrink, vanish and become something else are told, the snapshot is made and marked, and all of it is sound', async () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'turns'), { recursive: true })
  mkdirSync(join(source, 'still'))
  writeFileSync(join(source, 'grows'), seededBytes('grows', 8_000_000))
  writeFileSync(join(source, 'shrinks'), seededBytes('shrinks', 12_000_000))
  for (let i = 0; i < 60; i++) writeFileSync(join(source, 'turns', String(i)), `file ${i}`)
  for (let i = 0; i < 200; i++) writeFileSync(join(source, 'still', String(i)), `still ${i}`)
  at.run('init')

  const racer = await race(source)
  const reasons = new Set<string>()
  const paths = new Set<string>()
  let skipped = 0
  for (let i = 0; i < 3; i++) {
    const ended = at.run('backup', source, '--json')
    expect(ended.code, ended.stderr).toBe(3)
    const events = ended.stdout.trim().split('\n').map((line) => JSON.parse(line) as { type: string; path?: string; reason?: string; skipped?: number })
    const told = events.filter(({ type }) => type === 'skipped')
    skipped = events.at(-1)!.skipped!
    expect(told).toHaveLength(skipped)
    for (const { reason } of told) reasons.add(reason!)
    for (const { path } of told) paths.add(path!)
    expect(told.filter(({ path }) => path!.includes('/still/'))).toEqual([])
  }
  await racer.stop()
  expect(reasons).toContain('changed')
  // Read once more, it may have been at rest in one of them.
  expect(paths).toContain(join(source, 'grows'))

  const snapshots = JSON.parse(at.run('snapshots', '--json').stdout) as { skipped: number }[]
  expect(snapshots).toHaveLength(3)
  for (const snapshot of snapshots) expect(snapshot.skipped).toBeGreaterThan(0)
  expect(snapshots.at(-1)!.skipped).toBe(skipped)
  expect(at.run('snapshots').stdout.match(/\bincomplete\b/g)).toHaveLength(3)
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  // What stood still came back from amid it all; a FIFO or a link in the place of a file is one.
  const target = join(at.folder, 'target')
  expect(at.run('restore', `latest:${source}`, '--target', target)).toMatchObject({ code: 0 })
  expect(readdirSync(join(target, 'still'))).toHaveLength(200)
  // When all is quiet, a backup is whole again.
  expect(at.run('backup', source)).toMatchObject({ code: 0 })
  expect(at.run('restore', `latest:${source}`, '--target', join(at.folder, 'whole'), '--verify')).toMatchObject({ code: 0 })
  expect(lstatSync(join(at.folder, 'whole', 'grows')).size).toBe(lstatSync(join(source, 'grows')).size)
}, 180_000)

test('FIFOs, sockets and devices are never waited for: given by name, in a folder, and with a writer at work', async () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(source)
  spawnSync('mkfifo', [join(source, 'fifo'), join(source, 'busy')])
  const server = createServer().listen(join(source, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => void server.close())
  // Somebody writes into a FIFO: what he says is nobody's content.
  const writer = spawn('sh', ['-c', `exec yes > ${join(source, 'busy')}`], { stdio: 'ignore' })
  onTestFinished(() => void writer.kill('SIGKILL'))
  const hasDevice = process.getuid?.() === 0 && spawnSync('mknod', [join(source, 'zero'), 'c', '1', '5']).status === 0
  at.run('init')
  expect(at.run('backup', source, join(source, 'fifo'), join(source, 'socket'))).toMatchObject({ code: 0 })
  expect(at.run('backup', join(source, 'busy'), '--force')).toMatchObject({ code: 0 })
  const { total_bytes: bytes } = (JSON.parse(at.run('snapshots', '--json').stdout) as { summary: { total_bytes: number } }[])[0]!.summary
  expect(bytes).toBe(0)
  const types = (JSON.parse(at.run('ls', `latest~1:${source}`, '--json').stdout) as { name: string; type: string }[]).map(({ name, type }) => `${name} ${type}`)
  expect(types).toEqual(['busy fifo', 'fifo fifo', 'socket socket', ...(hasDevice ? ['zero character'] : [])])
}, 120_000)

test('without a HOME, as under cron, a backup works and says where its cache is', () => {
  const at = place()
  writeFileSync(join(at.folder, 'file'), 'x')
  const bare = { HOME: undefined, XDG_CACHE_HOME: undefined, NACRE_CACHE_DIR: undefined, PATH: undefined, TMPDIR: at.folder }
  expect(at.runWith(bare, 'init')).toMatchObject({ code: 0 })
  for (let i = 0; i < 2; i++) {
    const ended = at.runWith(bare, 'backup', join(at.folder, 'file'))
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/there is no HOME; the cache is in .*nacre-cache-/)
  }
})

test('names with escape sequences are shown escaped by every command, in errors too', () => {
  const at = place()
  const source = join(at.folder, 'so\u001b]0;owned\u0007urce')
  mkdirSync(source)
  writeFileSync(join(source, '\u001b[31mred\u001b[0m\n'), 'x')
  at.run('init')
  const gone = `${source}/\u009bgone\r`
  const outputs = [
    at.run('backup', source, gone, '--host', 'ho\u001bst', '--tag', 't\u0007ag', '--label', 'la\u202ebel', '-v'),
    at.run('snapshots'),
    at.run('ls', `latest:${source}`, '-l'),
    at.run('ls', `latest:${gone}`),
    at.run('cat', 'skipped', 'latest'),
    at.run('cat', 'snapshot', 'latest'),
    at.run('restore', `latest:${source}`, '--target', join(at.folder, 'target'), '-v'),
    at.run('restore', `latest:${gone}`, '--target', join(at.folder, 'target')),
    at.run('check', '-v'),
    at.run('stats', 'latest'),
    at.run('backup', gone),
    at.runWith({ NACRE_REPOSITORY: gone }, 'snapshots'),
    at.run('ls', 'no\u001bsuch'),
    at.run('bogus\u001b'),
    at.run('backup', '--bo\u001bgus', source),
  ]
  for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
}, 120_000)
