/**
 * A repository that the program wrote when format 1 was frozen. It opens for ever, and reads as it was
 * recorded on that day. make-frozen.mjs shows how it was made; nobody makes it again.
 */
import { createHash } from 'node:crypto'
import { chmodSync, cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openBackend } from '../../src/backend/location.ts'
import { checkRepository } from '../../src/features/check.ts'
import { encodeConfig } from '../../src/repository/config.ts'
import { openRepository, type Repository } from '../../src/repository/repository.ts'
import { backup } from '../../src/snapshot/backup.ts'
import { restore } from '../../src/snapshot/restore/restore.ts'
import { loadSkipped } from '../../src/snapshot/skipped.ts'
import { loadSnapshots } from '../../src/snapshot/snapshots.ts'
import { toHex, utf8 } from '../../src/util/bytes.ts'
import { place } from '../support/nacre.ts'
import { expectRejected } from '../util/expect-error.ts'
import { cbor, SecondReader } from './second-reader.ts'

interface FrozenEntry {
  /** Below the source, read as latin1. */
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink'
  readonly mode: number
  readonly mtime: string
  readonly target?: string
  readonly size?: number
  readonly sha256?: string
  readonly link_of?: string
}

interface FrozenSnapshot {
  readonly id: string
  readonly time_ns: string
  readonly host: string
  readonly tags: readonly string[]
  readonly label: string
  readonly skipped: number
  readonly sequence: number
  readonly previous: string | null
  readonly parent: string | null
  readonly files: number
  readonly entries: readonly FrozenEntry[]
}

