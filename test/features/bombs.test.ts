/** Trees of sixty small blobs that hold 2^60 paths: whatever looks at one ends soon, and says why. */
import { expect, test } from 'vitest'
import { keyedHash } from '../../src/crypto/hash.ts'
import { checkRepository } from '../../src/features/check.ts'
import { NAMED_LIMIT } from '../../src/features/check-snapshots.ts'
import { diffSnapshots } from '../../src/features/diff/diff-snapshots.ts'
import { findNames } from '../../src/features/find/find.ts'
import { listTree } from '../../src/features/list-tree.ts'
import { countTree } from '../../src/features/repair/count-tree.ts'
import { repairSnapshots } from '../../src/features/repair/repair-snapshots.ts'
import { repositoryStats } from '../../src/features/stats.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { createPathGuard } from '../../src/snapshot/path-guard.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { directoryShape } from '../../src/snapshot/tree-blob.ts'
import { openTreeReader } from '../../src/snapshot/tree-reader.ts'
import { concatBytes, utf8 } from '../../src/util/bytes.ts'
import { expectRejected } from '../util/expect-error.ts'
import { node, plantTree } from './bomb.ts'
import { prunePlace } from './prune/place.ts'
import { APPLY } from './repair/place.ts'

const LEVELS = 60
const LOST = new Uint8Array(36).fill(7)

/** Each folder holds the next one twice, and at the end of every path stands a file. */
async function plantBomb(repository: Repository, { isLost, levels = LEVELS }: { isLost: boolean; levels?: number }): Promise<Snapshot> {
  const shape = directoryShape(keyedHash(repository.keyring.blobId(0, 'tree')))
  const file = node('file', { type: 'file', size: isLost ? 1 : 0, content: isLost ? { kind: 'inline', records: LOST } : undefined })
  const id = await plantTree(repository, (save) => {
    let tree = save(shape.encodeLeaf([file]))
    for (let level = 0; level < levels; level++) tree = save(shape.encodeLeaf([node('a', { subtree: tree }), node('b', { subtree: tree })]))
    return tree
  })
  return (await loadSnapshots(repository)).snapshots.find((snapshot) => snapshot.id === id)!
}

async function drained(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  for await (const _ of items) found++
  return found
}

test('check, prune, stats and a count of it look at each list once', async () => {
  await using at = await prunePlace()
  const bomb = await plantBomb(at.repository, { isLost: false })
  for (const readData of [undefined, { kind: 'all' } as const]) expect((await checkRepository(at.repository, { threads: 0, readData })).findings).toEqual([])
  expect((await at.prune({ fence: true })).outcome).toBe('nothing to do')
  const stats = await repositoryStats(at.repository, [bomb], true)
  expect(stats).toMatchObject({ files: 2 ** LEVELS, treeBlobs: LEVELS + 1 })
  const trees = await openTreeReader(at.repository)
  expect(await countTree(trees, bomb.tree)).toBeUndefined()
})

test('what goes through all of its paths stops at the first sign of it, with one line that says so', async () => {
  await using at = await prunePlace()
  at.fill(0, 1)
  await at.keep()
  const whole = await at.latest()
  const bomb = await plantBomb(at.repository, { isLost: false })
  const walks = {
    ls: () => drained(listTree(at.repository, bomb, undefined, { recursive: true })),
    find: () => drained(findNames(at.repository, [whole, bomb], { patterns: ['nothing'] })),
    diff: () => drained(diffSnapshots(at.repository, { snapshot: whole }, { snapshot: bomb })),
  }
  for (const [name, walk] of Object.entries(walks)) expect((await expectRejected(walk(), 'CORRUPT')).message, name).toContain('no backup made it')
  // One path of it is read as any other.
  expect(await drained(listTree(at.repository, bomb, utf8('/a/b/a/b')))).toBe(2)
})

test('the guard of a walk lets go on what can be counted, however many folders are entered', async () => {
  await using at = await prunePlace()
  const trees = await openTreeReader(at.repository)
  const small = await plantBomb(at.repository, { isLost: false, levels: 12 })
  const guard = createPathGuard(trees, [small.tree, undefined], { foldersBefore: 2 })
  for (let folder = 0; folder < 10; folder++) await guard.entered()
  expect(await drained(listTree(at.repository, small, undefined, { recursive: true }))).toBe(3 * 2 ** 12 - 2)
  const large = await plantBomb(at.repository, { isLost: false, levels: 40 })
  const strict = createPathGuard(trees, [small.tree, large.tree], { foldersBefore: 2 })
  expect(strict.entered()).toBeUndefined()
  await expectRejected(Promise.resolve(strict.entered()), 'CORRUPT')
})

test('a lost file at the end of 2^60 paths: check names some of them and each snapshot, and repair leaves it out list by list', async () => {
  await using at = await prunePlace()
  const first = await plantBomb(at.repository, { isLost: true })
  const second = await plantBomb(at.repository, { isLost: true, levels: LEVELS - 1 })
  const notices: string[] = []
  const { findings } = await checkRepository(at.repository, { threads: 0, onEvent: (event) => event.type === 'notice' && notices.push(event.message) })
  const [missing, ...others] = findings.filter(({ severity }) => severity === 'error')
  expect(others).toEqual([])
  expect(missing).toMatchObject({ code: 'blobs_missing' })
  expect(missing!.message).toMatch(/^1 blobs/)
  expect(missing!.suffers.length).toBeGreaterThanOrEqual(NAMED_LIMIT)
  expect(missing!.suffers.length).toBeLessThan(NAMED_LIMIT + 100)
  expect(new Set(missing!.suffers.map(({ snapshotId }) => snapshotId))).toEqual(new Set([first.id, second.id]))
  expect(notices.join()).toContain('more files may suffer')
  await expectRejected(at.prune({ fence: true }), 'PRUNE_REFUSED')
  const { repaired } = await repairSnapshots(at.repository, { ...APPLY, forget: true })
  expect(repaired).toHaveLength(2)
  await at.prune({ fence: true }, await at.open())
})

test('a list that holds one of its blobs again and again is refused by whatever reads names in order', async () => {
  await using at = await prunePlace()
  const shape = directoryShape(keyedHash(at.repository.keyring.blobId(0, 'tree')))
  const id = await plantTree(at.repository, (save) => {
    let list = save(shape.encodeLeaf([node('b', { type: 'symlink', target: utf8('x') }), node('c', { type: 'symlink', target: utf8('x') })]))
    for (let level = 1; level < 31; level++) list = save(shape.encodeInner(level, Array.from({ length: 200 }, (_, i) => ({ firstName: concatBytes(utf8('b'), utf8(String(i).padStart(3, '0'))), id: list }))))
    return list
  })
  const snapshot = (await loadSnapshots(at.repository)).snapshots.find((one) => one.id === id)!
  at.fill(0, 1)
  await at.keep()
  const other = await at.latest()
  for (const walk of [
    () => drained(listTree(at.repository, snapshot, undefined)),
    () => drained(findNames(at.repository, [snapshot], { patterns: ['*'] })),
    () => drained(diffSnapshots(at.repository, { snapshot: other }, { snapshot })),
  ]) await expectRejected(walk(), 'CORRUPT')
  expect((await checkRepository(at.repository, { threads: 0 })).findings.map(({ code }) => code)).toEqual([])
  expect((await at.prune({ fence: true })).outcome).toBe('nothing to do')
  expect((await repositoryStats(at.repository, [snapshot], true)).treeBlobs).toBe(31)
})
