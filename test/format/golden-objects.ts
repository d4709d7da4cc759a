/**
 * One object of every kind of the format, made of fixed keys, with every field in it. What is random
 * in an object (nonces, a salt, an envelope's own key) is taken over from the golden one by whoever
 * makes it again.
 */
import { open as openSeal } from '../../src/crypto/aead.ts'
import { keyedHash } from '../../src/crypto/hash.ts'
import { decodeCbor } from '../../src/codec/cbor.ts'
import { createCompressor } from '../../src/codec/zstd.ts'
import { encodeConfig, type RepositoryConfig } from '../../src/repository/config.ts'
import { type DataKey, type Envelope, envelopesFromCbor, wrapDataKey } from '../../src/repository/envelope.ts'
import { keyIdOf } from '../../src/crypto/derive.ts'
import { sealFrame } from '../../src/repository/frame.ts'
import { encodeGcRecord } from '../../src/repository/gc-record.ts'
import { encodeIndex } from '../../src/repository/index-object.ts'
import { encodeSlot } from '../../src/repository/key-slot.ts'
import { type Keyring, keyringOf, ownerBundle, writerBundle } from '../../src/repository/keyring.ts'
import { decodePackHeader, encodePackHeader, encodePackTail } from '../../src/repository/pack.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from '../../src/repository/pack-entry.ts'
import { encodeFence, encodeSnapshotRegister } from '../../src/repository/register.ts'
import { encodeSession } from '../../src/repository/session-object.ts'
import { createListBuilder } from '../../src/snapshot/list-builder.ts'
import type { Node } from '../../src/snapshot/node.ts'
import { encodeSnapshot, type SnapshotRecord } from '../../src/snapshot/snapshot.ts'
import { CONTENT_SHAPE, directoryShape } from '../../src/snapshot/tree-blob.ts'
import { concatBytes, dataView, toHex, utf8 } from '../../src/util/bytes.ts'
import { sha256 } from '../../src/crypto/hash.ts'

/** Bytes that are nobody's secret and the same for ever: SHA-256 of a name, again and again. */
export function fixed(name: string, length: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (let i = 0; i * 32 < length; i++) parts.push(sha256(utf8(`${name} ${i}`)))
  return concatBytes(...parts).slice(0, length)
}

export const REPOSITORY_ID = fixed('repository id', 16)
export const PASSWORD = utf8('golden')
export const owner: Keyring = keyringOf(ownerBundle(fixed('root key', 32)), REPOSITORY_ID)
export const WRITER_GROUP = 7
const WRITER_BUNDLE = writerBundle(owner, WRITER_GROUP, fixed('writer seed', 32))
export const writer: Keyring = keyringOf(WRITER_BUNDLE, REPOSITORY_ID)

export const SID = toHex(fixed('sid', 16))
export const NAME = `0/${SID}`
const DATA_KEY_BYTES = fixed('data key', 32)
export const DATA_KEY: DataKey = { key: DATA_KEY_BYTES, id: keyIdOf(DATA_KEY_BYTES, REPOSITORY_ID) }

export const CONFIG: RepositoryConfig = {
  chunker: { minBytes: 4096, averageBytes: 16_384, maxBytes: 65_536 },
  frameBytes: 1_048_576,
  packBytes: 33_554_432,
  createdNs: 1_700_000_000_123_456_789n,
  program: '0.1.0',
  requiredFeatures: [],
  optionalFeatures: ['a thing that may be ignored'],
}

export const SESSION = { startedNs: 1_700_000_000_000_000_001n, host: 'nautilus', user: 'ada', program: '0.1.0', kind: 'backup' }
export const GC = { packs: [toHex(fixed('pack a', 32)), toHex(fixed('pack b', 32))], sweep: [`0/${toHex(fixed('swept', 16))}`], sweptBefore: [`7/${toHex(fixed('swept before', 16))}`, `4294967295/${'0'.repeat(32)}`] }

const blobRecord = (name: string, length: number): Uint8Array => {
  const record = new Uint8Array(BLOB_RECORD_BYTES)
  record.set(fixed(name, 32))
  dataView(record).setUint32(32, length, true)
  return record
}

