/** On a real mount: what programs see, and how mounts begin and end. */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mounted, MOUNT_LIMIT as LIMIT, run } from '../support/mounted.ts'
import { type Place, place, PROGRAM } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'

function fill(source: string): void {
  mkdirSync(join(source, 'd', 'empty'), { recursive: true })
  writeFileSync(join(source, 'a'), 'hello')
  linkSync(join(source, 'a'), join(source, 'd', 'b'))
  symlinkSync('../nowhere', join(source, 'd', 'link'))
  writeFileSync(join(source, 'large'), seededBytes('mount', 3_000_000))
  for (let i = 0; i < 600; i++) writeFileSync(join(source, 'd', `n${i}`), `${i}\n`)
  writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), 'latin')
  run('sh', '-c', `cd ${source} && truncate -s 4M sparse && printf mid | dd of=sparse bs=1 seek=1048576 conv=notrunc status=none && mkfifo -m 640 fifo && mknod device c 5 300 && touch -d '1969-12-31 23:59:58.25 UTC' old && setfattr -n user.note -v hi a && setfacl -m u:65534:r d && chmod 4755 large`)
}

function filled(): { at: Place; source: string; shown: string } {
  const at = place()
  const source = join(at.folder, 'source')
  fill(source)
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source, '--tag', 'x', '--quiet').code).toBe(0)
  return { at, source, shown: join(at.folder, 'mnt', 'latest', source) }
}

test('every program sees what was backed up', async () => {
  const { at, source, shown } = filled()
  const { folder } = await mounted(at)
  // Of folders the size and the number of links are the file system's affair.
  const facts = (root: string): string[] => run('find', root, '-mindepth', '1', '(', '-type', 'd', '-printf', '%P d %m %U %G %T@\\n', ')', '-o', '-printf', '%P %y %m %U %G %s %n %T@ %l\\n').split('\n').sort()
  expect(facts(shown)).toEqual(facts(source))
  run('diff', '-r', '--no-dereference', join(source, 'd'), join(shown, 'd'))
  for (const name of ['a', 'large', 'sparse']) run('cmp', join(source, name), join(shown, name))
  expect(run('getfattr', '-d', '-m', '-', '--absolute-names', join(shown, 'a'))).toContain('user.note="hi"')
  expect(run('getfacl', '--omit-header', '--absolute-names', '-n', join(shown, 'd'))).toBe(run('getfacl', '--omit-header', '--absolute-names', '-n', join(source, 'd')))
  expect(run('rsync', '-aHAX', '--dry-run', '--checksum', '--itemize-changes', `${shown}/`, `${source}/`)).toBe('')
  run('sh', '-c', `tar -C ${shown} --xattrs --acls -c . | tar -d -C ${source}`)
  expect(statSync(join(shown, 'a')).ino).toBe(statSync(join(shown, 'd', 'b')).ino)
  expect(Number(run('du', '-k', join(shown, 'sparse')).split('\t')[0])).toBeLessThan(64)
  run('cp', '--sparse=auto', join(shown, 'sparse'), join(at.folder, 'copy'))
  expect(Number(run('du', '-k', join(at.folder, 'copy')).split('\t')[0])).toBeLessThan(2048)
  expect(run('stat', '-c', '%t %T', join(shown, 'device'))).toBe(run('stat', '-c', '%t %T', join(source, 'device')))
  expect(run('python3', '-c', `import mmap,sys; f=open(sys.argv[1],'rb'); sys.stdout.write(mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ)[2999990:].hex())`, join(shown, 'large'))).toBe(seededBytes('mount', 3_000_000).subarray(2_999_990).toString('hex'))
  expect(readdirSync(folder)).toEqual(['hosts', 'ids', 'labels', 'latest', 'snapshots', 'tags'])
  expect(run('find', '-L', join(folder, 'tags', 'x', 'latest', source, 'a'), '-samefile', join(shown, 'a'))).not.toBe('')
  for (const change of [`touch ${shown}/new`, `rm ${shown}/a`, `: > ${shown}/a`, `chmod 600 ${shown}/a`, `mkdir ${folder}/x`]) {
    expect(spawnSync('sh', ['-c', change], { encoding: 'utf8', timeout: LIMIT }).stderr).toContain('Read-only file system')
  }
  expect(run('findmnt', '-no', 'OPTIONS', folder)).toMatch(/^ro,nosuid,nodev/)
  const readers = Array.from({ length: 64 }, () => new Promise((resolve) => spawn('cmp', [join(source, 'large'), join(shown, 'large')]).once('exit', resolve)))
  expect(new Set(await Promise.all(readers))).toEqual(new Set([0]))
}, LIMIT)

