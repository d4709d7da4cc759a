/** Processes that really fall asleep at a step of their own, while others go on as if they were dead. */
import { expect, test } from 'vitest'
import { running } from '../support/async-nacre.ts'
import { place } from '../support/nacre.ts'
import { countSteps, someStep, stoppingAt } from '../support/stepping.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { change, run, tell } from './stories.ts'

const STOPS = rounds(2, 50)
const PRUNE = ['prune', '--max-unused', '0', '--fence', '--threads', '1'] as const
const BACKUP = ['backup', '--threads', '1'] as const

test(`backups that sleep at ${STOPS} steps while all that they refer to is forgotten and freed commit nothing hollow`, async () => {
  const random = randomFor('stop backup')
  const at = place()
  const { source, witness, begin } = await tell(at, 2)
  change(source, 'counted')
  const { steps } = await countSteps(at, ...BACKUP, source)
  for (let round = 0; round < STOPS; round++) {
    await begin()
    change(source, `round ${round}`)
    const step = someStep(random, steps)
    const note = `round ${round}, stopped ${step.when} step ${step.at} of ${steps}`
    const backup = stoppingAt(at, step, ...BACKUP, source)
    if ((await backup.stopped()) === 'stopped') count('stops')
    count('runs')
    // Its parent goes too: whatever it has looked at is no more.
    const forgotten = JSON.parse(await run(at, 'forget', '--keep-last', '1', '--group-by', '', '--json')) as { remove: { id: string }[] }[]
    witness.forgotten(...forgotten.flatMap(({ remove }) => remove.map(({ id }) => id)))
    await run(at, ...PRUNE)
    process.kill(backup.pid, 'SIGCONT')
    expect(await backup.ended, note).toMatchObject({ code: 0 })
    await witness.note()
    await witness.expectWhole(note)
    await run(at, ...PRUNE)
    await witness.expectWhole(`${note}, and pruned again`)
  }
}, 7_200_000)

test(`prunes that sleep at ${STOPS} steps while another prune and a backup go on delete nothing that is used`, async () => {
  const random = randomFor('stop prune')
  const at = place()
  const { source, witness, begin } = await tell(at, 2)
  const { steps } = await countSteps(at, ...PRUNE)
  for (let round = 0; round < STOPS; round++) {
    await begin()
    change(source, `round ${round}`)
    const step = someStep(random, steps)
    const note = `round ${round}, stopped ${step.when} step ${step.at} of ${steps}`
    const asleep = stoppingAt(at, step, ...PRUNE)
    if ((await asleep.stopped()) === 'stopped') count('stops')
    count('runs')
    await run(at, ...BACKUP, source)
    await witness.note()
    await run(at, ...PRUNE)
    change(source, `round ${round} again`)
    const backup = running(at, ...BACKUP, source)
    process.kill(asleep.pid, 'SIGCONT')
    const woken = await asleep.ended
    expect(await backup, note).toMatchObject({ code: 0 })
    // What it meets was decided by others: it may say that it was overtaken.
    expect([0, 1, 11], `${note}: ${woken.stderr}`).toContain(woken.code)
    if (woken.code === 1) expect(woken.stderr, note).toContain('other prunes are at work')
    await witness.note()
    await witness.expectWhole(note)
  }
}, 7_200_000)
