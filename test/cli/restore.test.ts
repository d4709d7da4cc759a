/** Restoring over files that stand there, by the built program: plans, attackers, kills and what the system refuses. */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lastJson, place, type Place, PROGRAM, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { walked } from '../support/walker.ts'

/** A source that was backed up and restored to the target. */
function restored(make: (source: string) => void): Place & { readonly source: string; readonly target: string; restore(...options: string[]): ReturnType<Place['run']> } {
  const at = place()
  const source = join(at.folder, 'source')
  const target = join(at.folder, 'target')
  mkdirSync(source)
  make(source)
  at.run('init')
  at.run('backup', source)
  const restore = (...options: string[]): ReturnType<Place['run']> => at.run('restore', `latest:${source}`, '--target', target, ...options)
  expect(restore()).toMatchObject({ code: 0 })
  return { ...at, source, target, restore }
}

test('a plan says where each file would be and what would be fetched; the restore then does that', () => {
  const at = restored((source) => {
    writeFileSync(join(source, 'image'), seededBytes('image', 12_000_000))
    writeFileSync(join(source, 'gone'), 'gone')
  })
  const image = readFileSync(join(at.target, 'image'))
  image.fill(7, 6_000_000, 6_010_000)
  writeFileSync(join(at.target, 'image'), image)
  writeFileSync(join(at.target, 'extra'), 'extra')
  rmSync(join(at.target, 'gone'))
  const plan = at.restore('--overwrite', 'if-changed', '--delete', '--dry-run')
  expect(plan).toMatchObject({ code: 0 })
  expect(plan.stdout).toMatch(new RegExp(`^overwrite ${at.target}/image \\(.*iB\\)$`, 'm'))
  expect(plan.stdout).toContain(`create    ${at.target}/gone (4 B)\n`)
  expect(plan.stdout).toContain(`delete    ${at.target}/extra\n`)
  expect(plan.stderr).toMatch(/would restore 2 files .*, 1 overwritten, 1 deleted, .* to fetch/)
  const planned = lastJson(at.restore('--overwrite', 'if-changed', '--delete', '--dry-run', '--json').stdout)
  expect(existsSync(join(at.target, 'extra'))).toBe(true)
  const done = lastJson(at.restore('--overwrite', 'if-changed', '--delete', '--yes', '--json').stdout)
  for (const summary of [planned, done]) expect(summary).toMatchObject({ files_restored: 2, overwritten: 1, deleted: 1, problems: 0 })
  expect(done['bytes_fetched']).toBe(planned['bytes_fetched'])
  expect(done['bytes_fetched']).toBeLessThan(3_000_000)
  expect(walked(at.target)).toEqual(walked(at.source))
}, 180_000)

test('mistakes are answered with one line, and nothing is changed', () => {
  const at = restored((source) => writeFileSync(join(source, 'a'), 'a'))
  writeFileSync(join(at.target, 'extra'), 'extra')
  expect(at.restore('--overwrite', 'sometimes')).toMatchObject({ code: 2, stderr: expect.stringContaining('always, if-changed, if-newer or never, not sometimes') })
  expect(at.restore('--strip-components', 'x')).toMatchObject({ code: 2 })
  expect(at.restore('--in-place')).toMatchObject({ code: 2, stderr: expect.stringContaining('--in-place needs --overwrite') })
  // Without a terminal there is nobody to ask.
  const args = ['-w', process.execPath, PROGRAM, 'restore', `latest:${at.source}`, '--target', at.target, '--delete']
  const unasked = spawnSync('setsid', args, { env: at.environment, encoding: 'utf8' })
  expect(unasked.status).toBe(2)
  expect(unasked.stderr).toMatch(/^nacre: --delete would take away 1 file and 0 folders below .*--yes deletes them$/m)
  expect(at.runWith({ HOME: at.target }, 'restore', `latest:${at.source}`, '--target', at.target, '--delete', '--yes')).toMatchObject({ code: 2, stderr: expect.stringContaining('--delete-in-home-or-root') })
  expect(readFileSync(join(at.target, 'extra'), 'utf8')).toBe('extra')
}, 180_000)

/** Puts links to the outside in the place of folders and files of the target, and takes them away again, until its input ends. */
const ATTACKER = `
import os, sys, threading
target, outside = sys.argv[1:]
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
def attempt(act, *args):
    try: act(*args)
    except OSError: pass
turn = 0
while not done.is_set():
    for name in ('sub', 'sub/deep', 'file0', 'sub/file1'):
        path = os.path.join(target, name)
        attempt(os.rename, path, path + '.away')
        attempt(os.symlink, os.path.join(outside, name), path)
        attempt(os.unlink, path)
        attempt(os.rename, path + '.away', path)
    turn += 1
    if turn == 3: print('going', flush=True)
`

test('whoever exchanges folders and files for links meanwhile leads nothing out of the target: not what is written, nor what is deleted', async () => {
  const at = restored((source) => {
    mkdirSync(join(source, 'sub/deep'), { recursive: true })
    for (const folder of ['', 'sub', 'sub/deep']) for (let i = 0; i < 40; i++) writeFileSync(join(source, folder, `file${i}`), `snapshot ${folder} ${i}`)
  })
  const outside = join(at.folder, 'outside')
  mkdirSync(join(outside, 'sub/deep'), { recursive: true })
  for (const folder of ['', 'sub', 'sub/deep']) for (let i = 0; i < 40; i++) writeFileSync(join(outside, folder, `${i % 2 === 0 ? 'file' : 'precious'}${i}`), 'outside')
  const before = walked(outside)
  for (const options of [[], ['--in-place'], []]) {
    for (const folder of ['', 'sub', 'sub/deep']) {
      for (let i = 0; i < 40; i++) for (const name of ['file', 'extra']) writeFileSync(join(at.target, folder, `${name}${i}`), 'to go')
    }
    const attacker = spawn('python3', ['-c', ATTACKER, at.target, outside], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void attacker.kill('SIGKILL'))
    await new Promise((resolve) => attacker.stdout.once('data', resolve))
    const { code, stderr } = at.restore('--overwrite', 'always', '--delete', '--yes', ...options)
    expect([0, 1, 3]).toContain(code)
    expect(stderr).not.toContain('bug')
    const ended = new Promise((resolve) => attacker.once('exit', resolve))
    attacker.stdin.end()
    await ended
    expect(walked(outside)).toEqual(before)
    // What he has moved about and left is put right by the next.
    expect(at.restore('--overwrite', 'always', '--delete', '--yes')).toMatchObject({ code: 0 })
  }
  expect(walked(at.target)).toEqual(walked(at.source))
}, 180_000)

