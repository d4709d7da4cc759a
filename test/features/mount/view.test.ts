import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Backend } from '../../../src/backend/backend.ts'
import { piecesOfRange, sectorsOf, seekIn } from '../../../src/features/mount/content-range.ts'
import { piecesOf } from '../../../src/features/mount/folder-list.ts'
import { openFrameStore } from '../../../src/features/mount/frame-store.ts'
import { type LayoutFolder, layoutOf, withChanges } from '../../../src/features/mount/layout.ts'
import { createLeafTable, nodeNumber } from '../../../src/features/mount/leaf-table.ts'
import { parsePathTemplate } from '../../../src/features/mount/path-template.ts'
import { createReadAhead } from '../../../src/features/mount/read-ahead.ts'
import { folderName } from '../../../src/features/mount/snapshot-names.ts'
import { treesFromFrames } from '../../../src/features/mount/tree-blobs.ts'
import { createTreeCache, type TreeCache } from '../../../src/features/mount/tree-cache.ts'
import { createView, type MountView, type ViewEntry } from '../../../src/features/mount/view.ts'
import { loadIndex } from '../../../src/repository/index-loader.ts'
import type { Repository } from '../../../src/repository/repository.ts'
import type { Node } from '../../../src/snapshot/node.ts'
import type { Snapshot } from '../../../src/snapshot/snapshot.ts'
import { openTreeReader } from '../../../src/snapshot/tree-reader.ts'
import type { TreeBlob } from '../../../src/snapshot/tree-blob.ts'
import { utf8 } from '../../../src/util/bytes.ts'
import { seededBytes } from '../../support/seeded.ts'
import { smallRepository } from '../small-repository.ts'

const utc = (): number => 0
const layoutFor = (snapshots: readonly Snapshot[], nowNs = 1n << 62n): LayoutFolder => layoutOf({ snapshots, named: snapshots, nowNs, zoneAt: utc })
const names = (folder: LayoutFolder | undefined): string[] => [...(folder?.entries.keys() ?? [])]
const folderAt = (root: LayoutFolder, ...path: string[]): LayoutFolder => path.reduce((at, name) => at.entries.get(name) as LayoutFolder, root)

function snapshotOf(id: string, second: number, more: Partial<Snapshot> = {}): Snapshot {
  return { id, startNs: BigInt(second) * 1_000_000_000n, host: 'ada', tags: [], label: '', ...more } as unknown as Snapshot
}

