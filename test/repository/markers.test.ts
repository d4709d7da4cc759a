import { describe, expect, test } from 'vitest'
import { decodeForgotten, encodeForgotten, type Forgetting, forgottenBody } from '../../src/repository/forgotten.ts'
import { decodeMark, encodeMark, type Mark, markBody, splitMarkName } from '../../src/repository/mark.ts'
import { loadForgotten, loadMarks } from '../../src/repository/marker-loader.ts'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { RECORD } from '../../src/repository/format.ts'
import { sealObject } from '../../src/repository/sealed-object.ts'
import { encodeSigned } from '../../src/repository/signed.ts'
import { toHex } from '../../src/util/bytes.ts'
import { noRequests, withCounting } from '../support/counting.ts'
import { bytesOf, flipped } from '../util/bytes-of.ts'
import { expectRefused } from '../util/expect-error.ts'
import { memoryRepository, otherOwner, owner, REPOSITORY_ID, stranger, writer, WRITER_GROUP } from './support.ts'

const name = `0/${toHex(bytesOf(1, 16))}`
const other = `0/${toHex(bytesOf(2, 16))}`
const forgetting: Forgetting = { timeNs: 1_700_000_000_000_000_001n, host: 'nautilus', user: 'ada', program: '1.0.0' }
const mark: Mark = { ...forgetting, tags: ['a', 'b'], label: 'l', description: 'd', pin: 2_000_000_000_000_000_001n }

describe('a forgotten marker', () => {
  const bytes = encodeForgotten(owner, name, forgetting)

  test('comes back as it was', () => {
    expect(decodeForgotten(owner, name, bytes)).toEqual(forgetting)
  })

  test('of a writer\'s snapshot is the owner\'s word, and the writer reads it', () => {
    const theirs = `${WRITER_GROUP}/${toHex(bytesOf(1, 16))}`
    expect(decodeForgotten(writer, theirs, encodeForgotten(owner, theirs, forgetting))).toEqual(forgetting)
    expectRefused(() => decodeForgotten(owner, theirs, encodeForgotten(writer, theirs, forgetting)), 'CORRUPT')
  })

  test('is refused when changed, cut short, moved, or of another owner or repository', () => {
    for (let bit = 80; bit < bytes.length * 8; bit += 5) expectRefused(() => decodeForgotten(owner, name, flipped(bytes, bit)), 'CORRUPT')
    for (let length = 0; length < bytes.length; length += 3) expectRefused(() => decodeForgotten(owner, name, bytes.subarray(0, length)), 'CORRUPT')
    expectRefused(() => decodeForgotten(owner, other, bytes), 'CORRUPT')
    expectRefused(() => decodeForgotten(stranger, name, bytes), 'CORRUPT')
    expectRefused(() => decodeForgotten(otherOwner, name, bytes), 'CORRUPT')
  })

  test('is no mark, and a mark is none', () => {
    expectRefused(() => decodeForgotten(owner, name, encodeMark(owner, `${name}.0`, mark)), 'CORRUPT')
    expectRefused(() => decodeMark(owner, `${name}.0`, bytes), 'CORRUPT')
  })
})

describe('a mark', () => {
  test.each<[string, Mark]>([
    ['everything', mark],
    ['nothing', forgetting],
    ['a pin for ever', { ...forgetting, pin: 'forever' }],
    ['no pin', { ...forgetting, pin: 'none' }],
    ['a pin until before 1970', { ...forgetting, pin: -1n }],
    ['empty tags, label and description', { ...forgetting, tags: [], label: '', description: '' }],
  ])('that holds %s comes back as it was', (_, held) => {
    const back = decodeMark(owner, `${name}.3`, encodeMark(owner, `${name}.3`, held))
    expect(back).toEqual({ tags: undefined, label: undefined, description: undefined, pin: undefined, ...held })
  })

  test('is bound to its number', () => {
    expectRefused(() => decodeMark(owner, `${name}.4`, encodeMark(owner, `${name}.3`, mark)), 'CORRUPT')
  })

  test('with a pin of a later kind is refused', () => {
    const as = { type: RECORD.mark, group: 0, name: `${name}.0` }
    const body = encodeCbor(new Map<number, unknown>([[1, 1], [2, 'h'], [3, 'u'], [4, 'p'], [8, 3]]))
    const bytes = sealObject(owner, owner.index(0), as, encodeSigned(owner.signingSeed, REPOSITORY_ID, as, body))
    expect(() => decodeMark(owner, as.name, bytes)).toThrow('use a newer one')
  })

  test('has a name that says which snapshot and which number', () => {
    expect(splitMarkName(`${name}.17`)).toEqual({ snapshot: name, n: 17 })
  })
})

