/** Lists that are on their way before they are asked for: in their order, once each, and with their failures. */
import { expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { withEarlyLists } from '../../src/backend/with-early-lists.ts'
import { BackupError } from '../../src/util/errors.ts'
import { namesIn } from '../repository/support.ts'

const SID = '0/00000000000000000000000000000001'
const LATER = '0/00000000000000000000000000000002'
const STEPS = [['snapshots'], ['forgotten', 'marks'], ['gc']] as const

function noting(inner: Backend, asked: string[]): Backend {
  return { ...inner, list: (type, options) => (asked.push(type), inner.list(type, options)) }
}

test('each begins when those before it have ended, and is asked for once', async () => {
  const asked: string[] = []
  const inner = memoryBackend()
  await inner.create({ type: 'snapshots', name: SID }, [new Uint8Array(1)])
  const early = withEarlyLists(noting(inner, asked), STEPS)
  early.begin()
  expect(await namesIn(early.backend, 'snapshots')).toEqual([SID])
  for (const type of ['forgotten', 'marks', 'gc'] as const) expect(await namesIn(early.backend, type)).toEqual([])
  expect(asked).toEqual(['snapshots', 'forgotten', 'marks', 'gc'])
  // A second list is one that is made now.
  await inner.create({ type: 'snapshots', name: LATER }, [new Uint8Array(1)])
  expect(await namesIn(early.backend, 'snapshots')).toEqual([SID, LATER])
})

test('one that fails fails who asks for it, and those behind it', async () => {
  const inner = memoryBackend()
  const broken: Backend = { ...inner, list: (type, options) => (type === 'snapshots' ? failing() : inner.list(type, options)) }
  const early = withEarlyLists(broken, STEPS)
  early.begin()
  await expect(namesIn(early.backend, 'snapshots')).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
  await expect(namesIn(early.backend, 'gc')).rejects.toMatchObject({ code: 'BACKEND_FAILED' })
  // Not begun early, it is a list like any other.
  expect(await namesIn(early.backend, 'gc')).toEqual([])
})

function failing(): AsyncIterable<never> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new BackupError('BACKEND_FAILED', 'the line is cut')) }) }
}
