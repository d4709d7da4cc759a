/**
 * Whatever is read from a repository may be anything: each decoder gives back a value or says that it
 * is none, in bounded time and memory. What a cipher guards is sealed and signed by the fuzzer, as a
 * thief of the keys could.
 */
import { expect, test } from 'vitest'
import { encodeCbor } from '../../src/codec/cbor.ts'
import { decodePax } from '../../src/codec/pax.ts'
import { decodeTarHeader, encodeTarHeader } from '../../src/codec/tar-header.ts'
import { keyedHash, sha256 } from '../../src/crypto/hash.ts'
import { decodeConfig } from '../../src/repository/config.ts'
import { newDataKey, wrapDataKey } from '../../src/repository/envelope.ts'
import { RECORD } from '../../src/repository/format.ts'
import { decodeForgotten } from '../../src/repository/forgotten.ts'
import { decodeGcRecord, gcName } from '../../src/repository/gc-record.ts'
import { decodeIndex } from '../../src/repository/index-object.ts'
import { decodeSlot } from '../../src/repository/key-slot.ts'
import { decodeMark } from '../../src/repository/mark.ts'
import { decodePackHeader, encodePackHeader } from '../../src/repository/pack.ts'
import { decodeDirectory, encodeFrames, packEntryToCbor } from '../../src/repository/pack-entry.ts'
import { decodeRegister, encodeFence, encodeSnapshotRegister } from '../../src/repository/register.ts'
import { decodeSession } from '../../src/repository/session-object.ts'
import { sealRecord } from '../../src/repository/signed-record.ts'
import { NodeScanner } from '../../src/snapshot/node-scanner.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/snapshot/snapshot.ts'
import { CONTENT_SHAPE, decodeTreeBlob, directoryShape } from '../../src/snapshot/tree-blob.ts'
import { openTree, scanDirectory } from '../../src/snapshot/tree-scan.ts'
import { concatBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { BackupError } from '../../src/util/errors.ts'
import { nowNs } from '../../src/util/clock.ts'
import { node } from '../features/bomb.ts'
import { idOf, owner, packEntryOf, REPOSITORY_ID } from '../repository/support.ts'
import { count, randomFor, rounds } from '../support/torture.ts'
import { fuzz } from './fuzzer.ts'

const INPUTS = rounds(3, 300) * 1000
const MEMORY_LIMIT = 256 * 1024 * 1024
const TIME_LIMIT_MS = 5000
const SID = '0123456789abcdef'.repeat(2)
const NAME = `0/${SID}`
const shape = directoryShape(keyedHash(new Uint8Array(32)))

/** A decoder of what was sealed as that, by the owner. */
function sealed(type: (typeof RECORD)[keyof typeof RECORD], name: string, key: Uint8Array, decode: (bytes: Uint8Array) => unknown): (body: Uint8Array) => void {
  return (body) => void decode(sealRecord(owner, key, { type, group: 0, name }, body))
}

const person = [[2, 'host'], [3, 'user'], [4, 'program']] as const
const cbor = (entries: readonly (readonly [number, unknown])[]): Uint8Array => encodeCbor(new Map<number, unknown>(entries))
const file = node('file', { type: 'file', size: 5, content: { kind: 'inline', records: new Uint8Array(36).fill(1) }, extents: [{ offset: 0, length: 5 }], xattrs: [{ name: utf8('user.a'), value: utf8('b') }] })
const leaf = shape.encodeLeaf([node('a', { subtree: idOf(1) }), file, node('link', { type: 'symlink', target: utf8('x') })])
const inner = shape.encodeInner(1, [{ firstName: utf8('a'), id: idOf(1) }, { firstName: utf8('b'), id: idOf(2) }])
const list = CONTENT_SHAPE.encodeInner(1, [{ id: idOf(1), bytes: 5 }])
const entry = packEntryOf(1)
const dataKey = newDataKey(REPOSITORY_ID)
const envelopes = [wrapDataKey(owner, 0, dataKey)]
const snapshot = encodeSnapshot({
  tree: idOf(1), paths: [utf8('/a')], host: 'h', user: 'u', tags: ['t'], label: 'l', description: 'd', startNs: nowNs(), endNs: nowNs(), zoneMinutes: 60,
  summary: { filesNew: 1, filesChanged: 0, filesUnmodified: 0, totalFiles: 1, totalBytes: 5, dataAdded: 5, dataAddedStored: 5 },
  skippedCount: 1, skipped: [{ path: utf8('/b'), reason: 'lost', message: 'm' }], skippedAll: undefined, program: 'p', sequence: 1, previous: SID,
})

const TARGETS: Readonly<Record<string, { run: (bytes: Uint8Array) => void; seeds: readonly Uint8Array[] }>> = {
  'tree blob': { run: decodeTreeBlob, seeds: [leaf, inner, list, CONTENT_SHAPE.encodeLeaf([{ id: idOf(3), length: 5 }])] },
  'tree blob that is scanned': { run: scanAll, seeds: [leaf, inner, list] },
  snapshot: { run: decodeSnapshot, seeds: [snapshot] },
  'index object': {
    run: (body) => {
      const bytes = sealRecord(owner, owner.index(0), { type: RECORD.index, group: 0, name: '' }, body)
      decodeIndex(owner, `0/${toHex(sha256(bytes))}`, bytes, [owner.ownerPublic])
    },
    seeds: [cbor([[1, [packEntryToCbor(entry)]], [2, [idOf(4)]]])],
  },
  'pack directory': { run: (bytes) => void decodeDirectory(bytes.slice(0, entry.frames.length * 20), bytes.slice(entry.frames.length * 20), 'it'), seeds: [concatBytes(encodeFrames(entry.frames), entry.blobs)] },
  'pack header': { run: (bytes) => void decodePackHeader(bytes, 'it'), seeds: [encodePackHeader({ repositoryId: REPOSITORY_ID, group: 0, session: new Uint8Array(16), envelopes })] },
  register: { run: (bytes) => void decodeRegister(owner, 0, NAME, bytes, [owner.ownerPublic]), seeds: [encodeFence(owner, NAME, 0), encodeSnapshotRegister(owner, NAME, dataKey, envelopes, snapshot)] },
  config: { run: sealed(RECORD.config, 'config', owner.config, (bytes) => decodeConfig(owner, bytes)), seeds: [cbor([[1, 'p'], [2, 5n], [3, 'fastcdc'], [4, 32768], [5, 131072], [6, 524288], [7, 1048576], [8, 33554432], [9, []], [10, ['x']]])] },
  session: { run: sealed(RECORD.session, NAME, owner.index(0), (bytes) => decodeSession(owner, 0, NAME, bytes, [owner.ownerPublic])), seeds: [cbor([[1, 5n], ...person, [5, 'backup'], [6, [new Uint8Array(16)]], [7, true]])] },
  'gc record': { run: sealed(RECORD.gcPlan, gcName(1, 'plan'), owner.gc, (bytes) => decodeGcRecord(owner, 1, 'plan', bytes)), seeds: [cbor([[1, new Uint8Array(64)], [2, new Uint8Array(20)], [3, new Uint8Array(20)], [4, new Uint8Array(20)], [5, 5n], [6, new Uint8Array(36)]])] },
  'forgotten marker': { run: sealed(RECORD.forgotten, NAME, owner.index(0), (bytes) => decodeForgotten(owner, NAME, bytes)), seeds: [cbor([[1, 5n], ...person])] },
  mark: { run: sealed(RECORD.mark, `${NAME}.0`, owner.index(0), (bytes) => decodeMark(owner, `${NAME}.0`, bytes)), seeds: [cbor([[1, 5n], ...person, [5, ['a']], [6, 'l'], [7, 'd'], [8, 2], [9, 5n]])] },
  'password slot': { run: (bytes) => void decodeSlot(toHex(sha256(bytes)), bytes), seeds: [new Uint8Array(700)] },
  'pax record': { run: decodePax, seeds: [utf8('30 mtime=1321711775.972059463\n11 path=ab\n')] },
  'tar header': { run: decodeTarHeader, seeds: [encodeTarHeader({ name: utf8('a'), mode: 0o644, uid: 0, gid: 0, size: 5, mtimeS: 0, type: '0', link: new Uint8Array(0), user: utf8('u'), group: utf8('g'), major: 0, minor: 0 })] },
}

function scanAll(bytes: Uint8Array): void {
  const tree = openTree(bytes)
  if ('scanner' in tree) for (const scanner = new NodeScanner(tree.scanner, tree.count); scanner.next(); ) scanner.compareName(utf8('x'))
  const scanned = scanDirectory(bytes, () => true)
  if ('nodes' in scanned) for (const one of scanned.nodes) one.decode()
}

test.each(Object.keys(TARGETS))('any bytes for a %s are decoded or refused, and nothing else', (name) => {
  const random = randomFor(`parser ${name}`)
  const { run, seeds } = TARGETS[name]!
  const before = process.memoryUsage().arrayBuffers
  let slowestMs = 0
  let refused = 0
  const guarded = (input: Uint8Array): void => {
    const started = performance.now()
    try {
      run(input)
    } catch (error) {
      if (!(error instanceof BackupError)) throw new Error(`${name}: ${toHex(input)}`, { cause: error })
      refused++
    }
    slowestMs = Math.max(slowestMs, performance.now() - started)
  }
  const { inputs } = fuzz({ run: guarded, seeds }, INPUTS / Object.keys(TARGETS).length, random)
  count('inputs', inputs)
  expect(refused).toBeGreaterThan(0)
  expect(slowestMs).toBeLessThan(TIME_LIMIT_MS)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MEMORY_LIMIT)
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
}, 3_600_000)