describe('the bodies', () => {
  test('are these bytes', () => {
    expect(toHex(forgottenBody(owner, name, encodeForgotten(owner, name, forgetting)))).toBe('a4011b17979cfe362a000102686e617574696c757303636164610465312e302e30')
    expect(toHex(markBody(owner, `${name}.0`, encodeMark(owner, `${name}.0`, mark)))).toBe('a9011b17979cfe362a000102686e617574696c757303636164610465312e302e3005826161616206616c0761640802091b1bc16d674ec80001')
  })
})

describe('loading', () => {
  test('takes what the owner has said, tells the rest, and obeys nothing of it', async () => {
    await using at = await memoryRepository()
    const { keyring } = at.repository
    await at.backend.create({ type: 'forgotten', name }, [encodeForgotten(keyring, name, forgetting)])
    await at.backend.create({ type: 'forgotten', name: other }, [encodeForgotten(otherOwner, other, forgetting)])
    const { forgotten, problems } = await loadForgotten(at.repository)
    expect([...forgotten]).toEqual([[name, forgetting]])
    expect(problems).toMatchObject([{ object: `forgotten/${other}`, snapshot: other }])
  })

  test('lets the highest mark hold, and the one below where that is not the owner\'s word', async () => {
    await using at = await memoryRepository()
    const { keyring } = at.repository
    const put = (n: number, held: Mark, by = keyring): Promise<unknown> => at.backend.create({ type: 'marks', name: `${name}.${n}` }, [encodeMark(by, `${name}.${n}`, held)])
    for (const n of [2, 9, 10]) await put(n, { ...forgetting, label: String(n) })
    expect((await loadMarks(at.repository)).marks.get(name)).toMatchObject({ n: 10, mark: { label: '10' } })
    await put(4_294_967_295, mark, otherOwner)
    const { marks, problems } = await loadMarks(await at.open())
    expect(marks.get(name)).toMatchObject({ n: 10 })
    expect(problems).toMatchObject([{ object: `marks/${name}.4294967295`, snapshot: name }])
  })

  test('reads each record once, and forgets those that are gone', async () => {
    await using at = await memoryRepository()
    for (const each of [name, other]) {
      await at.backend.create({ type: 'forgotten', name: each }, [encodeForgotten(at.repository.keyring, each, forgetting)])
      await at.backend.create({ type: 'marks', name: `${each}.0` }, [encodeMark(at.repository.keyring, `${each}.0`, mark)])
    }
    const counts = noRequests()
    const repository = await at.open(withCounting(at.backend, counts))
    const loads = async (): Promise<number> => {
      const before = counts.load
      expect((await loadMarks(repository)).marks.size).toBe(2)
      await loadForgotten(repository)
      await (await repository.catalogue()).rows.flush()
      return counts.load - before
    }
    expect(await loads()).toBe(4)
    expect(await loads()).toBe(0)
    await at.backend.remove({ type: 'forgotten', name })
    expect([...(await loadForgotten(repository)).forgotten.keys()]).toEqual([other])
    await (await repository.catalogue()).rows.flush()
    const later = { ...forgetting, timeNs: 5n }
    await at.backend.create({ type: 'forgotten', name }, [encodeForgotten(at.repository.keyring, name, later)])
    expect((await loadForgotten(repository)).forgotten.get(name)).toEqual(later)
  })

  test('never takes a list that fails for one that is empty', async () => {
    await using at = await memoryRepository()
    const list = (): never => {
      throw new Error('the list failed')
    }
    const failing = { ...at.repository, backend: { ...at.backend, list } }
    await expect(loadForgotten(failing)).rejects.toThrow('the list failed')
    await expect(loadMarks(failing)).rejects.toThrow('the list failed')
  })
})
