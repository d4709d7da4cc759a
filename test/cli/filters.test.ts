/** `--host --tag --label --path --before --after` mean the same for every command that has them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { everyCommand } from '../../src/cli/every-command.ts'
import { FILTERS } from '../../src/cli/filters.ts'
import { type Ended, type Place, place } from '../support/nacre.ts'

/** Those whose `--host`, `--tag` and `--label` say what a snapshot is to bear. */
const OTHERS = ['backup', 'import-tar', 'describe', 'recover']

test('a command has all filters, said in the same words, or none', async () => {
  const names = Object.keys(FILTERS)
  const table = (await everyCommand())
    .filter(({ name, options }) => !OTHERS.includes(name) && names.some((filter) => options[filter] !== undefined))
    .map(({ name, options }) => [name, Object.fromEntries(names.map((filter) => [filter, options[filter]]))] as const)
  expect(table.map(([name]) => name)).toEqual(expect.arrayContaining(['snapshots', 'ls', 'find', 'history', 'diff', 'dump', 'export-tar', 'restore', 'forget', 'pin', 'unpin', 'tag', 'stats', 'cat']))
  for (const [name, filters] of table) expect([name, filters]).toEqual([name, FILTERS])
})

interface Made {
  readonly at: Place
  readonly file: string
  readonly ids: readonly string[]
}

/** Four snapshots, of which only the second passes all filters together, and each other fails one or more. */
function four(): Made {
  const at = place()
  const [source, other] = [join(at.folder, 'source'), join(at.folder, 'other')]
  for (const folder of [source, other]) mkdirSync(folder)
  const file = join(source, 'file')
  at.run('init')
  const save = (text: string, ...args: string[]): void => {
    writeFileSync(file, text)
    expect(at.run('backup', ...args)).toMatchObject({ code: 0 })
  }
  save('1', source, '--host', 'a', '--tag', 'x', '--time', '2024-01-01T12:00:00Z')
  save('22', source, other, '--host', 'b', '--tag', 'x,y', '--label', 'l', '--time', '2024-02-01T12:00:00Z')
  save('333', source, '--host', 'b', '--tag', 'x,y', '--label', 'l', '--time', '2024-03-01T12:00:00Z')
  save('4444', source, other, '--host', 'c', '--tag', 'y', '--time', '2024-04-01T12:00:00Z')
  const ids = (JSON.parse(at.run('snapshots', '--json').stdout) as { id: string }[]).map(({ id }) => id)
  return { at, file, ids }
}

test('all filters together leave the same snapshot to every command', () => {
  const { at, file, ids } = four()
  const filters = ['--host', 'b', '--host', 'a', '--tag', 'x,y', '--label', 'l', '--path', 'source', '--path', 'other', '--after', '2024-01-15', '--before', '2024-03-15']
  const json = (ended: Ended): unknown => JSON.parse(ended.stdout)
  const table: readonly (readonly [command: readonly string[], seen: (ended: Ended) => unknown, expected: unknown])[] = [
    [['snapshots', '--json'], (ended) => (json(ended) as { id: string }[]).map(({ id }) => id), [ids[1]]],
    [['find', 'file', '--json'], (ended) => (json(ended) as { snapshots: string[] }[]).flatMap(({ snapshots }) => snapshots), [ids[1]]],
    [['history', file, '--json'], (ended) => (json(ended) as { snapshots: string[] }[]).flatMap(({ snapshots }) => snapshots), [ids[1]]],
    [['stats', '--json'], (ended) => (json(ended) as { snapshots: number }).snapshots, 1],
    [['forget', '--keep-last', '1', '--dry-run', '--json'], (ended) => (json(ended) as { keep: { id: string }[]; remove: unknown[] }[]).map(({ keep, remove }) => [keep.map(({ id }) => id), remove]), [[[ids[1]], []]]],
    [['dump', `latest:${file}`], ({ stdout }) => stdout, '22'],
    [['ls', `latest:${file}`, '--json'], (ended) => (json(ended) as { size: number }[]).map(({ size }) => size), [2]],
    [['diff', 'latest', `${file}`], ({ stdout }) => stdout, `M ${file}\n`],
    [['cat', 'snapshot', 'latest'], (ended) => ended.stdout.includes(ids[1]!), true],
    [['tag', ids[0]!.slice(0, 8), '--add', 'z'], ({ code, stderr }) => [code, stderr.includes('there is no snapshot')], [1, true]],
  ]
  for (const [command, seen, expected] of table) {
    const ended = at.run(...command, ...filters)
    expect([command[0], seen(ended)]).toEqual([command[0], expected])
  }
  const says = 'there are no snapshots, or none that the filters leave'
  for (const command of [['history', file], ['ls', 'latest']]) {
    const ended = at.run(...command, '--host', 'nobody')
    expect([command[0], ended.code, ended.stderr.includes(says)]).toEqual([command[0], 1, true])
  }
}, 240_000)
