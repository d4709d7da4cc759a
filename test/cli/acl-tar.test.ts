import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { place } from '../support/nacre.ts'

/** Why this machine cannot try it; the file system of temporary files may keep no ACLs, and the tools may be missing. */
function obstacle(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-acl-'))
  const tried = spawnSync('setfacl', ['-m', 'u:1:r', folder])
  rmSync(folder, { recursive: true })
  if (tried.error !== undefined) return 'setfacl is not installed (package acl)'
  if (tried.status !== 0) return 'the file system of temporary files keeps no ACLs'
  return spawnSync('bsdtar', ['--version']).error === undefined ? undefined : 'bsdtar is not installed (package libarchive-tools)'
}

const why = obstacle()
if (why !== undefined) process.stderr.write(`ACLs in tars are not tested: ${why}\n`)

const LOCALE = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' }

function acls(folder: string): string {
  return execFileSync('sh', ['-c', 'find . -mindepth 1 | sort | xargs getfacl -n -p'], { cwd: folder, encoding: 'utf8' })
}

function someAcls(folder: string): string {
  const source = join(folder, 'source')
  mkdirSync(join(source, 'shared'), { recursive: true })
  for (const name of ['plain', 'shared/read', 'shared/both']) writeFileSync(join(source, name), name)
  execFileSync('setfacl', ['-m', 'u:4242:r,u:1:rwx,g:4243:rx,m:rx', join(source, 'shared/both')])
  execFileSync('setfacl', ['-m', 'u:4242:r', join(source, 'shared/read')])
  execFileSync('setfacl', ['-m', 'g:4243:rwx', '-m', 'd:u:4242:rwx,d:o:-', join(source, 'shared')])
  return source
}

const programs: readonly (readonly [name: string, pack: readonly string[], unpack: readonly string[]])[] = [
  ['GNU tar', ['tar', '-c', '--format=pax', '--acls'], ['tar', '-x', '-p', '--acls']],
  ['bsdtar', ['bsdtar', '-c', '--format=pax', '--acls'], ['bsdtar', '-x', '-p', '--acls']],
]

test.runIf(why === undefined).each(programs)('ACLs go into a tar that %s unpacks, and come from one that it packs', (_name, pack, unpack) => {
  const at = place()
  const source = someAcls(at.folder)
  at.run('init')
  at.run('backup', source)
  const out = join(at.folder, 'out.tar')
  expect(at.run('export-tar', `latest:${source}`, out)).toMatchObject({ code: 0 })
  const unpacked = join(at.folder, 'unpacked')
  mkdirSync(unpacked)
  const said = spawnSync(unpack[0]!, [...unpack.slice(1), '-f', out, '-C', unpacked], { encoding: 'utf8', env: LOCALE })
  expect(said).toMatchObject({ status: 0, stderr: '' })
  expect(acls(unpacked)).toBe(acls(source))

  const tar = join(at.folder, 'in.tar')
  execFileSync(pack[0]!, [...pack.slice(1), '-C', source, '-f', tar, '.'], { env: LOCALE })
  expect(at.run('import-tar', tar, '--below', '/came')).toMatchObject({ code: 0 })
  const target = join(at.folder, 'target')
  expect(at.run('restore', 'latest:/came', '--target', target)).toMatchObject({ code: 0 })
  expect(acls(target)).toBe(acls(source))
}, 120_000)
