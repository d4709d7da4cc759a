import { chmodSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomOf } from '../util/bytes-of.ts'
import { snapshotPlace, type SnapshotPlace } from './place.ts'
import { look, makeMany } from './trees.ts'

/** More than the folders above the source can add. */
const LITTLE = 20_000

/** The tree of a backup that compares with the last is the tree of one that reads everything. */
async function expectSameAsForced(at: SnapshotPlace): Promise<void> {
  const next = await at.save()
  const forced = await at.save({ force: true })
  expect(await at.treeOf(next)).toBe(await at.treeOf(forced))
  // What was read again is known already.
  expect(forced.summary.dataAdded).toBeLessThan(LITTLE)
  expect(next.summary.totalFiles).toBe(forced.summary.totalFiles)
  expect(next.summary.totalBytes).toBe(forced.summary.totalBytes)
}

describe('a second backup', () => {
  test('of an unchanged source has the same tree and adds nothing', async () => {
    await using at = await snapshotPlace()
    makeMany(join(at.source, 'many'), 1500)
    mkdirSync(join(at.source, 'empty'))
    symlinkSync('nowhere', join(at.source, 'link'))
    writeFileSync(join(at.source, 'file'), 'x'.repeat(100_000))
    const first = await at.save()
    const second = await at.save()
    expect(await at.treeOf(second)).toBe(await at.treeOf(first))
    expect(second.parent).toBe(first.snapshotId)
    expect(second.summary).toMatchObject({ filesNew: 0, filesChanged: 0, filesUnmodified: 1502 })
    expect(second.summary.dataAdded).toBeLessThan(LITTLE)
  })

  test('from another machine, with an empty catalogue, has the same tree and adds nothing', async () => {
    await using at = await snapshotPlace()
    makeMany(join(at.source, 'many'), 700)
    const first = await at.save()
    const second = await at.save({}, await at.open())
    expect(await at.treeOf(second)).toBe(await at.treeOf(first))
    expect(second.summary).toMatchObject({ filesNew: 0, filesChanged: 0 })
    expect(second.summary.dataAdded).toBeLessThan(LITTLE)
  })

  test('reads no file that is unchanged, and every file when it is told to', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 30)
    const read: string[] = []
    const onEvent = (event: { type: string; path?: Uint8Array }): void => {
      if (event.type === 'file') read.push(Buffer.from(event.path!).toString())
    }
    await at.save()
    await at.save({ onEvent })
    expect(read).toEqual([])
    await at.save({ onEvent, force: true })
    expect(read.length).toBeGreaterThan(0)
  })

  test('counts what is new, changed and unmodified', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 10)
    expect((await at.save()).summary).toMatchObject({ filesNew: 10, filesChanged: 0, filesUnmodified: 0, totalFiles: 10 })
    writeFileSync(join(at.source, 'file 000003'), 'other content')
    writeFileSync(join(at.source, 'new'), 'new')
    unlinkSync(join(at.source, 'file 000005'))
    expect((await at.save()).summary).toMatchObject({ filesNew: 1, filesChanged: 1, filesUnmodified: 8, totalFiles: 10 })
  })

  test('notices changed content of equal size and time, by its change time', async () => {
    await using at = await snapshotPlace()
    const path = join(at.source, 'file')
    writeFileSync(path, 'aaaa')
    utimesSync(path, 1000, 1000)
    await at.save()
    writeFileSync(path, 'bbbb')
    utimesSync(path, 1000, 1000)
    expect((await at.save()).summary).toMatchObject({ filesChanged: 1 })
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  })

  test('notices a changed mode, a file that became a link or a folder, and the other way round', async () => {
    await using at = await snapshotPlace()
    for (const name of ['mode', 'to link', 'to folder']) writeFileSync(join(at.source, name), name)
    mkdirSync(join(at.source, 'to file'))
    writeFileSync(join(at.source, 'to file', 'inside'), 'x')
    await at.save()
    chmodSync(join(at.source, 'mode'), 0o711)
    for (const name of ['to link', 'to folder']) unlinkSync(join(at.source, name))
    symlinkSync('mode', join(at.source, 'to link'))
    mkdirSync(join(at.source, 'to folder'))
    rmSync(join(at.source, 'to file'), { recursive: true })
    writeFileSync(join(at.source, 'to file'), 'now a file')
    await expectSameAsForced(at)
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  })

  test('of a file that got another name keeps both names as one file', async () => {
    await using at = await snapshotPlace()
    writeFileSync(join(at.source, 'b'), 'x'.repeat(50_000))
    await at.save()
    linkSync(join(at.source, 'b'), join(at.source, 'a'))
    await expectSameAsForced(at)
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  })
})

