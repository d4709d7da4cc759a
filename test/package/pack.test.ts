/**
 * What a user gets: the tarball, installed in an empty folder the way the README says, runs as a
 * command, as a library, and gives its types to a TypeScript program. Needs a built dist/.
 */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const installTimeoutMs = 300_000
const quiet = ['--no-audit', '--no-fund', '--loglevel=error']

describe('the npm package', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nacre-pack-'))
    await run('npm', ['pack', '--pack-destination', folder, ...quiet], { cwd: root })
    const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
    if (tarball === undefined) throw new Error('npm pack made no tarball')
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
    await npm('install', '--prefer-offline', ...quiet, `./${tarball}`)
    if (await blocksInstallScripts()) {
      // npm 12 runs no install script unless told so; zstd-napi is the only package that needs its own.
      await npm('install-scripts', 'approve', 'zstd-napi')
      await npm('rebuild', 'zstd-napi')
    }
  }, installTimeoutMs)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('has a command that prints the version of package.json', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    const { stdout } = await run(join(folder, 'node_modules/.bin/nacre'), ['--version'], { cwd: folder })
    expect(stdout.trim()).toBe(`nacre ${version}`)
  })

  test('can be imported', async () => {
    await writeFile(join(folder, 'use.js'), "import { openRepository } from 'nacre'\nconsole.log(typeof openRepository)\n")
    const { stdout } = await run('node', ['use.js'], { cwd: folder })
    expect(stdout.trim()).toBe('function')
  })

  test('brings native packages that load', async () => {
    const native = ['zstd-napi', 'classic-level', 'koffi', '@napi-rs/blake-hash', '@node-rs/argon2']
    await writeFile(join(folder, 'native.js'), native.map((name) => `await import('${name}')\n`).join(''))
    await run('node', ['native.js'], { cwd: folder })
  })

  test('gives its types to a strict TypeScript program', async () => {
    const program = [
      "import { openRepository } from 'nacre'",
      'type IsAny<T> = 0 extends 1 & T ? true : false',
      '// These two lines compile only where the types were found all the way down.',
      'export const unknownFunction: IsAny<typeof openRepository> = false',
      'export const unknownResult: IsAny<Awaited<ReturnType<typeof openRepository>>> = false',
    ]
    await writeFile(join(folder, 'use.ts'), program.join('\n'))
    const options = '--noEmit --strict --module nodenext --target es2023 --lib es2023,esnext.disposable --skipLibCheck'
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
    const compiled = await run('node', [tsc, ...options.split(' '), ...types, 'use.ts'], { cwd: folder }).catch((error: unknown) => error)
    expect((compiled as { stdout: string }).stdout).toBe('')
  })

  async function npm(...args: string[]): Promise<string> {
    return (await run('npm', args, { cwd: folder, maxBuffer: 16 * 1024 * 1024 })).stdout
  }

  async function blocksInstallScripts(): Promise<boolean> {
    return Number.parseInt(await npm('--version'), 10) >= 12
  }
})
