/**
 * The bytes of format 1, held for ever: each object of golden.json is read and gives what it was made
 * of, and what is made of the same is the same, byte by byte, once its nonces are the golden ones.
 *
 * `NACRE_MAKE_GOLDEN=1` adds objects that are missing in the file and changes none that is there. A
 * test that fails here says that old repositories can no longer be read, or that new ones would not be
 * read by older programs; it is never mended by making the file again.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { describe, expect, test } from 'vitest'
import { createDecompressor } from '../../src/codec/zstd.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { decodeConfig } from '../../src/repository/config.ts'
import { openEnvelopes } from '../../src/repository/envelope.ts'
import { openFrame } from '../../src/repository/frame.ts'
import { decodeGcRecord } from '../../src/repository/gc-record.ts'
import { decodeIndex } from '../../src/repository/index-object.ts'
import { decodeSlot, openSlot, openSlotLabel } from '../../src/repository/key-slot.ts'
import { decodePackHeader, decodeTrailer, openPackDirectory, TRAILER_BYTES } from '../../src/repository/pack.ts'
import { blobEntries } from '../../src/repository/pack-entry.ts'
import { decodeRegister } from '../../src/repository/register.ts'
import { decodeSession } from '../../src/repository/session-object.ts'
import { decodeSnapshot } from '../../src/snapshot/snapshot.ts'
import { decodeTreeBlob } from '../../src/snapshot/tree-blob.ts'
import { concatBytes, fromHex, toHex, utf8 } from '../../src/util/bytes.ts'
import { expectRefused } from '../util/expect-error.ts'
import * as made from './golden-objects.ts'
import { cbor } from './second-reader.ts'

const FILE = join(import.meta.dirname, 'golden.json')
const golden = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string>

/** The golden bytes of that name; those of `make` where there are none and they are asked for. */
function bytesOf(name: string, make: () => Uint8Array): Uint8Array {
  if (golden[name] === undefined && process.env['NACRE_MAKE_GOLDEN'] === '1') {
    golden[name] = toHex(make())
    writeFileSync(FILE, `${JSON.stringify(golden, undefined, 1)}\n`)
  }
  return fromHex(golden[name] ?? '')
}

function sealedBytes(name: keyof typeof made.SEALED): Uint8Array {
  return bytesOf(name, () => made.SEALED[name]!(undefined).bytes)
}

/** The same seal with the nonce that stands in `like`. */
function resealed(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array, like: Uint8Array): Uint8Array {
  const plain = xchacha20poly1305(key, sealed.subarray(0, 24), aad).decrypt(sealed.subarray(24))
  const nonce = like.slice(0, 24)
  return concatBytes(nonce, xchacha20poly1305(key, nonce, aad).encrypt(plain))
}

describe('encodings without chance', () => {
  test.each(Object.entries(made.PLAIN))('%s', (name, make) => {
    expect(toHex(make())).toBe(toHex(bytesOf(name, make)))
  })

  test('read back, and read the same by the second reader\'s CBOR', () => {
    const names = Object.keys(made.PLAIN).filter((name) => name.startsWith('tree blob'))
    for (const name of names) {
      const blob = decodeTreeBlob(fromHex(golden[name]!))
      const map = cbor(fromHex(golden[name]!)) as ReadonlyMap<number, unknown>
      expect([map.get(1), map.get(2)]).toEqual([blob.kind === 'directory' ? 1 : 2, blob.level])
    }
    const directory = decodeTreeBlob(fromHex(golden['tree blob: directory, level 0']!))
    expect(directory).toMatchObject({ kind: 'directory', level: 0 })
    expect('nodes' in directory && directory.nodes.map((node) => ({ ...node }))).toEqual(made.NODES)
    expect(decodeSnapshot(fromHex(golden['snapshot record']!))).toEqual(made.SNAPSHOT)
  })
})