const COMMON = { mode: 0o644, uid: 1000, gid: 100, mtimeS: 1_700_000_000, mtimeNs: 999_999_999, ctimeS: -1, ctimeNs: 0, inode: 12, links: 1 }
const inner = (content: Uint8Array): Pick<Node, 'size' | 'content'> => ({ size: 5 * (content.length / 36), content: { kind: 'inline', records: content } })

/** Every type, and every field with values at both ends. In byte order of the names. */
export const NODES: readonly Node[] = [
  { ...COMMON, name: utf8('a socket'), type: 'socket', size: 0, mode: 0o7777 },
  { ...COMMON, name: utf8('block'), type: 'block', size: 0, rdev: { major: 8, minor: 4_294_967_295 } },
  { ...COMMON, name: utf8('character'), type: 'character', size: 0, rdev: { major: 0, minor: 1 } },
  { ...COMMON, name: utf8('directory'), type: 'directory', size: 0, mode: 0o755, subtree: fixed('subtree', 32), user: 'ada', group: 'users' },
  { ...COMMON, name: utf8('empty'), type: 'file', ...inner(new Uint8Array(0)), inode: 0, uid: 0, gid: 4_294_967_295 },
  { ...COMMON, name: utf8('fifo'), type: 'fifo', size: 0 },
  { ...COMMON, name: utf8('file'), type: 'file', ...inner(concatBytes(blobRecord('one', 5), blobRecord('two', 5))), links: 2, device: 1, inode: 2n ** 64n - 1n },
  { ...COMMON, name: utf8('full'), type: 'file', ...inner(blobRecord('three', 5)), size: 1_048_576, user: 'ädä', atime: { s: -2_147_483_648, ns: 1 }, xattrs: [{ name: utf8('user.a'), value: new Uint8Array(0) }, { name: utf8('security.capability'), value: fixed('capability', 20) }], extents: [{ offset: 4096, length: 5 }] },
  { ...COMMON, name: utf8('list'), type: 'file', size: Number.MAX_SAFE_INTEGER, content: { kind: 'list', root: fixed('list', 32) } },
  { ...COMMON, name: utf8('symlink'), type: 'symlink', size: 0, mode: 0o777, target: Uint8Array.of(0xff, 0x2f, 0x2e) },
  { ...COMMON, name: Uint8Array.of(0xff, 0xfe), type: 'file', ...inner(new Uint8Array(0)) },
]

export const SNAPSHOT: SnapshotRecord = {
  tree: fixed('tree', 32),
  paths: [utf8('/home/ada'), Uint8Array.of(0x2f, 0xff)],
  host: 'nautilus',
  user: 'ada',
  tags: ['daily', 'ünïcode'],
  label: 'a label',
  description: 'a description',
  startNs: 1_700_000_000_123_456_789n,
  endNs: -1n,
  zoneMinutes: -570,
  parent: toHex(fixed('parent', 16)),
  summary: { filesNew: 1, filesChanged: 2, filesUnmodified: 3, totalFiles: 6, totalBytes: Number.MAX_SAFE_INTEGER, dataAdded: 5, dataAddedStored: 4 },
  skippedCount: 201,
  skipped: [{ path: Uint8Array.of(0x2f, 0xfe), reason: 'unreadable', message: 'permission denied' }],
  skippedAll: { kind: 'inline', records: blobRecord('skipped', 7) },
  program: '0.1.0',
  sequence: 12,
  previous: toHex(fixed('previous', 16)),
}

const RECORDS = Array.from({ length: 5 }, (_, i) => ({ id: fixed(`blob ${i}`, 32), length: i * 1_000_000 }))
const HASH = keyedHash(owner.blobId(0, 'tree'))
const DIRECTORY = directoryShape(HASH)