test('a mount ends by a signal, by fusermount3 and by unmount; one that was killed is cleared, one in use says by whom', async () => {
  const { at, shown } = filled()
  for (const end of ['SIGINT', 'SIGTERM'] as const) {
    const one = await mounted(at)
    one.signal(end)
    expect(await one.ended).toBe(0)
  }
  const third = await mounted(at)
  expect(at.run('mount', third.folder)).toMatchObject({ code: 1, stderr: expect.stringContaining('something is mounted there already (fuse.nacre)') as string })
  run('fusermount3', '-u', third.folder)
  expect(await third.ended).toBe(0)

  const fourth = await mounted(at)
  const holder = spawn('sh', ['-c', 'exec 3< large; echo ready; read line'], { cwd: shown, stdio: ['pipe', 'pipe', 'ignore'] })
  await new Promise((resolve) => holder.stdout.once('data', resolve))
  expect(at.run('unmount', fourth.folder)).toMatchObject({ code: 11, stderr: expect.stringContaining(`in use by sh (${holder.pid}: `) as string })
  fourth.signal('SIGKILL')
  await fourth.ended
  holder.kill()
  await new Promise((resolve) => holder.once('exit', resolve))
  expect(at.run('mount', fourth.folder)).toMatchObject({ code: 1, stderr: expect.stringContaining(`"nacre unmount ${fourth.folder}" clears it`) as string })
  expect(at.run('unmount', fourth.folder).code).toBe(0)
  expect(at.run('unmount', fourth.folder)).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing is mounted on') as string })

  const background = at.run('mount', fourth.folder, '--background', '--json')
  expect(background.code).toBe(0)
  expect(JSON.parse(background.stdout)).toMatchObject({ type: 'mounted', path: fourth.folder })
  expect(readFileSync(join(shown, 'a'), 'utf8')).toBe('hello')
  expect(at.run('unmount', fourth.folder).code).toBe(0)
}, LIMIT)

test('new snapshots appear, forgotten ones go; a repository that vanishes fails one read and comes back', async () => {
  const { at, source, shown } = filled()
  const { folder, said } = await mounted(at, '--refresh', '0s', '--cache-size', '4M')
  const count = (): number => readdirSync(join(folder, 'snapshots')).length
  const until = async (wanted: number): Promise<void> => {
    while (count() !== wanted) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(count()).toBe(1)
  renameSync(at.repo, `${at.repo}.away`)
  expect(spawnSync('cat', [join(shown, 'large')], { encoding: 'utf8', timeout: LIMIT }).stderr).toContain('Input/output error')
  await said('/large: ')
  renameSync(`${at.repo}.away`, at.repo)
  run('cmp', join(source, 'large'), join(shown, 'large'))
  expect(at.run('backup', source, '--force', '--quiet').code).toBe(0)
  await until(2)
  expect(at.run('forget', 'latest~1').code).toBe(0)
  await until(1)
  rmSync(source, { recursive: true })
}, LIMIT)

test('an ordinary user mounts through fusermount3, and what is wrong is said in one line', () => {
  const { at, source } = filled()
  const folder = join(at.folder, 'mnt')
  mkdirSync(folder)
  expect(at.run('mount', join(at.folder, 'missing'))).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no such folder') as string })
  expect(at.run('mount', source)).toMatchObject({ code: 1, stderr: expect.stringContaining('it is not empty') as string })
  expect(at.run('mount', join(source, 'a'))).toMatchObject({ code: 1, stderr: expect.stringContaining('it is no folder') as string })
  expect(at.run('mount', folder, '--refresh', 'soon')).toMatchObject({ code: 2 })
  chmodSync(at.folder, 0o755)
  for (const path of [folder, at.repo, join(at.folder, 'cache')]) run('chown', '-R', '65534:65534', path)
  chownSync(folder, 65534, 65534)
  const asNobody = (path: string, ...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, PROGRAM, ...args], { env: { ...at.environment, PATH: path }, encoding: 'utf8', timeout: LIMIT })
  const path = process.env['PATH'] ?? ''
  onTestFinished(() => void spawnSync('fusermount3', ['-uz', folder], { timeout: 5000 }))
  expect(asNobody(path, 'mount', folder, '--allow-other')).toMatchObject({ status: 1, stderr: expect.stringContaining('"user_allow_other" into /etc/fuse.conf') as string })
  // Where no udev gives the device the mode that it has everywhere else.
  const { mode } = statSync('/dev/fuse')
  onTestFinished(() => chmodSync('/dev/fuse', mode & 0o7777))
  chmodSync('/dev/fuse', 0o666)
  expect(asNobody(path, 'mount', folder, '--background', '--no-default-permissions')).toMatchObject({ status: 0 })
  const seen = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'cat', join(folder, 'latest', source, 'a')], { encoding: 'utf8', timeout: LIMIT })
  expect(seen.stdout).toBe('hello')
  expect(asNobody(path, 'unmount', folder)).toMatchObject({ status: 0 })
}, LIMIT)
