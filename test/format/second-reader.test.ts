/** The page is enough to read a repository: a reader made of it alone gives back what was saved. */
import { createHash } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createBackend } from '../../src/backend/location.ts'
import type { KdfParameters } from '../../src/crypto/kdf.ts'
import { createRepository, openRepository } from '../../src/repository/repository.ts'
import { beginSession } from '../../src/repository/session.ts'
import { backup } from '../../src/snapshot/backup.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { bytesOf } from '../util/bytes-of.ts'
import { cbor, type Entry, SecondReader } from './second-reader.ts'

const PASSWORD = 'pässword'
const PERSON = { user: 'ada', host: 'nautilus' }

async function temporary(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nacre-second-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function fill(source: string): void {
  mkdirSync(join(source, 'many'), { recursive: true })
  for (let i = 0; i < 900; i++) writeFileSync(join(source, 'many', `file ${i}`), `content ${i % 50}`)
  writeFileSync(join(source, 'empty'), '')
  writeFileSync(join(source, 'noise'), bytesOf(1, 3_000_000))
  writeFileSync(join(source, 'text'), 'all work and no play '.repeat(20_000))
  linkSync(join(source, 'text'), join(source, 'again'))
  symlinkSync('nowhere/at all', join(source, 'link'))
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.of(0xff, 0xfe)]), 'no text')
}

/** What the folder holds, by Node's own calls, against what the second reader found. */
function expectSame(reader: SecondReader, entries: readonly Entry[]): void {
  for (const { path, node } of entries) {
    const stat = lstatSync(Buffer.from(path), { bigint: true })
    expect([node.get(3), node.get(4), node.get(5), node.get(16)]).toEqual([Number(stat.mode & 0o7777n), Number(stat.uid), Number(stat.gid), Number(stat.nlink)])
    expect(BigInt(node.get(9) as number) * 1_000_000_000n + BigInt(node.get(10) as number)).toBe(stat.mtimeNs)
    if (stat.isFile()) expect(Buffer.compare(reader.content(node), readFileSync(Buffer.from(path)))).toBe(0)
    if (stat.isSymbolicLink()) expect(Buffer.from(node.get(20) as Uint8Array)).toEqual(readlinkSync(Buffer.from(path), { encoding: 'buffer' }))
  }
}

test.each<[string, KdfParameters]>([
  ['argon2id', { algorithm: 1, memoryKib: 64, passes: 2, lanes: 2 }],
  ['scrypt', { algorithm: 2, cost: 1024, blockSize: 2, lanes: 1 }],
])('a fresh repository under %s reads the same by a reader made of the page alone', async (_name, kdf) => {
  const folder = await temporary()
  const source = join(folder, 'source')
  const repo = join(folder, 'repo')
  fill(source)
  await using backend = await createBackend({ kind: 'local', path: repo })
  const { id } = await createRepository({ backend, password: utf8(PASSWORD), person: PERSON, kdf, chunkBytes: 16 * 1024 })
  await using repository = await openRepository({ backend, password: utf8(PASSWORD), cacheFolder: join(folder, 'cache') })
  const first = await backup(repository, { paths: [source], person: PERSON, threads: 0, tags: ['a', 'b'], label: 'one', level: null })
  await (await beginSession(repository, { person: PERSON, kind: 'backup' })).abandon()
  writeFileSync(join(source, 'text'), 'changed')
  const gone = Array.from({ length: 300 }, (_, i) => join(source, `gone ${i}`))
  const second = await backup(repository, { paths: [source, ...gone], person: PERSON, threads: 0 })

  const reader = new SecondReader(repo, PASSWORD)
  expect(toHex(reader.repositoryId)).toBe(id)
  expect([4, 5, 6].map((key) => reader.config.get(key))).toEqual([4096, 16_384, 65_536])
  const { index, packs } = reader.blobs()
  expect(index).toEqual(packs)
  expect(index.length).toBeGreaterThan(100)

  // The session that gave up has left a fence, which is no snapshot.
  const snapshots = reader.snapshots()
  expect(snapshots.map(({ name }) => name)).toEqual([`0/${first.snapshotId}`, `0/${second.snapshotId}`])
  const [before, after] = snapshots.map(({ record }) => record)
  expect([3, 4, 5, 6, 13].map((key) => before!.get(key))).toEqual(['nautilus', 'ada', ['a', 'b'], 'one', 0])
  expect(before!.get(1)).toEqual(first.tree)
  // Other paths were asked for, so it has no parent; it is of the same host all the same.
  expect(after!.has(11)).toBe(false)
  expect(toHex(after!.get(17) as Uint8Array)).toBe(first.snapshotId)

  const isBelow = ({ path }: Entry): boolean => Buffer.from(path).indexOf(`${source}/`) === 0
  const entries = [...reader.walk(after!.get(1) as Uint8Array)].filter(isBelow)
  expect(entries).toHaveLength(900 + 1 + 6)
  expectSame(reader, entries)
  // Of the first snapshot, the text as it was.
  const old = [...reader.walk(before!.get(1) as Uint8Array)].find(({ path }) => Buffer.from(path).toString() === join(source, 'text'))!
  expect(createHash('sha256').update(reader.content(old.node)).digest('hex')).toBe(createHash('sha256').update('all work and no play '.repeat(20_000)).digest('hex'))
  // And everything that was skipped, in blobs of its own.
  const skipped = [...reader.blobsOf(after!.get(18) as Uint8Array)].flatMap((blob) => cbor(blob) as [Uint8Array, string, string][])
  expect(skipped.map(([path]) => Buffer.from(path).toString()).sort()).toEqual(gone.sort())
}, 60_000)

test('the second reader refuses a wrong password and a changed object, as the first does', async () => {
  const folder = await temporary()
  const repo = join(folder, 'repo')
  await using backend = await createBackend({ kind: 'local', path: repo })
  await createRepository({ backend, password: utf8(PASSWORD), person: PERSON, kdf: { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } })
  expect(() => new SecondReader(repo, 'other')).toThrow('the password')
  const config = readFileSync(join(repo, 'config'))
  config[config.length - 1]! ^= 1
  rmSync(join(repo, 'config'))
  writeFileSync(join(repo, 'config'), config)
  expect(() => new SecondReader(repo, PASSWORD)).toThrow()
})
