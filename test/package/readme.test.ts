/** The program of the README, as it stands there, run by a stranger. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/nacre.ts'

const ROOT = resolve(import.meta.dirname, '../..')

test('backs up and restores what it is given', () => {
  const program = /```js\n(.*?)```/s.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1]
  expect(program).toBeDefined()
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/nacre'))
  writeFileSync(join(folder, 'program.mjs'), program!)
  const source = join(folder, 'source')
  cpSync(join(ROOT, 'src/util'), source, { recursive: true })
  execFileSync(process.execPath, ['program.mjs', source, join(folder, 'target'), join(folder, 'repository')], { cwd: folder, encoding: 'utf8' })
  execFileSync('diff', ['-r', source, join(folder, 'target', source)])
})