test('killed amid overwriting, each file is the old or the new one as a whole, and the next restore completes', async () => {
  const names = Array.from({ length: 120 }, (_, i) => `file${i}`)
  const at = restored((source) => {
    for (const name of names) writeFileSync(join(source, name), `new ${name} `.repeat(4000))
    writeFileSync(join(source, 'image'), seededBytes('image', 20_000_000))
  })
  const image = readFileSync(join(at.target, 'image'))
  for (const events of [1, 60, 200]) {
    for (const name of names) writeFileSync(join(at.target, name), `old ${name} `.repeat(3000))
    const old = Buffer.from(image)
    for (let at = 0; at < old.length; at += 2_000_000) old.fill(events, at, at + 1000)
    writeFileSync(join(at.target, 'image'), old)
    const child = start(at, 'restore', `latest:${at.source}`, '--target', at.target, '--overwrite', 'always')
    const ended = new Promise((resolve) => child.once('exit', resolve))
    let seen = 0
    const watcher = watch(at.target, () => {
      if (++seen === events) child.kill('SIGKILL')
    })
    await ended
    watcher.close()
    for (const name of names) expect([`old ${name} `.repeat(3000), `new ${name} `.repeat(4000)]).toContain(readFileSync(join(at.target, name), 'utf8'))
    const left = readFileSync(join(at.target, 'image'))
    expect(left.equals(old) || left.equals(image)).toBe(true)
    expect(at.restore('--overwrite', 'always')).toMatchObject({ code: 0 })
    expect(readdirSync(at.target).filter((name) => name.startsWith('.nacre'))).toEqual([])
    expect(walked(at.target)).toEqual(walked(at.source))
  }
}, 180_000)

test('a program that runs is replaced, and written into only when it does not run; an immutable file is named, and the rest goes on', ({ skip }) => {
  const at = restored((source) => {
    copyFileSync('/bin/sleep', join(source, 'program'))
    for (const name of ['immutable', 'rest']) writeFileSync(join(source, name), `snapshot's ${name}`)
  })
  const program = join(at.target, 'program')
  writeFileSync(program, Buffer.concat([readFileSync('/bin/sleep'), Buffer.alloc(10)]))
  const running = spawn(program, ['600'], { stdio: 'ignore' })
  onTestFinished(() => void running.kill('SIGKILL'))
  const written = at.restore('--overwrite', 'always', '--in-place')
  expect(written.code).toBe(3)
  expect(written.stderr).toMatch(new RegExp(`failed: ${program}: .*ETXTBSY`))
  expect(at.restore('--overwrite', 'always')).toMatchObject({ code: 0 })
  expect(readFileSync(program).equals(readFileSync('/bin/sleep'))).toBe(true)
  expect(running.exitCode).toBeNull()

  const immutable = join(at.target, 'immutable')
  for (const name of ['immutable', 'rest']) writeFileSync(join(at.target, name), 'other')
  if (spawnSync('chattr', ['+i', immutable]).status !== 0) skip('files cannot be made immutable here')
  onTestFinished(() => void spawnSync('chattr', ['-i', immutable]))
  for (const more of [[], ['--in-place']]) {
    writeFileSync(join(at.target, 'rest'), 'other')
    const ended = at.restore('--overwrite', 'always', ...more)
    expect(ended.code).toBe(3)
    expect(ended.stderr).toMatch(new RegExp(`failed: ${immutable}: EPERM`))
    expect(readFileSync(join(at.target, 'rest'), 'utf8')).toBe('snapshot\'s rest')
  }
  expect(readdirSync(at.target).sort()).toEqual(['immutable', 'program', 'rest'])
}, 180_000)

test('what is mounted below the target is not emptied, nor is the repository', ({ skip }) => {
  const at = restored((source) => {
    mkdirSync(join(source, 'mounted'))
    writeFileSync(join(source, 'a'), 'a')
  })
  const mounted = join(at.target, 'mounted')
  if (spawnSync('mount', ['-t', 'tmpfs', 'none', mounted]).status !== 0) skip('only root can mount')
  onTestFinished(() => void spawnSync('umount', [mounted]))
  writeFileSync(join(mounted, 'precious'), 'x')
  mkdirSync(join(at.target, 'extra/bound'), { recursive: true })
  spawnSync('mount', ['--bind', mounted, join(at.target, 'extra/bound')])
  onTestFinished(() => void spawnSync('umount', [join(at.target, 'extra/bound')]))
  const repo = join(at.target, 'extra/repo')
  spawnSync('cp', ['-a', at.repo, repo])
  expect(at.restore('-r', repo, '--delete', '--yes')).toMatchObject({ code: 0 })
  expect(readFileSync(join(mounted, 'precious'), 'utf8')).toBe('x')
  expect(readdirSync(repo)).toContain('config')
}, 180_000)
