import { mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { spawnSync } from 'node:child_process'
import { type Ended, PROGRAM } from '../support/nacre.ts'

interface Match {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly snapshots: readonly string[]
}

describe('find', () => {
  let folder = ''
  let source = ''
  let ids: string[] = []
  const run = (...args: string[]): Ended => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder, NACRE_REPOSITORY: join(folder, 'repo'), NACRE_PASSWORD: 'p', NACRE_CACHE_DIR: join(folder, 'cache') }
    const child = spawnSync(process.execPath, [PROGRAM, ...args], { env, cwd: folder, encoding: 'utf8' })
    return { code: child.status, stdout: child.stdout, stderr: child.stderr }
  }
  const found = (...args: string[]): (readonly [path: string, snapshots: string])[] => {
    const ended = run('find', '--json', ...args)
    expect(ended.stderr).toBe('')
    return (JSON.parse(ended.stdout) as Match[]).map((match) => [match.path.replace(`${source}/`, ''), match.snapshots.map((id) => ids.indexOf(id)).join()])
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nacre-find-'))
    source = join(folder, 'source')
    mkdirSync(join(source, 'deep/er'), { recursive: true })
    writeFileSync(join(source, 'a.txt'), 'one')
    writeFileSync(join(source, 'deep/er/A.TXT'), 'x'.repeat(5000))
    writeFileSync(Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])]), '')
    symlinkSync('a.txt', join(source, 'link.txt'))
    for (let i = 0; i < 1200; i++) writeFileSync(join(source, 'deep', `many-${i}`), '')
    utimesSync(join(source, 'deep/many-7'), 1e9, 1e9)
    run('init')
    const save = (): void => void run('backup', source, '--tag', `t${ids.length}`)
    save()
    writeFileSync(join(source, 'a.txt'), 'other')
    save()
    renameSync(join(source, 'deep/er'), join(source, 'deep/est'))
    writeFileSync(join(source, 'deep/many-600'), 'changed')
    save()
    ids = (JSON.parse(run('snapshots', '--json').stdout) as { id: string }[]).map(({ id }) => id)
    return () => rmSync(folder, { recursive: true })
  }, 120_000)

  test('names each version once, with the snapshots that hold it', () => {
    expect(ids).toHaveLength(3)
    expect(found('*.txt')).toEqual([['a.txt', '0'], ['a.txt', '1,2'], ['link.txt', '0,1,2']])
    expect(found('--iname', '*.txt', '--type', 'f')).toEqual([['a.txt', '0'], ['a.txt', '1,2'], ['deep/er/A.TXT', '0,1'], ['deep/est/A.TXT', '2']])
    expect(found('many-600', 'many-601')).toEqual([['deep/many-600', '0,1'], ['deep/many-600', '2'], ['deep/many-601', '0,1,2']])
    expect(found('many-*')).toHaveLength(1201)
    expect(found('nothing-*')).toEqual([])
  })

  test('a pattern with a slash is a path, from the root or from any folder on', () => {
    expect(found('deep/er')).toEqual([['deep/er', '0,1']])
    expect(found(`${source}/*.txt`)).toEqual([['a.txt', '0'], ['a.txt', '1,2'], ['link.txt', '0,1,2']])
    expect(found('/*.txt')).toEqual([])
    expect(found('source/**/A.TXT')).toEqual([['deep/er/A.TXT', '0,1'], ['deep/est/A.TXT', '2']])
    expect(found(`${folder}/**/many-1`)).toHaveLength(1)
  })

  test('types, sizes, times and filters of snapshots narrow it down', () => {
    expect(found('*', '--type', 'l')).toEqual([['link.txt', '0,1,2']])
    expect(found('*', '--size', '+4K')).toEqual([['deep/er/A.TXT', '0,1'], ['deep/est/A.TXT', '2']])
    expect(found('*', '--size', '3')).toEqual([['a.txt', '0']])
    expect(found('*', '--size', '-4K', '--size', '+0')).toHaveLength(3)
    expect(found('*', '--older', '2002-01-01')).toEqual([['deep/many-7', '0,1,2']])
    expect(found('many-7', '--newer', '2002-01-01')).toEqual([])
    expect(found('a.txt', '--tag', 't2')).toHaveLength(0)
    expect(found('a.txt', '--tag', 't0')).toHaveLength(2)
  })

  test('prints a line for each version, and shows bytes that are no text', () => {
    const text = run('find', 'caf?', 'a.txt')
    expect(text).toMatchObject({ code: 0 })
    const lines = text.stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[2]).toContain(`${source}/caf\\xe9`)
    expect(lines[0]).toMatch(new RegExp(`^${ids[0]!.slice(0, 8)} +1× +3 B +\\d{4}-`))
    expect(text.stderr).toContain('3 matches in 3 snapshots')
  })

  test.each([
    [['[a'], 'character 1'],
    [[], 'what is to be found'],
    [['*', '--size', 'much'], '--size takes'],
    [['*', '--type', 'files'], 'there is no type'],
    [['*', '--newer', 'soon'], 'is no time'],
  ])('%j is wrong usage, and says why', (args, words) => {
    const ended = run('find', ...args)
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(words)
    expect(ended.stderr.split('\n').length).toBeLessThan(4)
  })
})
