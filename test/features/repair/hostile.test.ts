/** Packs, trees and index objects that lie: what a repair makes of them hurts nobody. */
import { expect, test } from 'vitest'
import { seal } from '../../../src/crypto/aead.ts'
import { keyedHash, sha256 } from '../../../src/crypto/hash.ts'
import { encodeCbor } from '../../../src/codec/cbor.ts'
import { checkRepository } from '../../../src/features/check.ts'
import { chooseReads } from '../../../src/features/repair/source-reads.ts'
import { createRebuilder } from '../../../src/features/repair/rebuild-tree.ts'
import { repairIndex } from '../../../src/features/repair/repair-index.ts'
import { newDataKey, wrapDataKey } from '../../../src/repository/envelope.ts'
import { encodePackHeader } from '../../../src/repository/pack.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import type { Node } from '../../../src/snapshot/node.ts'
import { decodeTreeBlob, directoryShape } from '../../../src/snapshot/tree-blob.ts'
import type { TreeReader } from '../../../src/snapshot/tree-reader.ts'
import { concatBytes, dataView, toHex, utf8 } from '../../../src/util/bytes.ts'
import { BackupError } from '../../../src/util/errors.ts'
import { namesIn } from '../../repository/support.ts'
import { prunePlace } from '../prune/place.ts'
import { APPLY } from './place.ts'

interface Lie {
  readonly frames: readonly (readonly [offset: number, stored: number, plain: number, blobs: number, envelope?: number])[]
  readonly lengths: readonly number[]
  readonly directoryBytes?: number
}

/** A pack with a key of this repository, and a directory that says anything. */
function lyingPack({ keyring }: Repository, { frames, lengths, directoryBytes }: Lie): { name: string; bytes: Uint8Array } {
  const dataKey = newDataKey(keyring.repositoryId)
  const header = encodePackHeader({ repositoryId: keyring.repositoryId, group: 0, session: new Uint8Array(16), envelopes: [wrapDataKey(keyring, 0, dataKey)] })
  const frameRecords = new Uint8Array(frames.length * 20)
  frames.forEach(([offset, stored, plain, blobs, envelope = 0], i) => {
    const view = dataView(frameRecords)
    for (const [j, value] of [offset, stored, plain, blobs].entries()) view.setUint32(i * 20 + j * 4, value, true)
    frameRecords[i * 20 + 17] = 1
    frameRecords[i * 20 + 18] = envelope
  })
  const blobs = new Uint8Array(lengths.length * 36)
  lengths.forEach((length, i) => dataView(blobs).setUint32(i * 36 + 32, length, true))
  const sealed = seal(dataKey.key, encodeCbor(new Map<number, unknown>([[1, frameRecords], [2, blobs], [3, new Uint8Array(0)]])), header)
  const trailer = concatBytes(new Uint8Array(4), utf8('NCRE'))
  dataView(trailer).setUint32(0, directoryBytes ?? sealed.length, true)
  const bytes = concatBytes(header, new Uint8Array(1000), sealed, trailer)
  return { name: toHex(sha256(bytes)), bytes }
}

const MAX = 0xffff_ffff
const LIES: readonly (readonly [string, Lie])[] = [
  ['a frame beyond the end', { frames: [[100_000, 50, 10, 1]], lengths: [10] }],
  ['a frame over the header', { frames: [[0, 50, 10, 1]], lengths: [10] }],
  ['a frame over the directory', { frames: [[1000, 900, 10, 1]], lengths: [10] }],
  ['frames that overlap', { frames: [[400, 100, 10, 1], [450, 100, 10, 1]], lengths: [10, 10] }],
  ['the greatest offset and length', { frames: [[MAX, MAX, 10, 1]], lengths: [10] }],
  ['a plaintext that no frame may have', { frames: [[400, 100, MAX, 1]], lengths: [MAX] }],
  ['lengths that do not add up', { frames: [[400, 100, 10, 2]], lengths: [MAX, 11] }],
  ['more blobs than are listed', { frames: [[400, 100, 10, MAX]], lengths: [10] }],
  ['an envelope that is not there', { frames: [[400, 100, 10, 1, 7]], lengths: [10] }],
  ['a directory larger than the pack', { frames: [], lengths: [], directoryBytes: MAX }],
]

test('a pack whose directory lies is told and not stated, and the others are', async () => {
  await using at = await prunePlace()
  at.fill(0, 3)
  await at.keep()
  for (const name of await namesIn(at.backend, 'index')) await at.backend.remove({ type: 'index', name })
  const lies = new Map<string, string>()
  for (const [what, lie] of LIES) {
    const { name, bytes } = lyingPack(at.repository, lie)
    lies.set(`packs/${name}`, what)
    await at.backend.create({ type: 'packs', name }, [bytes])
  }
  const result = await repairIndex(await at.open(), APPLY)
  expect(new Set(result.unreadable.map(({ object }) => lies.get(object)))).toEqual(new Set(LIES.map(([what]) => what)))
  // One that seems right and holds nothing of what it says is stated, and found by whoever reads it.
  await at.expectWhole(await at.open())
  const honest = lyingPack(at.repository, { frames: [[400, 100, 10, 1]], lengths: [10] })
  await at.backend.create({ type: 'packs', name: honest.name }, [honest.bytes])
  expect(await repairIndex(await at.open(), APPLY)).toMatchObject({ packs: 1 })
  const { findings } = await checkRepository(await at.open(), { threads: 0, readData: { kind: 'all' } })
  expect(findings.filter(({ code }) => code === 'pack_damaged').map(({ object }) => object)).toEqual([`packs/${honest.name}`])
})

