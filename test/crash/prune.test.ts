/** Prunes that are really killed at steps of their own, and a backup that one waits for. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { running } from '../support/async-nacre.ts'
import { place } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { countSteps, killedAt, someStep, stoppingAt } from '../support/stepping.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { change, run, tell } from './stories.ts'
import { snapshotsIn } from './witness.ts'

const KILLS = rounds(3, 200)
/** So many kills fall upon one repository before it begins anew. */
const IN_A_ROW = 3
const PRUNE = ['prune', '--max-unused', '0', '--fence', '--threads', '1'] as const

test(`${KILLS} prunes that are killed lose nothing, and the next one finishes`, async () => {
  const random = randomFor('kill prune')
  const at = place()
  const { source, witness, begin } = await tell(at, 2)
  const { steps, ended } = await countSteps(at, ...PRUNE)
  expect(ended).toMatchObject({ code: 0 })
  expect(steps).toBeGreaterThan(60)
  let killed = 0
  for (let round = 0; round < KILLS; round++) {
    if (round % IN_A_ROW === 0) await begin()
    // The first falls upon a step that every run takes; others may lie behind the end of a shorter one.
    const step = round === 0 ? ({ at: Math.ceil(steps / 4), when: 'before' } as const) : someStep(random, steps)
    const note = `round ${round}, killed ${step.when} step ${step.at} of ${steps}`
    const died = await killedAt(at, step, ...PRUNE)
    count('runs')
    if (died.signal === 'SIGKILL') {
      killed++
      count('kills')
    } else expect(died.code, `${note}: ${died.stderr}`).toBe(0)
    await witness.expectWhole(note)
    if (round % IN_A_ROW !== IN_A_ROW - 1 && round !== KILLS - 1) continue
    // A backup in between refers to nothing that goes.
    change(source, `round ${round}`)
    await run(at, 'backup', source)
    await witness.note()
    await run(at, ...PRUNE)
    expect(await run(at, ...PRUNE)).toContain('nothing to free')
    // A kill may leave a temporary file, which is no session.
    expect(readdirSync(join(at.repo, 'sessions', '0')).filter((name) => !name.startsWith('.tmp-'))).toEqual([])
    await witness.expectWhole(`${note}, and finished`)
  }
  // Of few, chance decides.
  expect(killed).toBeGreaterThan(KILLS < 20 ? 0 : KILLS / 2)
}, 7_200_000)

test('a young backup makes prune leave its generation open with 11, and sessions can be listed and fenced', async () => {
  const at = place()
  const { source, witness } = await tell(at, 1)
  change(source, 'new')
  const backup = stoppingAt(at, { at: 1, when: 'before', match: '/snapshots/0/.tmp-' }, 'backup', source)
  expect(await backup.stopped()).toBe('stopped')
  const sessions = async (): Promise<{ id: string; state: string }[]> => JSON.parse(await run(at, 'sessions', '--json')) as { id: string; state: string }[]
  expect(await sessions()).toMatchObject([{ kind: 'backup', state: 'open' }])
  const open = await running(at, 'prune', '--max-unused', '0')
  expect(open.code).toBe(11)
  expect(open.stdout).toContain('left open')
  await run(at, 'sessions', 'fence', (await sessions())[0]!.id.slice(0, 10))
  await run(at, 'prune')
  process.kill(backup.pid, 'SIGCONT')
  expect(await backup.ended).toMatchObject({ code: 0 })
  await witness.note()
  await witness.expectWhole('after a fence')
}, 300_000)

test('a prune that was left open since a backup began is finished when the backup has committed', async () => {
  const at = place()
  const { source, witness } = await tell(at, 1)
  writeFileSync(join(source, 'more'), seededBytes('more', 100_000))
  const backup = stoppingAt(at, { at: 1, when: 'before', match: '/snapshots/0/.tmp-' }, 'backup', source)
  expect(await backup.stopped()).toBe('stopped')
  expect((await running(at, 'prune')).code).toBe(11)
  process.kill(backup.pid, 'SIGCONT')
  expect(await backup.ended).toMatchObject({ code: 0 })
  await run(at, 'prune')
  await witness.note()
  expect(await snapshotsIn(at)).toHaveLength(3)
  await witness.expectWhole('after both')
}, 300_000)

test('mistakes are one line and exit code 2', () => {
  const at = place()
  at.run('init')
  for (const [args, said] of [
    [['prune', '--max-unused', 'much'], '--max-unused takes a share'],
    [['prune', '--keep-recoverable', '7 days'], '--keep-recoverable takes a time such as 7d'],
    [['prune', '--fence-after', '-1h'], '--fence-after'],
    [['prune', '--lost', 'xyz'], '--lost takes the id of a snapshot'],
    [['sessions', 'fense', 'x'], 'did you mean'],
    [['sessions', 'fence'], 'which session?'],
    [['sessions', 'fence', '77'], 'there is no open session "77"'],
  ] as const) {
    const ended = at.run(...args)
    expect(ended.code, args.join(' ')).toBe(2)
    expect(ended.stderr).toContain(said)
    expect(ended.stderr).not.toContain('    at ')
  }
}, 120_000)
