/** Backups that are really killed, at steps of their own: nothing that was there suffers, and what was stored is used. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lastJson, place, start } from '../support/nacre.ts'
import { seededBytes } from '../support/seeded.ts'
import { countSteps, killedAt, someStep } from '../support/stepping.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { change, run, tell } from './stories.ts'

const KILLS = rounds(4, 200)
/** So many kills fall upon one repository before it begins anew. */
const IN_A_ROW = 4

test(`${KILLS} backups that are killed lose nothing, and the next one stores what is left`, async () => {
  const random = randomFor('kill backup')
  const at = place()
  const { source, witness, begin } = await tell(at, 0)
  change(source, 'counted')
  const { steps, ended } = await countSteps(at, 'backup', source, '--threads', '1')
  expect(ended.code).toBe(0)
  expect(steps).toBeGreaterThan(40)
  let killed = 0
  for (let round = 0; round < KILLS; round++) {
    if (round % IN_A_ROW === 0) await begin()
    change(source, `round ${round}`)
    // The first falls upon a step that every run takes; others may lie behind the end of a shorter one.
    const step = round === 0 ? ({ at: Math.ceil(steps / 4), when: 'before' } as const) : someStep(random, steps)
    const note = `round ${round}, killed ${step.when} step ${step.at} of ${steps}`
    const died = await killedAt(at, step, 'backup', source, '--threads', '1')
    count('runs')
    if (died.signal === 'SIGKILL') {
      killed++
      count('kills')
    } else expect(died.code, `${note}: ${died.stderr}`).toBe(0)
    await witness.note()
    await witness.expectWhole(note)
    if (round % IN_A_ROW !== IN_A_ROW - 1 && round !== KILLS - 1) continue
    await run(at, 'backup', source)
    await witness.note()
    await run(at, 'prune', '--fence')
    await witness.expectWhole(`${note}, after a backup and a prune`)
  }
  // Of few, chance decides.
  expect(killed).toBeGreaterThan(KILLS < 20 ? 0 : KILLS / 2)
}, 7_200_000)

test('what a backup that was killed right before its commit had stored is not stored again', async () => {
  const at = place()
  const { source, witness } = await tell(at, 0)
  change(source, 'new')
  const died = await killedAt(at, { at: 1, when: 'before', match: '/snapshots/0/.tmp-' }, 'backup', source)
  expect(died.signal).toBe('SIGKILL')
  const again = lastJson(await run(at, 'backup', source, '--json'))
  expect(Number(again['data_added_stored'])).toBeLessThan(50_000)
  await witness.note()
  await witness.expectWhole('after the backup that went on')
}, 120_000)

test('two backups into one repository at once both succeed', async () => {
  const at = place()
  const ends: Promise<number | null>[] = []
  expect(at.run('init').code).toBe(0)
  for (const name of ['a', 'b', 'c']) {
    const source = join(at.folder, name)
    mkdirSync(source)
    for (let i = 0; i < 200; i++) writeFileSync(join(source, `file-${i}`), seededBytes(`${name}${i % 100}`, 30_000))
    ends.push(new Promise((resolve) => start(at, 'backup', source).once('exit', resolve)))
  }
  expect(await Promise.all(ends)).toEqual([0, 0, 0])
  expect(at.run('check', '--read-data')).toMatchObject({ code: 0 })
  expect(JSON.parse(at.run('snapshots', '--json').stdout)).toHaveLength(3)
}, 240_000)
