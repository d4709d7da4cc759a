import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { makeFolders } from '../../src/repository/catalogue/make-folders.ts'

const folder = mkdtempSync(join(tmpdir(), 'nacre-folders-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('making folders', () => {
  test('makes those above, with the mode, and minds none that is there', async () => {
    const path = join(folder, 'a', 'b', 'c')
    await makeFolders(path, 0o700)
    await makeFolders(path, 0o700)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test.skipIf(!existsSync('/proc/self'))('ends where no folder can be made', async () => {
    await expect(makeFolders('/proc/nope/nacre')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('ends below a link that leads nowhere, and below a file', async () => {
    symlinkSync('nowhere', join(folder, 'link'))
    await expect(makeFolders(join(folder, 'link', 'x'))).rejects.toMatchObject({ code: 'ENOENT' })
    writeFileSync(join(folder, 'file'), '')
    await expect(makeFolders(join(folder, 'file', 'x'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  })
})