/** Encodings without anything random. */
export const PLAIN: Readonly<Record<string, () => Uint8Array>> = {
  'tree blob: directory, level 0': () => DIRECTORY.encodeLeaf(NODES),
  'tree blob: directory, level 0, empty': () => DIRECTORY.encodeLeaf([]),
  'tree blob: directory, level 2': () => DIRECTORY.encodeInner(2, [{ firstName: utf8('a'), id: fixed('child a', 32) }, { firstName: Uint8Array.of(0xff), id: fixed('child b', 32) }]),
  'tree blob: content, level 0': () => CONTENT_SHAPE.encodeLeaf(RECORDS),
  'tree blob: content, level 1': () => CONTENT_SHAPE.encodeInner(1, [{ id: fixed('child a', 32), bytes: 1 }, { id: fixed('child b', 32), bytes: Number.MAX_SAFE_INTEGER }]),
  'snapshot record': () => encodeSnapshot(SNAPSHOT),
  'keys: config, gc, index 0 and 7, blob ids of both types, wrap 0': () => concatBytes(owner.config, owner.gc, owner.index(0), owner.index(7), owner.blobId(0, 'data'), owner.blobId(0, 'tree'), owner.wrap(0)!),
  'keys: envelope and owner, private and public': () => concatBytes(owner.boxSeed!, owner.boxPublic, owner.signingSeed, owner.ownerPublic),
  'id of a data key': () => DATA_KEY.id,
  'ids of a blob as data and as tree': () => concatBytes(keyedHash(owner.blobId(0, 'data'))(utf8('hello')), HASH(utf8('hello'))),
  'root of a directory of 5,000': () => rootOf(5000),
  'root of a content of 20,000 blobs': () => contentRootOf(20_000),
}

function rootOf(count: number): Uint8Array {
  const builder = createListBuilder(DIRECTORY, (blob) => HASH(blob).slice())
  for (let i = 0; i < count; i++) builder.add({ ...COMMON, name: utf8(`file ${String(i).padStart(6, '0')}`), type: 'file', ...inner(new Uint8Array(0)) })
  return builder.finish()
}

function contentRootOf(count: number): Uint8Array {
  const builder = createListBuilder(CONTENT_SHAPE, (blob) => HASH(blob).slice())
  for (let i = 0; i < count; i++) builder.add({ id: fixed(`chunk ${i}`, 32), length: 1000 + i })
  return builder.finish()
}

/** A seal in an object: where it begins, and what opens it. The AAD is all that stands before it. */
export interface Sealed {
  readonly bytes: Uint8Array
  readonly at: number
  readonly key: Uint8Array
}

function behindHeader(bytes: Uint8Array, key: Uint8Array): Sealed {
  return { bytes, at: 54 + dataView(bytes).getUint16(52, true), key }
}

function envelopesOf(keyring: Keyring, golden: Uint8Array | undefined): readonly Envelope[] {
  return golden === undefined ? [wrapDataKey(keyring, keyring.group, DATA_KEY)] : registerEnvelopes(golden)
}

function registerEnvelopes(register: Uint8Array): Envelope[] {
  const at = 54 + dataView(register).getUint16(52, true)
  return envelopesFromCbor(decodeCbor(register.subarray(at + 2, at + 2 + dataView(register).getUint16(at, true))))
}

function snapshotOf(keyring: Keyring, golden: Uint8Array | undefined): Sealed {
  const bytes = encodeSnapshotRegister(keyring, `${keyring.group}/${SID}`, DATA_KEY, envelopesOf(keyring, golden), encodeSnapshot(SNAPSHOT))
  const at = 54 + dataView(bytes).getUint16(52, true)
  return { bytes, at: at + 2 + dataView(bytes).getUint16(at, true), key: DATA_KEY.key }
}

/** @param golden - whose envelopes are taken over; nothing else of it is */
export const SEALED: Readonly<Record<string, (golden: Uint8Array | undefined) => Sealed>> = {
  config: () => behindHeader(encodeConfig(owner, CONFIG), owner.config),
  index: (golden) => behindHeader(encodeIndex(owner, 0, { packs: [packEntry(golden)], replaces: [toHex(fixed('replaced', 32))] }).bytes, owner.index(0)),
  session: () => behindHeader(encodeSession(owner, NAME, SESSION), owner.index(0)),
  'session of a writer': () => behindHeader(encodeSession(writer, `${WRITER_GROUP}/${SID}`, SESSION), owner.index(WRITER_GROUP)),
  snapshot: (golden) => snapshotOf(owner, golden),
  'snapshot of a writer': (golden) => snapshotOf(writer, golden),
  fence: () => behindHeader(encodeFence(owner, NAME, 0), owner.gc),
  'gc plan': () => behindHeader(encodeGcRecord(owner, 1, 'plan', { ...GC, sweptBefore: [] }), owner.gc),
  'gc verdict': () => behindHeader(encodeGcRecord(owner, 1, 'verdict', GC), owner.gc),
  'gc done': () => behindHeader(encodeGcRecord(owner, 1, 'done', { packs: [], sweep: [], sweptBefore: [] }), owner.gc),
}

