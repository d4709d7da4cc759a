import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Backend } from '../../src/backend/backend.ts'
import { memoryBackend } from '../../src/backend/memory.ts'
import { compareInWalk, openJournal } from '../../src/snapshot/journal.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { PERSON } from '../repository/support.ts'
import { seededBytes } from '../support/seeded.ts'
import { snapshotPlace } from './place.ts'
import { look } from './trees.ts'

const MIB = 1024 * 1024

/** Breaks off when so many packs have been stored. */
function breaking(inner: Backend, packs: number): Backend {
  let left = packs
  return {
    ...inner,
    async create(ref, parts, options) {
      if (ref.type === 'packs' && left-- <= 0) throw new Error('the power is gone')
      return inner.create(ref, parts, options)
    },
  }
}

test('an interrupted backup goes on: files that index objects cover are not read again', async () => {
  const inner = memoryBackend()
  await using at = await snapshotPlace(inner)
  mkdirSync(join(at.source, 'a folder'))
  for (let i = 0; i < 600; i++) writeFileSync(join(at.source, i % 2 === 0 ? 'a folder' : '.', `file ${i}`), seededBytes(`file ${i}`, 50_000))
  // Small packs, so that index objects come early.
  const opened = await at.open(breaking(inner, 26))
  const broken = { ...opened, config: { ...opened.config, packBytes: MIB / 2 } }
  await expect(at.save({}, broken)).rejects.toThrow('the power is gone')
  // Interrupted again, it still knows what the first had read.
  await expect(at.save({}, broken)).rejects.toThrow('the power is gone')
  const whole = { ...broken, backend: inner }
  const third = await at.save({}, whole)
  expect(third.filesResumed).toBeGreaterThan(100)
  expect(third.filesResumed).toBeLessThan(600)
  expect(third.summary).toMatchObject({ filesNew: 600, totalFiles: 600 })
  expect(look((await at.restoreSource(undefined, {}, await at.open())).target)).toEqual(look(at.source))
  // A file that was changed since is read, and once there is a snapshot nothing is left to go on from.
  const journal = await openJournal(whole, PERSON.host, [utf8(at.source)], 1n)
  expect(journal.find(utf8(join(at.source, 'a folder', 'file 0')))).toBeUndefined()
}, 240_000)

test('a journal finds what was noted, in the order of a walk, and forgets when it is told to', async () => {
  await using at = await snapshotPlace()
  const node = (size: number): Node => ({ name: utf8('x'), type: 'file', mode: 0, uid: 0, gid: 0, size, mtimeS: -5, mtimeNs: 6, ctimeS: 7, ctimeNs: 8, inode: 2n ** 60n, links: 1, content: { kind: 'inline', records: new Uint8Array(0) }, extents: size === 3 ? [{ offset: 1, length: 2 }] : undefined })
  const paths = ['/a', '/a/b', '/a/b/c', '/a!', '/a.b', '/b'].map(utf8)
  expect([...paths].reverse().sort(compareInWalk)).toEqual(paths)
  const open = (generation: bigint) => openJournal(at.repository, 'host', [utf8('/')], generation)
  const first = await open(1n)
  for (const [i, path] of paths.entries()) {
    if (i !== 2) first.note(path, node(i))
    if (i % 2 === 1) first.endBatch()
  }
  first.endBatch()
  const { rows } = await at.repository.catalogue()
  await rows.flush()
  const second = await open(2n)
  expect(paths.map((path) => second.find(path)?.size)).toEqual([0, 1, undefined, 3, 4, 5])
  const third = await open(3n)
  expect(third.find(paths[3]!)).toMatchObject({ size: 3, mtimeS: -5, inode: 2n ** 60n, extents: [{ offset: 1, length: 2 }] })
  expect((await openJournal(at.repository, 'host', [utf8('/other')], 4n)).find(paths[0]!)).toBeUndefined()
  await third.remove()
  expect((await open(5n)).find(paths[0]!)).toBeUndefined()
})
