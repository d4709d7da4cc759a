/** What is large, on a real mount. NACRE_TORTURE=1 makes it larger. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mounted, run } from '../support/mounted.ts'
import { place } from '../support/nacre.ts'

const isTorture = process.env['NACRE_TORTURE'] === '1'
const NAMES = isTorture ? 1_000_000 : 50_000
const GIB = 2 ** 30
const FILE_BYTES = (isTorture ? 3000 : 5) * GIB + 12_345
const LIMIT = isTorture ? 1_800_000 : 120_000

test(`a file of ${Math.floor(FILE_BYTES / GIB)} GiB and a folder of ${NAMES} names`, async () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'many'), { recursive: true })
  // Data at both sides of 4 GiB and at the end; what is between takes nothing.
  const places = [0, 4 * GIB - 3, FILE_BYTES - 9]
  execFileSync('truncate', ['-s', String(FILE_BYTES), join(source, 'large')])
  for (const [i, offset] of places.entries()) execFileSync('dd', [`of=${join(source, 'large')}`, 'bs=1', `seek=${offset}`, 'conv=notrunc', 'status=none'], { input: `piece ${i} !` })
  execFileSync('sh', ['-c', `seq -f 'file-%07.0f' 1 ${NAMES} | xargs touch`], { cwd: join(source, 'many') })
  expect(at.run('init').code).toBe(0)
  expect(at.run('backup', source, '--quiet').code).toBe(0)

  const { folder, pid } = await mounted(at)
  const shown = join(folder, 'latest', source)
  const large = join(shown, 'large')
  expect(statSync(large).size).toBe(FILE_BYTES)
  const file = openSync(large, 'r')
  const bytes = Buffer.alloc(9)
  for (const [i, offset] of places.entries()) {
    expect(readSync(file, bytes, 0, 9, offset)).toBe(9)
    expect(bytes.toString()).toBe(`piece ${i} !`)
  }
  expect(readSync(file, bytes, 0, 9, FILE_BYTES - 4)).toBe(4)
  expect(readSync(file, bytes, 0, 9, 3 * GIB)).toBe(9)
  expect(bytes.equals(Buffer.alloc(9))).toBe(true)
  closeSync(file)
  // Holes are found, so a copy takes a moment and no room.
  run('cp', '--sparse=auto', large, join(at.folder, 'copy'))
  expect(statSync(join(at.folder, 'copy'))).toMatchObject({ size: FILE_BYTES })
  expect(statSync(join(at.folder, 'copy')).blocks).toBeLessThan(1000)

  const listed = run('ls', '-f', join(shown, 'many')).split('\n').filter((name) => name.startsWith('file-'))
  expect(new Set(listed).size).toBe(NAMES)
  expect(listed).toHaveLength(NAMES)
  expect(run('sh', '-c', `find ${join(shown, 'many')} -type f -size 0 | wc -l`).trim()).toBe(String(NAMES))
  for (const name of [1, NAMES >> 1, NAMES].map((n) => `file-${String(n).padStart(7, '0')}`)) expect(statSync(join(shown, 'many', name)).isFile()).toBe(true)
  expect(() => statSync(join(shown, 'many', 'file-0000000'))).toThrow('ENOENT')
  // What the mount keeps of them is bounded, however many there are.
  const peak = Number(/VmHWM:\s+(\d+) kB/.exec(run('cat', `/proc/${pid}/status`))![1]) / 1024
  expect(peak).toBeLessThan(300)
}, LIMIT)
