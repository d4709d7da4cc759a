/** Who may see what in a mount, on a real one: a second user, access lists, and what root may let be. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { asUser, mounted, MOUNT_LIMIT, run } from '../support/mounted.ts'
import { type Place, place, PROGRAM } from '../support/nacre.ts'

const NOBODY = 65_534
const ANOTHER = 65_533

/** Files that differ in who may read them. */
function filled(): { at: Place; shown: (name: string) => string } {
  const at = place()
  // Everybody may come as far as the mount.
  chmodSync(at.folder, 0o755)
  const source = join(at.folder, 'source')
  mkdirSync(source)
  for (const [name, mode] of [['private', 0o600], ['by-list', 0o600], ['of-nobody', 0o600], ['open', 0o644]] as const) {
    writeFileSync(join(source, name), name)
    chmodSync(join(source, name), mode)
  }
  run('setfacl', '-m', `u:${NOBODY}:r`, join(source, 'by-list'))
  chownSync(join(source, 'of-nobody'), NOBODY, NOBODY)
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source, '--quiet').code).toBe(0)
  return { at, shown: (name) => join(at.folder, 'mnt', 'latest', source, name) }
}

function reads(uid: number, shown: (name: string) => string): string[] {
  return ['private', 'by-list', 'of-nobody', 'open'].filter((name) => {
    const { code, stdout, stderr } = asUser(uid, 'cat', shown(name))
    if (code !== 0) expect(stderr).toContain('Permission denied')
    return code === 0 && stdout === name
  })
}

test('nobody but who mounted gets in, unless others are let in: then modes, owners and access lists decide', async () => {
  const { at, shown } = filled()
  const alone = await mounted(at)
  expect(reads(NOBODY, shown)).toEqual([])
  expect(reads(0, shown)).toEqual(['private', 'by-list', 'of-nobody', 'open'])
  alone.signal('SIGTERM')
  expect(await alone.ended).toBe(0)
  await mounted(at, '--allow-other')
  expect(reads(NOBODY, shown)).toEqual(['by-list', 'of-nobody', 'open'])
  expect(reads(ANOTHER, shown)).toEqual(['open'])
}, MOUNT_LIMIT)

test('--owner-root shows root as the owner of everything, and who is not root has no more than others may', async () => {
  const { at, shown } = filled()
  await mounted(at, '--allow-other', '--owner-root')
  expect(run('stat', '-c', '%u:%g %a', shown('of-nobody'))).toBe('0:0 600\n')
  expect(reads(NOBODY, shown)).toEqual(['by-list', 'open'])
}, MOUNT_LIMIT)

test('--no-default-permissions lets whoever may enter read everything, and shows owners and modes as they were', async () => {
  const { at, shown } = filled()
  await mounted(at, '--allow-other', '--no-default-permissions')
  expect(reads(ANOTHER, shown)).toEqual(['private', 'by-list', 'of-nobody', 'open'])
  expect(run('stat', '-c', '%u:%g %a', shown('of-nobody'))).toBe(`${NOBODY}:${NOBODY} 600\n`)
}, MOUNT_LIMIT)

test('an ordinary user lets others in where the system says that he may', () => {
  const { at, shown } = filled()
  const folder = join(at.folder, 'mnt')
  mkdirSync(folder)
  for (const path of [folder, at.repo, join(at.folder, 'cache')]) run('chown', '-R', `${NOBODY}:${NOBODY}`, path)
  const { mode } = statSync('/dev/fuse')
  onTestFinished(() => chmodSync('/dev/fuse', mode & 0o7777))
  chmodSync('/dev/fuse', 0o666)
  writeFileSync(join(at.folder, 'fuse.conf'), 'user_allow_other\n')
  // The system's own setting stays as it is: in a view of the mounts that nobody else has, another lies over it.
  const as = (uid: number): string => `setpriv --reuid=${uid} --regid=${uid} --clear-groups`
  const script = `mount --bind ${at.folder}/fuse.conf /etc/fuse.conf && ${as(NOBODY)} ${process.execPath} ${PROGRAM} mount ${folder} --background --allow-other --quiet &&
    { ${as(ANOTHER)} cat ${shown('open')}; ${as(ANOTHER)} cat ${shown('private')}; ${as(NOBODY)} ${process.execPath} ${PROGRAM} unmount ${folder}; }`
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { env: at.environment, encoding: 'utf8', timeout: MOUNT_LIMIT })
  expect(status, stderr).toBe(0)
  expect(stdout).toBe('open')
  expect(stderr).toMatch(/private: Permission denied\n$/)
}, MOUNT_LIMIT)