const SESSION_BYTES = fixed('sid', 16)
export const BLOBS = [utf8('hello'), utf8('world, again and again and again and again')]

/** An index entry that states two frames of one blob each; envelopes are taken over. */
export function packEntry(goldenIndex: Uint8Array | undefined): PackEntry {
  const frame: FrameEntry = { offset: 200, storedBytes: 45, plainBytes: 5, blobCount: 1, codec: 0, blobType: 'data', envelope: 0 }
  return {
    packId: toHex(fixed('pack', 32)),
    sizeBytes: 5000,
    session: SESSION_BYTES,
    envelopes: goldenIndex === undefined ? [wrapDataKey(owner, 0, DATA_KEY)] : indexEnvelopes(goldenIndex),
    frames: [frame, { ...frame, offset: 245, storedBytes: 77, plainBytes: 12, blobCount: 2, codec: 1, blobType: 'tree' }],
    blobs: concatBytes(blobRecord('one', 5), blobRecord('two', 12), blobRecord('empty', 0)),
  }
}

function indexEnvelopes(index: Uint8Array): Envelope[] {
  const { at, key } = behindHeader(index, owner.index(0))
  const [body] = decodeCbor(openSeal(key, index.subarray(at), index.subarray(0, at))) as [Uint8Array]
  const packs = (decodeCbor(body) as Map<number, Map<number, unknown>[]>).get(1)!
  return envelopesFromCbor(packs[0]!.get(4))
}

/** A whole pack of two frames, the first stored as it is, the second compressed. */
export function makePack(golden: Uint8Array | undefined): { bytes: Uint8Array; headerBytes: Uint8Array; frames: readonly FrameEntry[] } {
  const envelopes = golden === undefined ? [wrapDataKey(owner, 0, DATA_KEY)] : decodePackHeader(golden, 'golden').header.envelopes
  const headerBytes = encodePackHeader({ group: 0, repositoryId: REPOSITORY_ID, session: SESSION_BYTES, envelopes })
  const compressor = createCompressor(3)
  const sealed = [sealFrame(REPOSITORY_ID, DATA_KEY, 'data', BLOBS[0]!, undefined), sealFrame(REPOSITORY_ID, DATA_KEY, 'tree', BLOBS[1]!, compressor)]
  let offset = headerBytes.length
  const frames = sealed.map(({ bytes, ...shape }): FrameEntry => {
    const frame = { ...shape, offset, blobCount: 1, envelope: 0 }
    offset += bytes.length
    return frame
  })
  const blobs = concatBytes(...BLOBS.map((blob, i) => {
    const record = new Uint8Array(BLOB_RECORD_BYTES)
    record.set(keyedHash(owner.blobId(0, i === 0 ? 'data' : 'tree'))(blob))
    dataView(record).setUint32(32, blob.length, true)
    return record
  }))
  return { bytes: concatBytes(headerBytes, ...sealed.map(({ bytes }) => bytes), encodePackTail(headerBytes, DATA_KEY, { frames, blobs }, offset, false)), headerBytes, frames }
}

const LABEL = { role: 'owner', group: 0, user: 'ada', host: 'nautilus', createdNs: 1_700_000_000_000_000_000n } as const
const CHEAP = { algorithm: 1, memoryKib: 64, passes: 1, lanes: 1 } as const

export const SLOTS = {
  'slot of an owner, argon2id': () => encodeSlot(owner, ownerBundle(fixed('root key', 32)), LABEL, PASSWORD, CHEAP),
  'slot of an owner, scrypt': () => encodeSlot(owner, ownerBundle(fixed('root key', 32)), LABEL, PASSWORD, { algorithm: 2, cost: 1024, blockSize: 1, lanes: 1 }),
  'slot of a writer': () => encodeSlot(owner, WRITER_BUNDLE, { ...LABEL, role: 'writer', group: WRITER_GROUP }, PASSWORD, CHEAP),
} as const