const FROZEN = join(import.meta.dirname, 'frozen-v1')
const listing = JSON.parse(gunzipSync(readFileSync(join(FROZEN, 'listing.json.gz'))).toString()) as { password: string; source: string; snapshots: readonly FrozenSnapshot[] }

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'nacre-frozen-test-'))
  onTestFinished(() => {
    const repo = join(folder, 'repo')
    for (const path of ['', ...(readdirSync(repo, { recursive: true }) as string[])]) chmodSync(join(repo, path), 0o700)
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

function copyOf(folder: string, isReadOnly: boolean): string {
  const repo = join(folder, 'repo')
  cpSync(join(FROZEN, 'repository'), repo, { recursive: true })
  if (isReadOnly) for (const path of ['', ...(readdirSync(repo, { recursive: true }) as string[])]) chmodSync(join(repo, path), lstatSync(join(repo, path)).isDirectory() ? 0o500 : 0o400)
  return repo
}

/** Every file of a folder with the hash of its bytes: to see that nothing changed. */
function fingerprint(folder: string): string {
  const paths = (readdirSync(folder, { recursive: true }) as string[]).filter((path) => lstatSync(join(folder, path)).isFile()).sort()
  return paths.map((path) => `${createHash('sha256').update(readFileSync(join(folder, path))).digest('hex')} ${path}`).join('\n')
}

async function open(repo: string, folder: string): Promise<Repository> {
  return openRepository({ backend: await openBackend({ kind: 'local', path: repo }), password: utf8(listing.password), cacheFolder: join(folder, 'cache') })
}

function look(root: string): FrozenEntry[] {
  const entries: FrozenEntry[] = []
  const inodes = new Map<bigint, string>()
  const visit = (path: Buffer, shown: string): void => {
    for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const at = Buffer.concat([path, Buffer.from('/'), name])
      const own = `${shown}${shown === '' ? '' : '/'}${name.toString('latin1')}`
      const stat = lstatSync(at, { bigint: true })
      const common = { path: own, mode: Number(stat.mode & 0o7777n), mtime: String(stat.mtimeNs) }
      if (stat.isSymbolicLink()) entries.push({ ...common, type: 'symlink', target: readlinkSync(at, { encoding: 'buffer' }).toString('latin1') })
      else if (stat.isFile()) {
        const first = inodes.get(stat.ino)
        entries.push({ ...common, type: 'file', size: Number(stat.size), sha256: createHash('sha256').update(readFileSync(at)).digest('hex'), ...(first === undefined ? {} : { link_of: first }) })
        if (first === undefined) inodes.set(stat.ino, own)
      } else {
        entries.push({ ...common, type: 'directory' })
        visit(at, own)
      }
    }
  }
  visit(Buffer.from(root), '')
  return entries
}

describe('the frozen repository of format 1', () => {
  test('lists, restores and checks as it did, and nothing of it is written', async () => {
    const folder = temporary()
    const repo = copyOf(folder, true)
    const before = fingerprint(repo)
    await using repository = await open(repo, folder)
    const { snapshots, problems } = await loadSnapshots(repository)
    expect(problems).toEqual([])
    expect(snapshots.map((snapshot) => ({
      id: snapshot.id, time_ns: String(snapshot.startNs), host: snapshot.host, tags: snapshot.tags, label: snapshot.label, skipped: snapshot.skippedCount,
      sequence: snapshot.sequence, previous: snapshot.previous ?? null, parent: snapshot.parent ?? null, files: snapshot.summary.totalFiles,
    }))).toEqual(listing.snapshots.map(({ entries: _, ...snapshot }) => snapshot))
    for (const [i, snapshot] of snapshots.entries()) {
      const target = join(folder, `target ${i}`)
      const result = await restore(repository, { snapshot, path: utf8(listing.source), target, threads: 0, verify: true })
      expect(result.problems).toEqual([])
      expect(look(target)).toEqual(listing.snapshots[i]!.entries)
    }
    const skipped: string[] = []
    for await (const { path } of loadSkipped(repository, snapshots[2]!)) skipped.push(Buffer.from(path).toString())
    expect(skipped).toHaveLength(listing.snapshots[2]!.skipped)
    expect(new Set(skipped)).toEqual(new Set(Array.from({ length: 250 }, (_, i) => `${listing.source}/gone ${i}`)))
    expect((await checkRepository(repository, { threads: 0, readData: { kind: 'all' } })).findings).toEqual([])
    expect(fingerprint(repo)).toBe(before)
  }, 120_000)

  test('reads the same by a reader made of the page alone', () => {
    const reader = new SecondReader(join(FROZEN, 'repository'), listing.password)
    const { index, packs } = reader.blobs()
    expect(index).toEqual(packs)
    const snapshots = reader.snapshots()
    expect(snapshots.map(({ name }) => name)).toEqual(listing.snapshots.map(({ id }) => `0/${id}`))
    for (const [i, { record }] of snapshots.entries()) {
      const prefix = `${listing.source}/`
      const found = [...reader.walk(record.get(1) as Uint8Array)].map(({ path, node }) => ({ path: Buffer.from(path).toString('latin1'), node })).filter(({ path }) => path.startsWith(prefix))
      const wanted = listing.snapshots[i]!.entries
      expect(found.map(({ path }) => path.slice(prefix.length))).toEqual(wanted.map(({ path }) => path))
      for (const [at, { node }] of found.entries()) {
        const entry = wanted[at]!
        expect([1, 2, 3][['file', 'directory', 'symlink'].indexOf(entry.type)]).toBe(node.get(2))
        expect(String(BigInt(node.get(9) as number) * 1_000_000_000n + BigInt(node.get(10) as number))).toBe(entry.mtime)
        if (entry.type === 'file') expect(createHash('sha256').update(reader.content(node)).digest('hex')).toBe(entry.sha256)
        if (entry.type === 'symlink') expect(Buffer.from(node.get(20) as Uint8Array).toString('latin1')).toBe(entry.target)
      }
    }
    const skipped = [...reader.blobsOf(snapshots[2]!.record.get(18) as Uint8Array)].flatMap((blob) => cbor(blob) as unknown[])
    expect(skipped).toHaveLength(250)
  }, 120_000)

  test('takes a further backup, which finds everything again', async () => {
    const folder = temporary()
    const repo = copyOf(folder, false)
    await using repository = await open(repo, folder)
    const { snapshots } = await loadSnapshots(repository)
    const target = join(folder, 'target')
    await restore(repository, { snapshot: snapshots[0]!, path: utf8(listing.source), target, threads: 0 })
    const { summary } = await backup(repository, { paths: [target], person: { user: 'ada', host: 'nautilus' }, threads: 0 })
    expect(summary).toMatchObject({ totalFiles: listing.snapshots[0]!.files })
    // Trees tell inodes and are new; of the contents, all 7 MB, nothing is.
    expect(summary.dataAdded).toBeLessThan(200_000)
    expect((await checkRepository(repository, { threads: 0, readData: { kind: 'all' } })).findings).toEqual([])
  }, 120_000)
})

describe('what is of a later format', () => {
  test.each<[string, (bytes: Buffer) => void, string]>([
    ['version', (bytes) => (bytes[8] = 2), 'version 2'],
    ['suite', (bytes) => (bytes[9] = 9), 'suite 9'],
  ])('by its %s is refused by name, and nothing is changed', async (_what, change, named) => {
    const folder = temporary()
    const repo = copyOf(folder, false)
    const config = readFileSync(join(repo, 'config'))
    change(config)
    rmSync(join(repo, 'config'))
    writeFileSync(join(repo, 'config'), config)
    const before = fingerprint(repo)
    const error = await expectRejected(open(repo, folder), 'REPOSITORY_VERSION')
    expect(error.message).toContain(named)
    expect(fingerprint(repo)).toBe(before)
  })

  test('by a required feature is refused by name by every command, and nothing is changed', async () => {
    const at = place()
    const repo = copyOf(at.folder, false)
    {
      await using repository = await open(repo, at.folder)
      const config = encodeConfig(repository.keyring, { ...repository.config, requiredFeatures: ['erasure coding', 'time travel'] })
      rmSync(join(repo, 'config'))
      writeFileSync(join(repo, 'config'), config)
    }
    const before = fingerprint(repo)
    for (const args of [['backup', at.folder], ['snapshots'], ['ls', 'latest'], ['restore', 'latest', '--target', join(at.folder, 'out')], ['check'], ['stats'], ['cat', 'config'], ['key', 'list'], ['init']]) {
      const ended = at.runWith({ NACRE_PASSWORD: listing.password }, ...args)
      expect(ended.code, args.join(' ')).toBe(1)
      expect(ended.stderr).toContain(args[0] === 'init' ? 'already' : 'erasure coding, time travel')
      expect(ended.stderr.trim().split('\n')).toHaveLength(1)
    }
    expect(fingerprint(repo)).toBe(before)
  }, 60_000)

  test('in a snapshot or an index object is told as of a later version, and not as damage of this one', async () => {
    for (const type of ['snapshots/0', 'index/0']) {
      const folder = temporary()
      const repo = copyOf(folder, false)
      const name = readdirSync(join(repo, type))[0]!
      const bytes = readFileSync(join(repo, type, name))
      bytes[8] = 2
      rmSync(join(repo, type, name))
      const placed = type === 'index/0' ? createHash('sha256').update(bytes).digest('hex') : name
      writeFileSync(join(repo, type, placed), bytes)
      await using repository = await open(repo, folder)
      if (type === 'index/0') await expectRejected(checkRepository(repository, { threads: 0 }), 'REPOSITORY_VERSION')
      else expect((await loadSnapshots(repository)).problems).toMatchObject([{ name: `0/${name}`, message: expect.stringContaining('version 2') as string }])
    }
  })
})

test('the frozen repository is the one that was frozen', () => {
  expect(toHex(createHash('sha256').update(fingerprint(FROZEN)).digest())).toBe('1a7e5d5b068d66fb30ce1420f8a997f3401ce4125980fb1c70d88b61c0a5a185')
})