describe('the folders above the snapshots', () => {
  test('are named by time, in order, and lead to each snapshot by id, host, tag and label', () => {
    const root = layoutFor([snapshotOf('aaaaaaaa00', 0, { tags: ['x', 'a/b'] }), snapshotOf('bbbbbbbb00', 0, { label: '..' }), snapshotOf('cccccccc00', 86_400, { host: 'bob' })])
    expect(names(folderAt(root, 'snapshots'))).toEqual(['1970-01-01T00-00-00', '1970-01-01T00-00-00_bbbbbbbb', '1970-01-02T00-00-00'])
    expect(names(folderAt(root, 'ids'))).toEqual(['aaaaaaaa', 'bbbbbbbb', 'cccccccc'])
    expect(names(folderAt(root, 'hosts', 'bob'))).toEqual(['1970-01-02T00-00-00', 'latest'])
    expect(names(folderAt(root, 'tags'))).toEqual(['x', 'a%2Fb'])
    expect(names(folderAt(root, 'labels'))).toEqual(['%2E%2E'])
    expect(root.entries.get('latest')).toMatchObject({ kind: 'link', target: 'snapshots/1970-01-02T00-00-00' })
  })

  test('call no snapshot the latest that is dated in the future', () => {
    const root = layoutFor([snapshotOf('aaaaaaaa00', 5), snapshotOf('bbbbbbbb00', 50)], 10_000_000_000n)
    expect(root.entries.get('latest')).toMatchObject({ target: 'snapshots/1970-01-01T00-00-05' })
  })

  test('change their times when something comes or goes, and only then', () => {
    const first = snapshotOf('aaaaaaaa00', 5)
    const second = snapshotOf('bbbbbbbb00', 6, { host: 'bob' })
    const before = layoutFor([first, second])
    expect(withChanges(before, layoutFor([first, second]), 77n)).toEqual(before)
    const gone = withChanges(before, layoutFor([first]), 77n)
    expect(folderAt(gone, 'snapshots').timeNs).toBe(77n)
    expect(folderAt(gone, 'hosts').timeNs).toBe(77n)
    expect(folderAt(gone, 'hosts', 'ada').timeNs).toBe(5_000_000_000n)
  })

  test('stand where path templates say, and only those that have what is asked for', () => {
    const snapshots = [snapshotOf('aaaaaaaa00', 0, { tags: ['x', 'y'], user: 'me' }), snapshotOf('bbbbbbbb00', 86_400, { user: 'me' }), snapshotOf('cccccccc00', 86_401, { host: 'latest', user: 'me' })]
    const root = layoutOf({ snapshots, named: snapshots, nowNs: 1n << 62n, zoneAt: utc, templates: ['by/%t/%i', '%h/%Y/%m-%d', 'all/100%%%u_%T'].map(parsePathTemplate) })
    expect(names(root)).toEqual(['snapshots', 'by', 'all', 'ada', '%6Catest', 'latest'])
    expect(names(folderAt(root, 'by'))).toEqual(['x', 'y'])
    expect(names(folderAt(root, 'by', 'y'))).toEqual(['aaaaaaaa'])
    expect(folderAt(root, 'by', 'y').entries.get('aaaaaaaa')).toMatchObject({ target: '../../snapshots/1970-01-01T00-00-00' })
    expect(names(folderAt(root, 'ada', '1970'))).toEqual(['01-01', '01-02', 'latest'])
    expect(names(folderAt(root, 'all'))).toEqual(['100%25me_1970-01-01T00-00-00', '100%25me_1970-01-02T00-00-00', '100%25me_1970-01-02T00-00-01', 'latest'])
    // What would be called alike has more of its own name.
    const crowded = layoutOf({ snapshots, named: snapshots, nowNs: 1n << 62n, zoneAt: utc, templates: ['%u', '%u/%i'].map(parsePathTemplate) })
    expect(names(crowded)).toEqual(['snapshots', 'me', 'me_aaaaaaaa', 'me_bbbbbbbb', 'me_cccccccc', 'latest'])
    for (const wrong of ['', '/%T', 'a//%T', '../%T', 'a/%x', 'a%', 'same', 'snap\0%T']) expect(() => parsePathTemplate(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error)
  })

  test('hold names as long as a name may be, whatever a host calls itself', () => {
    expect(Buffer.byteLength(folderName('ä'.repeat(300)))).toBe(254)
    expect(folderName('.')).toBe('%2E')
    expect(folderName('100%/\0')).toBe('100%25%2F%00')
  })
})

interface Opened {
  readonly view: MountView
  readonly trees: TreeCache
  at(...path: string[]): Promise<ViewEntry>
  read(file: ViewEntry, start: number, length: number): Promise<Buffer>
}

async function opened(repository: Repository, snapshot: Snapshot, use: (opened: Opened) => Promise<void>): Promise<void> {
  await loadIndex(repository)
  await using frames = await openFrameStore({ repository, threads: 0, cacheBytes: 4 * 1024 * 1024 })
  const trees = createTreeCache(await openTreeReader(repository, await treesFromFrames(repository, frames)), 1024 * 1024)
  const root = layoutFor([snapshot])
  const view = createView({ trees, frames, readAhead: createReadAhead(trees, frames, 1024 * 1024), layout: () => Promise.resolve(root), owner: { uid: 0, gid: 0 } })
  const at = async (...path: string[]): Promise<ViewEntry> => {
    let entry = await view.entry(1)
    for (const name of ['snapshots', names(folderAt(root, 'snapshots'))[0]!, ...path]) entry = await view.look(entry!, utf8(name))
    if (entry === undefined) throw new Error(`${path.join('/')} is not there`)
    view.count(entry.number)
    return entry
  }
  const read = (file: ViewEntry, start: number, length: number): Promise<Buffer> => view.read(file, start, length, (parts) => Buffer.concat(parts))
  await use({ view, trees, at, read })
}

describe('a view', () => {
  test('gives bytes of any range, also of holes and behind the end', async () => {
    await using small = await smallRepository()
    const { source } = small
    mkdirSync(source)
    writeFileSync(join(source, 'large'), seededBytes('large', 700_000))
    execFileSync('sh', ['-c', `truncate -s 2M sparse && printf middle | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none`], { cwd: source })
    await opened(small.repository, await small.save(), async ({ at, read }) => {
      const folder = source.split('/').slice(1)
      for (const name of ['large', 'sparse']) {
        const bytes = readFileSync(join(source, name))
        const file = await at(...folder, name)
        for (const [start, length] of [[0, 10], [16_000, 70_000], [0, 3_000_000], [999_998, 20], [bytes.length - 3, 9], [bytes.length, 4]] as const) {
          expect((await read(file, start, length)).equals(bytes.subarray(start, start + length)), `${name} ${start}`).toBe(true)
        }
      }
    })
  })

  test('names hard links by one inode, folders by their own, and a file by the same in two snapshots', async () => {
    await using small = await smallRepository()
    const { source } = small
    mkdirSync(join(source, 'd'), { recursive: true })
    writeFileSync(join(source, 'a'), 'one')
    linkSync(join(source, 'a'), join(source, 'd', 'b'))
    writeFileSync(join(source, 'other'), 'one')
    const folder = source.split('/').slice(1)
    const first = await small.save()
    let inode: unknown
    await opened(small.repository, first, async ({ at }) => {
      const a = await at(...folder, 'a')
      inode = a.inode
      expect((await at(...folder, 'd', 'b')).inode).toEqual(a.inode)
      expect((await at(...folder, 'other')).inode).not.toEqual(a.inode)
      expect((await at(...folder, 'd')).inode).not.toEqual((await at(...folder)).inode)
      expect(await at(...folder, 'a')).toEqual(a)
    })
    await opened(small.repository, await small.save({ force: true }), async ({ at }) => expect((await at(...folder, 'a')).inode).toEqual(inode))
  })

  test('lists a folder of several leaves from any entry on, each name once', async () => {
    await using small = await smallRepository()
    const { source } = small
    mkdirSync(source)
    const wanted = Array.from({ length: 1500 }, (_, i) => `n${i}`)
    for (const name of wanted) writeFileSync(join(source, name), '')
    await opened(small.repository, await small.save(), async ({ view, at }) => {
      const folder = await at(...source.split('/').slice(1))
      const seen: string[] = []
      for (let cookie: bigint | undefined; ; ) {
        let taken = 0
        for await (const piece of view.list(folder, cookie)) {
          for (let place = piece.from; place < piece.to && taken < 7; place++, taken++) {
            const entry = piece.entry(place)
            seen.push(Buffer.from(entry.node.name).toString())
            cookie = piece.cookieBehind(place)
            expect((await view.entry(entry.number))?.node.name).toEqual(entry.node.name)
          }
          if (taken === 7) break
        }
        if (taken < 7) break
      }
      expect(seen).toEqual(wanted.sort())
    })
  })

  test('tells damage of its range only, naming the pack, and gives all else', async () => {
    await using small = await smallRepository()
    const { source } = small
    mkdirSync(source)
    const bytes = seededBytes('damaged', 4_000_000)
    writeFileSync(join(source, 'file'), bytes)
    const snapshot = await small.save()
    const packs: string[] = []
    for await (const info of small.backend.list('packs')) packs.push(info.name)
    const bad = new Set<string>()
    const failing: Backend = {
      ...small.backend,
      async load(ref, range, options) {
        const loaded = await small.backend.load(ref, range, options)
        // One frame of data of each pack: the first that is asked for.
        if (ref.type === 'packs' && range !== undefined && range.length > 500_000 && (bad.size === 0 || bad.has(`${ref.name} ${range.offset}`))) {
          bad.add(`${ref.name} ${range.offset}`)
          loaded[100]! ^= 1
        }
        return loaded
      },
    }
    await opened({ ...small.repository, backend: failing }, snapshot, async ({ view, at, read }) => {
      const file = await at(...source.split('/').slice(1), 'file')
      let failed = 0
      for (let start = 0; start < bytes.length; start += 4096) {
        const found = await read(file, start, 4096).catch((error: unknown) => error as Error)
        if (found instanceof Error) {
          failed++
          expect(found.message).toMatch(/in pack [0-9a-f]{16} cannot be read/)
        } else expect(found.equals(bytes.subarray(start, start + 4096))).toBe(true)
      }
      expect(failed).toBeGreaterThan(100)
      expect(failed).toBeLessThan(bytes.length / 4096 / 2)
      const { path } = await view.describe(file.number)
      expect(Buffer.from(path.at(-1)!).toString()).toBe('file')
    })
    expect(packs.length).toBeGreaterThan(0)
    rmSync(source, { recursive: true })
  })
})

describe('hostile repositories', () => {
  const id = (n: number): Uint8Array => new Uint8Array(32).fill(n)
  const node = (name: string, more: Partial<Node> = {}): Node => ({ name: utf8(name), type: 'file', mode: 0, uid: 0, gid: 0, size: 0, mtimeS: 0, mtimeNs: 0, ctimeS: 0, ctimeNs: 0, inode: 1, links: 1, ...more })
  const cacheOf = (blobs: Record<number, TreeBlob>): TreeCache => ({ blob: (wanted) => Promise.resolve(blobs[wanted[0]!]!) })

  test('cannot make a list repeat itself', async () => {
    const leaf: TreeBlob = { kind: 'directory', level: 0, nodes: [node('a'), node('b')] }
    const child = (firstName: string, n: number): { firstName: Uint8Array; id: Uint8Array } => ({ firstName: utf8(firstName), id: id(n) })
    const all = async (blobs: Record<number, TreeBlob>): Promise<void> => {
      for await (const piece of piecesOf(cacheOf(blobs), id(0), undefined)) expect(piece.leaf.nodes.length).toBeGreaterThan(0)
    }
    await expect(all({ 0: { kind: 'directory', level: 1, children: [child('a', 1), child('c', 1)] }, 1: leaf })).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(all({ 0: { kind: 'directory', level: 1, children: [child('a', 0)] } })).rejects.toMatchObject({ code: 'CORRUPT' })
    await expect(all({ 0: { kind: 'directory', level: 1, children: [child('b', 1)] }, 1: leaf })).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  test('cannot give a file more bytes than it lists, nor time without end', async () => {
    const none = cacheOf({})
    await expect(piecesOfRange(none, node('f', { size: 2 ** 50 }), 2 ** 49, 2 ** 49 + 10)).rejects.toMatchObject({ code: 'CORRUPT' })
    const records = new Uint8Array(36 * 10_000)
    for (let at = 32; at < records.length; at += 36) records[at] = 1
    await expect(piecesOfRange(none, node('f', { size: 10_000, content: { kind: 'inline', records } }), 0, 10_000)).rejects.toMatchObject({ code: 'CORRUPT' })
    expect(await piecesOfRange(none, node('f', { size: 2 ** 50, extents: [] }), 5, 15)).toEqual([{ kind: 'zeros', length: 10 }])
  })

  test('cannot make the table of what the kernel knows grow: it has a row for a leaf, and the idle go', () => {
    const table = createLeafTable()
    const inode = { high: 0, low: 1 }
    const kept = table.intern(1, inode, id(1))
    table.count(nodeNumber(kept, 3))
    for (let i = 0; i < 100_000; i++) table.intern(i + 2, inode, id(2))
    expect(table.size).toBeLessThan(5000)
    expect(table.get(kept.number)).toBe(kept)
    table.forget(nodeNumber(kept, 3), 1)
    expect(table.get(kept.number)).toBeUndefined()
  })
})

test('seeking finds data and holes, and a sparse file takes what it holds', () => {
  const sparse = { size: 100_000, type: 'file', extents: [{ offset: 10_000, length: 5000 }, { offset: 50_000, length: 50_000 }] } as unknown as Node
  expect([seekIn(sparse, 0, 'data'), seekIn(sparse, 12_000, 'data'), seekIn(sparse, 20_000, 'data')]).toEqual([10_000, 12_000, 50_000])
  expect([seekIn(sparse, 0, 'hole'), seekIn(sparse, 12_000, 'hole'), seekIn(sparse, 60_000, 'hole'), seekIn(sparse, 100_000, 'hole')]).toEqual([0, 15_000, 100_000, undefined])
  expect(sectorsOf(sparse)).toBe((2 + 13) * 8)
})
