import { writeFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { forgetSnapshots, type ForgetOptions, planByIds, planByPolicy } from '../../src/features/forget.ts'
import { changeMarks } from '../../src/features/marks.ts'
import { parsePolicy } from '../../src/features/retention/policy.ts'
import { resolveForgotten, unforgetSnapshot } from '../../src/features/unforget.ts'
import { encodeForgotten } from '../../src/repository/forgotten.ts'
import { encodeGcRecord, gcName, type GcKind } from '../../src/repository/gc-record.ts'
import { encodeMark } from '../../src/repository/mark.ts'
import type { Repository } from '../../src/repository/repository.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { nowNs } from '../../src/util/clock.ts'
import { namesIn, otherOwner, replaceObject, writer } from '../repository/support.ts'
import { PERSON, smallRepository, type SmallRepository } from './small-repository.ts'

const HOUR_NS = 3_600_000_000_000n

interface Place extends AsyncDisposable {
  readonly small: SmallRepository
  readonly repository: Repository
  readonly backend: Backend
  /** Oldest first. */
  readonly snapshots: readonly Snapshot[]
}

async function placeWith(count: number): Promise<Place> {
  const small = await smallRepository()
  mkdirSync(small.source)
  writeFileSync(join(small.source, 'file'), 'x')
  const snapshots: Snapshot[] = []
  const base = nowNs()
  for (let i = 0; i < count; i++) snapshots.push(await small.save({ timeNs: base - BigInt(count - i) * HOUR_NS }))
  return { small, repository: small.repository, backend: small.backend, snapshots, [Symbol.asyncDispose]: () => small[Symbol.asyncDispose]() }
}

const keepLast = (count: string) => parsePolicy({ text: (option) => (option === 'keep-last' ? count : undefined), texts: () => [] })
const options = (): ForgetOptions => ({ nowNs: nowNs() })
const nameOf = (snapshot: Snapshot): string => `${snapshot.group}/${snapshot.id}`
const idsOf = (snapshots: readonly Snapshot[]): string[] => snapshots.map(({ id }) => id)

async function forgetAll(at: Place, snapshots: readonly Snapshot[]): Promise<void> {
  const { failed } = await forgetSnapshots(at.repository, snapshots.map(nameOf), { person: PERSON })
  expect(failed).toEqual([])
}

async function gc(at: Place, generation: number, kind: GcKind, sweep: readonly Snapshot[]): Promise<void> {
  const record = { packs: [], sweep: sweep.map(nameOf), sweptBefore: [] }
  await at.backend.create({ type: 'gc', name: gcName(generation, kind) }, [encodeGcRecord(at.repository.keyring, generation, kind, record)])
}

describe('forget', () => {
  test('by a policy forgets what is not kept, deletes nothing, and leaves the rest listed', async () => {
    await using at = await placeWith(4)
    const before = await namesIn(at.backend, 'snapshots')
    const plan = planByPolicy(await loadSnapshots(at.repository), keepLast('2'), options())
    expect(plan.names).toEqual([at.snapshots[1]!, at.snapshots[0]!].map(nameOf))
    expect(await forgetSnapshots(at.repository, plan.names, { person: PERSON })).toEqual({ forgotten: plan.names, failed: [] })
    for (const repository of [at.repository, await at.small.reopen()]) {
      const list = await loadSnapshots(repository)
      expect(idsOf(list.snapshots)).toEqual(idsOf(at.snapshots.slice(2)))
      expect(idsOf(list.forgotten)).toEqual(idsOf(at.snapshots.slice(0, 2)))
      expect(list.forgotten[0]!.forgotten).toMatchObject(PERSON)
      expect(list.missing).toEqual([])
    }
    expect(await namesIn(at.backend, 'snapshots')).toEqual(before)
    // What is forgotten is neither counted nor forgotten again.
    expect(planByPolicy(await loadSnapshots(at.repository), keepLast('2'), options()).names).toEqual([])
  })

  test('leaves the host\'s chain whole: the next backup goes on counting behind a forgotten one', async () => {
    await using at = await placeWith(2)
    await forgetAll(at, [at.snapshots[1]!])
    const next = await at.small.save()
    expect(next).toMatchObject({ sequence: at.snapshots[1]!.sequence + 1, previous: at.snapshots[1]!.id, parent: at.snapshots[0]!.id })
  })

  test('by ids knows which are forgotten already, and refuses unknown, pinned and last ones', async () => {
    await using at = await placeWith(3)
    const [first, second, third] = at.snapshots as [Snapshot, Snapshot, Snapshot]
    await forgetAll(at, [first])
    await changeMarks(at.repository, second, { pin: 'forever' }, { person: PERSON })
    const list = await loadSnapshots(at.repository)
    expect(planByIds(list, [first.id, third.id], options())).toMatchObject({ names: [nameOf(third)], already: [{ id: first.id }] })
    expect(() => planByIds(list, [third.id, 'ffffffffff'], options())).toThrow('there is no snapshot')
    expect(() => planByIds(list, [second.id], options())).toThrow('is pinned')
    await changeMarks(at.repository, second, { pin: 'none' }, { person: PERSON })
    const all = await loadSnapshots(at.repository)
    expect(() => planByIds(all, [second.id, third.id], options())).toThrow('--allow-empty-group')
    expect(planByIds(all, [second.id, third.id], { ...options(), allowEmptyGroup: true }).names).toHaveLength(2)
  })

  test('refuses while a snapshot cannot be read; by its whole id that one can be given up', async () => {
    await using at = await placeWith(3)
    const broken = at.snapshots[1]!
    await replaceObject(at.backend, { type: 'snapshots', name: nameOf(broken) }, new Uint8Array(100))
    const repository = await at.small.reopen()
    await (await repository.catalogue()).rows.clear('snapshot')
    const list = await loadSnapshots(repository)
    expect(list.problems).toHaveLength(1)
    expect(() => planByPolicy(list, keepLast('1'), options())).toThrow(nameOf(broken))
    expect(() => planByIds(list, [at.snapshots[0]!.id], options())).toThrow('nothing was forgotten')
    const plan = planByIds(list, [broken.id], options())
    expect(plan.names).toEqual([nameOf(broken)])
    await forgetSnapshots(repository, plan.names, { person: PERSON })
    const after = await loadSnapshots(repository)
    expect(after.problems).toMatchObject([{ isForgotten: true }])
    expect(planByPolicy(after, keepLast('1'), options()).names).toEqual([nameOf(at.snapshots[0]!)])
    expect(resolveForgotten(after, broken.id.slice(0, 8))).toBe(nameOf(broken))
  })

  test('refuses while a mark cannot be read, for it might be a pin; a new mark covers it', async () => {
    await using at = await placeWith(2)
    const [first] = at.snapshots as [Snapshot]
    await changeMarks(at.repository, first, { label: 'l' }, { person: PERSON })
    await at.backend.create({ type: 'marks', name: `${nameOf(first)}.1` }, [encodeMark(otherOwner, `${nameOf(first)}.1`, { timeNs: 1n, ...PERSON, program: '1', label: 'forged' })])
    const list = await loadSnapshots(at.repository)
    expect(list.snapshots[0]!.label).toBe('l')
    expect(() => planByPolicy(list, keepLast('1'), options())).toThrow('a pin may stand there')
    expect(await changeMarks(at.repository, first, { label: 'l' }, { person: PERSON })).toBe(true)
    const after = await loadSnapshots(at.repository)
    expect(after.markerProblems).toEqual([])
    expect(planByPolicy(after, keepLast('1'), options()).names).toEqual([nameOf(first)])
  })

  test('refuses when a snapshot that another names is not listed, unless that is given up by its name', async () => {
    await using at = await placeWith(3)
    await at.backend.remove({ type: 'snapshots', name: nameOf(at.snapshots[1]!) })
    const list = await loadSnapshots(at.repository)
    expect(() => planByPolicy(list, keepLast('1'), options())).toThrow('the list may be short')
    expect(() => planByPolicy(list, keepLast('1'), { ...options(), lost: [at.snapshots[0]!.id] })).toThrow('the list may be short')
    expect(planByPolicy(list, keepLast('1'), { ...options(), lost: [at.snapshots[1]!.id.slice(0, 8)] }).names).toHaveLength(1)
  })

  test('goes on after one marker that cannot be made, and tells which', async () => {
    await using at = await placeWith(3)
    const [first, second] = at.snapshots as [Snapshot, Snapshot]
    await at.backend.create({ type: 'forgotten', name: nameOf(first) }, [encodeForgotten(otherOwner, nameOf(first), { timeNs: 1n, ...PERSON, program: '1' })])
    const result = await forgetSnapshots(at.repository, [nameOf(first), nameOf(second)], { person: PERSON })
    expect(result.forgotten).toEqual([nameOf(second)])
    expect(result.failed).toMatchObject([{ name: nameOf(first) }])
    expect(result.failed[0]!.message).toContain('nacre unforget')
    // Which does what is said.
    const name = resolveForgotten(await loadSnapshots(at.repository), first.id)
    await unforgetSnapshot(at.repository, name, { person: PERSON })
    expect((await loadSnapshots(at.repository)).markerProblems).toEqual([])
    expect((await forgetSnapshots(at.repository, [name], { person: PERSON })).failed).toEqual([])
  })

  test('twice at once is as good as once', async () => {
    await using at = await placeWith(2)
    const names = [nameOf(at.snapshots[0]!)]
    const results = await Promise.all([1, 2, 3].map(() => forgetSnapshots(at.repository, names, { person: PERSON })))
    for (const result of results) expect(result).toEqual({ forgotten: names, failed: [] })
  })

  test('by a policy refuses to keep an id that is none', async () => {
    await using at = await placeWith(2)
    const policy = { ...keepLast('1'), ids: ['ffffffffffff'] }
    expect(() => planByPolicy({ snapshots: at.snapshots, forgotten: [], listed: new Set(), problems: [], markerProblems: [], missing: [] }, policy, options())).toThrow('there is no snapshot "ffffffffffff" to keep')
  })
})

test('a writer\'s key may neither forget, nor bring back, nor mark', async () => {
  await using at = await placeWith(1)
  const [first] = at.snapshots as [Snapshot]
  const asWriter = { ...at.repository, keyring: writer }
  for (const attempt of [forgetSnapshots(asWriter, [nameOf(first)], { person: PERSON }), unforgetSnapshot(asWriter, nameOf(first), { person: PERSON }), changeMarks(asWriter, first, { label: 'l' }, { person: PERSON })]) {
    await expect(attempt).rejects.toMatchObject({ code: 'OWNER_NEEDED' })
  }
  expect([...(await namesIn(at.backend, 'forgotten')), ...(await namesIn(at.backend, 'marks'))]).toEqual([])
})

describe('unforget', () => {
  test('brings a snapshot back', async () => {
    await using at = await placeWith(2)
    await forgetAll(at, [at.snapshots[0]!])
    await unforgetSnapshot(at.repository, resolveForgotten(await loadSnapshots(at.repository), at.snapshots[0]!.id.slice(0, 8)), { person: PERSON })
    expect(idsOf((await loadSnapshots(at.repository)).snapshots)).toEqual(idsOf(at.snapshots))
    expect(await namesIn(at.backend, 'forgotten')).toEqual([])
  })

  test('refuses while a plan that is not done names the snapshot, also with a forged end', async () => {
    await using at = await placeWith(2)
    const [first] = at.snapshots as [Snapshot]
    await forgetAll(at, [first])
    await gc(at, 1, 'plan', [first])
    const refused = (): Promise<void> => expect(unforgetSnapshot(at.repository, nameOf(first), { person: PERSON })).rejects.toMatchObject({ code: 'ALREADY_PLANNED' })
    await refused()
    await at.backend.create({ type: 'gc', name: gcName(1, 'done') }, [encodeGcRecord(otherOwner, 1, 'done', { packs: [], sweep: [], sweptBefore: [] })])
    await refused()
    expect(await namesIn(at.backend, 'forgotten')).toEqual([nameOf(first)])
  })

  test('does not mind a plan that names another, or one that is done and has swept nothing', async () => {
    await using at = await placeWith(2)
    const [first, second] = at.snapshots as [Snapshot, Snapshot]
    await forgetAll(at, [first, second])
    await gc(at, 1, 'plan', [first])
    await gc(at, 1, 'verdict', [])
    await gc(at, 1, 'done', [])
    await gc(at, 2, 'plan', [second])
    await unforgetSnapshot(at.repository, nameOf(first), { person: PERSON })
    expect(await namesIn(at.backend, 'forgotten')).toEqual([nameOf(second)])
  })

  test('puts the marker back when a plan comes while it is taken away', async () => {
    await using at = await placeWith(2)
    const [first] = at.snapshots as [Snapshot]
    await forgetAll(at, [first])
    const marker = await at.backend.load({ type: 'forgotten', name: nameOf(first) })
    const racing: Backend = {
      ...at.backend,
      async remove(ref, ...rest) {
        await gc(at, 1, 'plan', [first])
        await at.backend.remove(ref, ...rest)
      },
    }
    await expect(unforgetSnapshot({ ...at.repository, backend: racing }, nameOf(first), { person: PERSON })).rejects.toMatchObject({ code: 'ALREADY_PLANNED' })
    expect(await at.backend.load({ type: 'forgotten', name: nameOf(first) })).toEqual(marker)
  })

  test('puts the marker back when nobody can tell whether a plan has come', async () => {
    await using at = await placeWith(2)
    const [first] = at.snapshots as [Snapshot]
    await forgetAll(at, [first])
    let lists = 0
    const failing: Backend = {
      ...at.backend,
      list(type, ...rest) {
        if (type === 'gc' && ++lists === 2) throw new Error('the list failed')
        return at.backend.list(type, ...rest)
      },
    }
    await expect(unforgetSnapshot({ ...at.repository, backend: failing }, nameOf(first), { person: PERSON })).rejects.toThrow('the list failed')
    expect(await namesIn(at.backend, 'forgotten')).toEqual([nameOf(first)])
  })

  test.each(['a whole prune has swept it meanwhile', 'its register is gone'])('says that it is too late when %s', async (how) => {
    await using at = await placeWith(2)
    const [first] = at.snapshots as [Snapshot]
    await forgetAll(at, [first])
    const racing: Backend = {
      ...at.backend,
      async remove(ref, ...rest) {
        if (how.startsWith('its')) await at.backend.remove({ type: 'snapshots', name: nameOf(first) })
        else for (const kind of ['plan', 'verdict', 'done'] as const) await gc(at, 1, kind, kind === 'done' ? [] : [first])
        await at.backend.remove(ref, ...rest)
      },
    }
    await expect(unforgetSnapshot({ ...at.repository, backend: racing }, nameOf(first), { person: PERSON })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND', message: expect.stringContaining('swept') as string })
  })

  test('of what is not forgotten, or unknown, says which', async () => {
    await using at = await placeWith(1)
    const list = await loadSnapshots(at.repository)
    expect(() => resolveForgotten(list, at.snapshots[0]!.id)).toThrow('is not forgotten')
    for (const text of ['ffffffff', '', 'latest']) expect(() => resolveForgotten(list, text)).toThrow('there is no forgotten snapshot')
  })
})

describe('marks', () => {
  test('change tags, label, description and pin, and only what differs makes a new one', async () => {
    await using at = await placeWith(1)
    const [first] = at.snapshots as [Snapshot]
    const by = { person: PERSON }
    expect(await changeMarks(at.repository, first, { tags: (before) => [...before, 'a', 'b', 'a'] }, by)).toBe(true)
    expect(await changeMarks(at.repository, first, { tags: (before) => [...before, 'a'] }, by)).toBe(false)
    expect(await changeMarks(at.repository, first, { description: 'd' }, by)).toBe(true)
    expect(await changeMarks(at.repository, first, { label: 'l', pin: 5n }, by)).toBe(true)
    expect((await loadSnapshots(await at.small.reopen())).snapshots[0]).toMatchObject({ tags: ['a', 'b'], description: 'd', label: 'l', pin: 5n })
    expect(await changeMarks(at.repository, first, { label: '', pin: 'none', tags: () => [] }, by)).toBe(true)
    expect((await loadSnapshots(at.repository)).snapshots[0]).toMatchObject({ tags: [], description: 'd', label: '', pin: undefined })
    expect(await namesIn(at.backend, 'marks')).toEqual([0, 1, 2, 3].map((n) => `${nameOf(first)}.${n}`))
  })

  test('made at once by many are all there in the end', async () => {
    await using at = await placeWith(1)
    const [first] = at.snapshots as [Snapshot]
    await Promise.all(Array.from({ length: 8 }, (_, i) => changeMarks(at.repository, first, { tags: (before) => [...before, `t${i}`] }, { person: PERSON })))
    const { tags } = (await loadSnapshots(at.repository)).snapshots[0]!
    expect([...tags].sort()).toEqual(Array.from({ length: 8 }, (_, i) => `t${i}`))
  })

  test('go round a forged one that has taken the last number', async () => {
    await using at = await placeWith(1)
    const [first] = at.snapshots as [Snapshot]
    await at.backend.create({ type: 'marks', name: `${nameOf(first)}.4294967295` }, [new Uint8Array(10)])
    expect(await changeMarks(at.repository, first, { label: 'l' }, { person: PERSON })).toBe(true)
    expect(await changeMarks(at.repository, first, { label: 'm' }, { person: PERSON })).toBe(true)
    const list = await loadSnapshots(at.repository)
    expect(list.snapshots[0]!.label).toBe('m')
    expect(list.markerProblems).toHaveLength(1)
  })

  test('take away the pin that a backup was made with', async () => {
    await using at = await placeWith(1)
    const until = nowNs() + HOUR_NS
    const pinned = await at.small.save({ keepUntilNs: until })
    expect(pinned).toMatchObject({ pin: until, keepUntilNs: until })
    expect(await changeMarks(at.repository, pinned, { pin: 'none' }, { person: PERSON })).toBe(true)
    expect(await changeMarks(at.repository, pinned, { pin: 'none' }, { person: PERSON })).toBe(false)
    expect((await loadSnapshots(at.repository)).snapshots.at(-1)!.pin).toBeUndefined()
  })
})