describe('changes in a folder of 1,500 entries', () => {
  const name = (i: number): string => `file ${String(i).padStart(6, '0')}`

  test.each<[string, (many: string) => void]>([
    ['nothing', () => undefined],
    ['a change at the front', (many) => writeFileSync(join(many, name(0)), 'changed')],
    ['a change in the middle', (many) => writeFileSync(join(many, name(700)), 'changed')],
    ['a change at the end', (many) => writeFileSync(join(many, name(1499)), 'changed')],
    ['an addition at the front', (many) => writeFileSync(join(many, 'a first'), 'new')],
    ['an addition in the middle', (many) => writeFileSync(join(many, `${name(700)} b`), 'new')],
    ['an addition at the end', (many) => writeFileSync(join(many, 'zz last'), 'new')],
    ['a removal at the front', (many) => unlinkSync(join(many, name(0)))],
    ['a removal in the middle', (many) => unlinkSync(join(many, name(800)))],
    ['a removal at the end', (many) => unlinkSync(join(many, name(1499)))],
    ['a renaming to the front', (many) => renameSync(join(many, name(900)), join(many, 'a renamed'))],
    ['a renaming to the end', (many) => renameSync(join(many, name(10)), join(many, 'zz renamed'))],
    ['the removal of all', (many) => {
      for (let i = 0; i < 1500; i++) unlinkSync(join(many, name(i)))
    }],
    ['the removal of the first half', (many) => {
      for (let i = 0; i < 750; i++) unlinkSync(join(many, name(i)))
    }],
    ['the removal of the second half', (many) => {
      for (let i = 750; i < 1500; i++) unlinkSync(join(many, name(i)))
    }],
    ['a folder that comes into it', (many) => {
      mkdirSync(join(many, `${name(500)}.d`))
      writeFileSync(join(many, `${name(500)}.d`, 'x'), 'x')
    }],
    ['a changed mode of the folder itself', (many) => chmodSync(many, 0o711)],
  ])('by %s give exactly the tree of a backup that reads everything', async (_what, change) => {
    await using at = await snapshotPlace()
    const many = join(at.source, 'many')
    makeMany(many, 1500)
    await at.save()
    change(many)
    await expectSameAsForced(at)
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  })

  test('by several at random, time after time, give exactly that tree', async () => {
    await using at = await snapshotPlace()
    const many = join(at.source, 'many')
    makeMany(many, 1500)
    mkdirSync(join(at.source, 'other'))
    await at.save()
    const random = randomOf(20_240_229)
    const names = new Set(Array.from({ length: 1500 }, (_, i) => name(i)))
    const pick = (): string => [...names][random() % names.size]!
    for (let round = 0; round < 12; round++) {
      for (let change = random() % 5; change >= 0; change--) {
        const what = random() % 4
        const one = pick()
        if (what === 0) writeFileSync(join(many, one), `changed ${round} ${change}`)
        else if (what === 1) {
          unlinkSync(join(many, one))
          names.delete(one)
        } else {
          const fresh = `${String.fromCharCode(97 + (random() % 26))}${random()}`
          if (what === 2) writeFileSync(join(many, fresh), 'new')
          else {
            renameSync(join(many, one), join(many, fresh))
            names.delete(one)
          }
          names.add(fresh)
        }
      }
      if (round % 3 === 0) writeFileSync(join(at.source, 'other', `${round}`), 'x')
      await expectSameAsForced(at)
    }
    expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
  }, 120_000)
})

test('any changes to a small tree give the tree of a backup that reads everything', async () => {
  await using at = await snapshotPlace()
  const path = fc.tuple(fc.constantFrom('a', 'b', 'c', 'a/x', 'a/y', 'b/x', 'c/x/y'), fc.constantFrom('1', '2', '3')).map(([folder, file]) => [folder, file] as const)
  const change = fc.tuple(fc.constantFrom('write', 'write', 'remove', 'remove folder', 'mode'), path, fc.nat(3))
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      for (const [what, [folder, file], number] of changes) {
        const into = join(at.source, folder)
        try {
          if (what === 'write') {
            mkdirSync(into, { recursive: true })
            writeFileSync(join(into, file), `content ${number}`)
          } else if (what === 'remove') rmSync(join(into, file), { force: true })
          else if (what === 'remove folder') rmSync(into, { recursive: true, force: true })
          else chmodSync(into, 0o755 - number)
        } catch (error) {
          if (!(error instanceof Error) || !('code' in error)) throw error
        }
      }
      await expectSameAsForced(at)
    }),
    { numRuns: 40 },
  )
  expect(look((await at.restoreSource()).target)).toEqual(look(at.source))
}, 120_000)

describe('the parent of a backup', () => {
  test('is the newest of the same host and paths, and never one of the future', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 3)
    const first = await at.save()
    const second = await at.save({ timeNs: 10n ** 18n * 4n })
    expect(second.parent).toBe(first.snapshotId)
    expect((await at.save()).parent).toBe(first.snapshotId)
    expect((await at.save({ person: { user: 'ada', host: 'other' } })).parent).toBeUndefined()
    expect((await at.save({ paths: [join(at.source, 'file 000000')] })).parent).toBeUndefined()
  })

  test('may be named, and need not be of the same paths', async () => {
    await using at = await snapshotPlace()
    makeMany(join(at.source, 'sub'), 5)
    const first = await at.save()
    const parent = await at.latest()
    const second = await at.save({ paths: [join(at.source, 'sub')], parent })
    expect(second.parent).toBe(first.snapshotId)
    expect(second.summary).toMatchObject({ filesUnmodified: 5, filesNew: 0 })
  })

  test('counts the snapshots of a host and names the one before', async () => {
    await using at = await snapshotPlace()
    makeMany(at.source, 1)
    const ids = [(await at.save()).snapshotId, (await at.save()).snapshotId]
    const last = await at.latest()
    expect(last).toMatchObject({ sequence: 2, previous: ids[0], id: ids[1] })
  })
})

test('what a backup takes of the process, it gives back', async () => {
  await using at = await snapshotPlace()
  makeMany(at.source, 20)
  const open = (): number => readdirSync('/proc/self/fd').length
  await at.save()
  const before = open()
  for (let i = 0; i < 15; i++) await at.save({ force: true })
  expect(open()).toBeLessThan(before + 10)
})