describe('sealed objects', () => {
  test.each(Object.entries(made.SEALED))('%s is made again to the byte', (name, make) => {
    const expected = sealedBytes(name)
    const { bytes, at, key } = make(expected)
    expect(toHex(bytes.subarray(0, at))).toBe(toHex(expected.subarray(0, at)))
    const again = resealed(key, bytes.subarray(at), bytes.subarray(0, at), expected.subarray(at))
    expect(toHex(again)).toBe(toHex(expected.subarray(at)))
  })

  test('the config reads as it was made, for a writer too', () => {
    for (const keyring of [made.owner, made.writer]) expect(decodeConfig(keyring, sealedBytes('config'))).toEqual(made.CONFIG)
  })

  test('the index object reads as it was made', () => {
    const bytes = sealedBytes('index')
    const index = decodeIndex(made.owner, `0/${toHex(sha256(bytes))}`, bytes, [made.owner.ownerPublic])
    expect(index).toEqual({ packs: [made.packEntry(bytes)], replaces: [toHex(made.fixed('replaced', 32))] })
    expect(toHex(openEnvelopes(made.owner, 0, index.packs[0]!.envelopes).key)).toBe(toHex(made.DATA_KEY.key))
  })

  test('sessions read as they were made', () => {
    expect(decodeSession(made.owner, 0, made.NAME, sealedBytes('session'), [made.owner.ownerPublic])).toEqual(made.SESSION)
    const name = `${made.WRITER_GROUP}/${made.SID}`
    const writerPublic = fromHex(golden['public key of the writer']!)
    expect(decodeSession(made.owner, made.WRITER_GROUP, name, sealedBytes('session of a writer'), [writerPublic])).toEqual(made.SESSION)
  })

  test('snapshots and the fence read as they were made, and a writer cannot read its own', () => {
    const own = decodeRegister(made.owner, 0, made.NAME, sealedBytes('snapshot'), [made.owner.ownerPublic])
    expect(own.kind === 'snapshot' && decodeSnapshot(own.body)).toEqual(made.SNAPSHOT)
    const name = `${made.WRITER_GROUP}/${made.SID}`
    const writerPublic = fromHex(golden['public key of the writer']!)
    const theirs = decodeRegister(made.owner, made.WRITER_GROUP, name, sealedBytes('snapshot of a writer'), [writerPublic])
    expect(theirs.kind === 'snapshot' && decodeSnapshot(theirs.body)).toEqual(made.SNAPSHOT)
    expectRefused(() => decodeRegister(made.writer, made.WRITER_GROUP, name, sealedBytes('snapshot of a writer'), [writerPublic]), 'CORRUPT')
    expect(decodeRegister(made.owner, 0, made.NAME, sealedBytes('fence'), []).kind).toBe('fence')
  })

  test('gc records read as they were made', () => {
    for (const keyring of [made.owner, made.writer]) {
      expect(decodeGcRecord(keyring, 1, 'plan', sealedBytes('gc plan'))).toMatchObject({ packs: made.GC.packs, sweep: made.GC.sweep, sweptBefore: [] })
      expect(decodeGcRecord(keyring, 1, 'verdict', sealedBytes('gc verdict'))).toMatchObject(made.GC)
      expect(decodeGcRecord(keyring, 1, 'done', sealedBytes('gc done'))).toMatchObject({ packs: [], sweep: [], sweptBefore: [] })
    }
  })
})

test('the pack reads as it was made, and all of it but compressed bytes is made again', () => {
  const expected = bytesOf('pack', () => made.makePack(undefined).bytes)
  const { header, headerBytes } = decodePackHeader(expected, 'golden')
  expect(header).toMatchObject({ group: 0, repositoryId: made.REPOSITORY_ID, session: fromHex(made.SID) })
  expect(toHex(openEnvelopes(made.owner, 0, header.envelopes).key)).toBe(toHex(made.DATA_KEY.key))
  const length = decodeTrailer(expected.subarray(-TRAILER_BYTES), expected.length, 'golden')
  const tailAt = expected.length - TRAILER_BYTES - length
  const directory = openPackDirectory(headerBytes, made.DATA_KEY, expected.subarray(tailAt, -TRAILER_BYTES), 'golden')
  const decompressor = createDecompressor()
  const blobs = [...blobEntries(directory)].map(({ frame }) => openFrame(made.REPOSITORY_ID, made.DATA_KEY, frame, expected.subarray(frame.offset, frame.offset + frame.storedBytes), decompressor))
  expect(blobs.map((blob) => toHex(blob))).toEqual(made.BLOBS.map((blob) => toHex(blob)))
  expect(directory.frames.map(({ codec, blobType }) => [codec, blobType])).toEqual([[0, 'data'], [1, 'tree']])

  const again = made.makePack(expected)
  expect(toHex(again.headerBytes)).toBe(toHex(headerBytes))
  const { offset, storedBytes } = again.frames[0]!
  expect(directory.frames[0]).toEqual(again.frames[0])
  // The AAD of a frame, as section 11 has it.
  const aad = concatBytes(made.REPOSITORY_ID, made.DATA_KEY.id, Uint8Array.of(3, 1, 0, 0, 5, 0, 0, 0, 45, 0, 0, 0))
  const frame = resealed(made.DATA_KEY.key, again.bytes.subarray(offset, offset + storedBytes), aad, expected.subarray(offset))
  expect(toHex(frame)).toBe(toHex(expected.subarray(offset, offset + storedBytes)))
})

describe('password slots', () => {
  test.each(Object.entries(made.SLOTS))('%s', async (name, make) => {
    const fresh = (await make()).bytes
    const bytes = bytesOf(name, () => fresh)
    expect(bytes).toHaveLength(fresh.length)
    // All but salt, commitment and what is sealed is no chance.
    expect(toHex(bytes.subarray(0, 67))).toBe(toHex(fresh.subarray(0, 67)))
    const slot = decodeSlot(toHex(sha256(bytes)), bytes)
    expect(await openSlot(slot, utf8('another'))).toBeUndefined()
    const bundle = await openSlot(slot, made.PASSWORD)
    const role = name.includes('writer') ? 'writer' : 'owner'
    expect(bundle).toMatchObject({ role, group: role === 'writer' ? made.WRITER_GROUP : 0 })
    expect(bundle!.keys.map((key) => key.name)).toEqual(role === 'owner' ? ['root'] : ['config', 'gc', 'index', 'blob-id data', 'blob-id tree', 'envelope public', 'owner public', 'signing'])
    expect(openSlotLabel(slot, made.owner.config)).toMatchObject({ role, user: 'ada', host: 'nautilus' })
  })
})
