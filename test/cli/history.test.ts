import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { place } from '../support/nacre.ts'

interface Version {
  readonly snapshot_id: string
  readonly size: number
  readonly type: string
  readonly snapshots: readonly string[]
}

test('history shows each version once, and the id restores it', () => {
  const at = place()
  const source = join(at.folder, 'source')
  mkdirSync(join(source, 'sub'), { recursive: true })
  const file = join(source, 'sub', 'it\'s mine')
  const save = (text: string | undefined): void => {
    if (text === undefined) unlinkSync(file)
    else writeFileSync(file, text)
    writeFileSync(join(source, 'other'), String(text))
    expect(at.run('backup', source).code).toBe(0)
  }
  at.run('init')
  save('first')
  writeFileSync(join(source, 'aside'), '')
  at.run('backup', source)
  save('second one')
  save(undefined)
  const ids = (JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]).map(({ id }) => id)

  const versions = JSON.parse(at.run('history', file, '--json').stdout) as Version[]
  expect(versions.map(({ size, snapshots }) => [size, snapshots.map((id) => ids.indexOf(id))])).toEqual([[5, [0, 1]], [10, [2]]])
  expect(versions[0]!.snapshot_id).toBe(ids[1])

  const shown = at.run('history', `source/sub/../sub/it's mine`)
  expect(shown.code).toBe(0)
  const lines = shown.stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[1]).toMatch(new RegExp(`^${ids[1]!.slice(0, 8)} .* 5 B .* 2$`))
  expect(shown.stderr).toContain(`2 versions; 1 snapshot without it; to bring one back: nacre restore ID:'${file.replace("'", "'\\''")}' --target DIR`)
  const target = join(at.folder, 'target')
  at.run('restore', `${lines[1]!.slice(0, 8)}:${file}`, '--target', target)
  expect(readFileSync(join(target, 'it\'s mine'), 'utf8')).toBe('first')

  const folders = JSON.parse(at.run('history', join(source, 'sub'), '--json').stdout) as Version[]
  expect(folders.map(({ type, snapshots }) => [type, snapshots.length])).toEqual([['directory', 2], ['directory', 1], ['directory', 1]])
  const missing = at.run('history', join(source, 'nothing'))
  expect(missing).toMatchObject({ code: 1, stdout: '' })
  expect(missing.stderr).toMatch(/^nacre: no snapshot holds .*nothing; .*\n$/)
}, 120_000)