/** Trees in a map; what is not there is lost. */
function treesOf(blobs: Map<string, Uint8Array>): TreeReader {
  const bytes = (id: Uint8Array): Promise<Uint8Array> => {
    const found = blobs.get(toHex(id))
    return found === undefined ? Promise.reject(new BackupError('BLOB_MISSING', 'gone')) : Promise.resolve(found)
  }
  return { bytes, blob: async (id: Uint8Array) => decodeTreeBlob(await bytes(id)) } as TreeReader
}

const HASH = keyedHash(new Uint8Array(32))
const node = (name: string, more: Partial<Node>): Node => ({ name: utf8(name), type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 0, links: 1, ...more })

test('a tree of 2^40 paths with a lost file at the end of each is rebuilt list by list', async () => {
  const blobs = new Map<string, Uint8Array>()
  const save = (blob: Uint8Array): Uint8Array => {
    const id = HASH(blob)
    blobs.set(toHex(id), blob)
    return id
  }
  const shape = directoryShape(HASH)
  const lost = new Uint8Array(36).fill(7)
  let id = save(shape.encodeLeaf([node('file', { type: 'file', size: 1, content: { kind: 'inline', records: lost } }), node('link', { type: 'symlink', target: utf8('x') })]))
  for (let level = 0; level < 40; level++) id = save(shape.encodeLeaf([node('a', { subtree: id }), node('b', { subtree: id })]))
  const rebuilder = createRebuilder({ trees: treesOf(blobs), hash: HASH, isGood: (blob) => blobs.has(toHex(blob)), save, settle: async () => undefined })
  const made = await rebuilder.directory(id)
  expect(made.missing.length + made.more).toBeGreaterThanOrEqual(2 ** 39)
  expect(made.missing.length).toBeLessThanOrEqual(10_000)
  expect(await rebuilder.directory(made.id)).toMatchObject({ missing: [], more: 0 })
})

test('of a list of which a part is lost the rest is kept in order', async () => {
  const blobs = new Map<string, Uint8Array>()
  const save = (blob: Uint8Array): Uint8Array => {
    const id = HASH(blob)
    blobs.set(toHex(id), blob)
    return id
  }
  const shape = directoryShape(HASH)
  const links = (names: readonly string[]): Uint8Array => save(shape.encodeLeaf(names.map((name) => node(name, { type: 'symlink', target: utf8('x') }))))
  const leaves = [links(['a', 'b']), new Uint8Array(32).fill(9), links(['e', 'f']), links(['c', 'g'])]
  const root = save(shape.encodeInner(1, leaves.map((id, i) => ({ firstName: utf8(['a', 'c', 'e', 'f0'][i]!), id }))))
  const rebuilder = createRebuilder({ trees: treesOf(blobs), hash: HASH, isGood: (id) => blobs.has(toHex(id)), save, settle: async () => undefined })
  const made = await rebuilder.directory(root)
  const list = decodeTreeBlob(blobs.get(toHex(made.id))!)
  // The name that would stand behind a greater one is left out: nobody could read the list otherwise.
  expect('nodes' in list && list.nodes.map(({ name }) => Buffer.from(name).toString())).toEqual(['a', 'b', 'e', 'f', 'g'])
  expect(made.missing).toHaveLength(1)
})

test('which files are read follows from what is lost', () => {
  const loss = (path: string, paths = ['/home/u']) => ({ blobId: new Uint8Array(32), snapshotId: 's', path: utf8(path), paths: paths.map(utf8) })
  const reads = (losses: ReturnType<typeof loss>[], ...from: string[]): string[][] => chooseReads(losses, from.map(utf8)).map((set) => set.map((path) => Buffer.from(path).toString()))
  expect(reads([loss('/home/u/a'), loss('/home/u/b/c')], '/home')).toEqual([['/home/u/a', '/home/u/b/c']])
  expect(reads([loss('/home/u/b'), loss('/home/u/b/c')], '/home/u')).toEqual([['/home/u/b']])
  expect(reads([loss('/home/u/a')], '/mnt/copy')).toEqual([['/mnt/copy']])
  expect(reads([loss('/home/u/a')], '/home/u/a', '/mnt/copy')).toEqual([['/home/u/a', '/mnt/copy']])
  expect(reads([loss('/home/u')], '/home/u/part')).toEqual([['/home/u/part']])
  expect(reads([loss('/')], '/home/u')).toEqual([['/home/u']])
  expect(reads([loss('/', ['/a', '/b'])], '/')).toEqual([['/a', '/b']])
  expect(reads([loss('/homely')], '/home')).toEqual([['/home']])
})
