/**
 * A second reader of the format, written from docs/format.md and from nothing else: it shares no line
 * with the program (it may import nothing from src/), has its own CBOR, and gets its cryptography from
 * other implementations where there are any. What both read the same is what the page says.
 *
 * It is for small repositories in a folder: it holds the index in memory and reads in no hurry.
 */
import { createHash, createPrivateKey, createPublicKey, diffieHellman, verify } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { argon2id } from '@noble/hashes/argon2.js'
import { blake3 } from '@noble/hashes/blake3.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { scrypt } from '@noble/hashes/scrypt.js'
import { sha256 } from '@noble/hashes/sha2.js'

type Bytes = Uint8Array
export type Map_ = ReadonlyMap<number, unknown>

function refuse(what: string): never {
  throw new Error(`the second reader refuses ${what}`)
}

const hex = (bytes: Bytes): string => Buffer.from(bytes).toString('hex')
const u16 = (bytes: Bytes, at: number): number => Buffer.from(bytes).readUInt16LE(at)
const u32 = (bytes: Bytes, at: number): number => Buffer.from(bytes).readUInt32LE(at)
const u64 = (bytes: Bytes, at: number): bigint => Buffer.from(bytes).readBigUInt64LE(at)
const join_ = (...parts: Bytes[]): Bytes => new Uint8Array(Buffer.concat(parts))
const ascii = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'utf8'))
const same = (a: Bytes, b: Bytes): boolean => Buffer.compare(a, b) === 0

// ---- section 1: CBOR, the deterministic form only

export function cbor(bytes: Bytes): unknown {
  const [value, end] = item(bytes, 0)
  if (end !== bytes.length) refuse('bytes behind a CBOR item')
  return value
}

function item(bytes: Bytes, at: number): [unknown, number] {
  const first = bytes[at] ?? refuse('CBOR that is cut short')
  const [argument, next] = argumentOf(bytes, at)
  switch (first >> 5) {
    case 0:
      return [number(argument), next]
    case 1:
      return [number(-1n - argument), next]
    case 2:
    case 3: {
      const end = next + Number(argument)
      if (end > bytes.length) refuse('a CBOR string that is cut short')
      const raw = bytes.slice(next, end)
      return [first >> 5 === 2 ? raw : new TextDecoder('utf-8', { fatal: true }).decode(raw), end]
    }
    case 4: {
      const list: unknown[] = []
      let position = next
      for (let i = 0n; i < argument; i++) {
        const [value, end] = item(bytes, position)
        list.push(value)
        position = end
      }
      return [list, position]
    }
    case 5: {
      const map = new Map<number, unknown>()
      let position = next
      let before = Number.NEGATIVE_INFINITY
      for (let i = 0n; i < argument; i++) {
        const [key, middle] = item(bytes, position)
        // Every map of this format has keys from 0 on, so their order is that of the numbers.
        if (typeof key !== 'number' || key < 0 || key <= before) refuse('a CBOR map whose keys are not ascending numbers')
        const [value, end] = item(bytes, middle)
        map.set(key, value)
        before = key
        position = end
      }
      return [map, position]
    }
    default:
      return refuse(`CBOR of major type ${first >> 5}`)
  }
}

function argumentOf(bytes: Bytes, at: number): [bigint, number] {
  const short = bytes[at]! & 31
  if (short < 24) return [BigInt(short), at + 1]
  const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[short] ?? refuse('an indefinite CBOR length')
  if (at + 1 + size > bytes.length) refuse('CBOR that is cut short')
  let value = 0n
  for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(bytes[at + 1 + i]!)
  const least = size === 1 ? 24n : 1n << BigInt(4 * size)
  if (value < least) refuse('a CBOR number longer than needed')
  return [value, at + 1 + size]
}

function number(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
}

const asMap = (value: unknown): Map_ => (value instanceof Map ? (value as Map_) : refuse('what should be a map'))
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : refuse('what should be a list'))
const asBytes = (value: unknown, length?: number): Bytes => (value instanceof Uint8Array && (length === undefined || value.length === length) ? value : refuse('what should be bytes'))
const asNumber = (value: unknown): number => (typeof value === 'number' ? value : refuse('what should be a number'))
const asText = (value: unknown): string => (typeof value === 'string' ? value : refuse('what should be text'))

function records(bytes: Bytes, size: number): Bytes[] {
  if (bytes.length % size !== 0) refuse('a broken table')
  return Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}

// ---- sections 3 and 4: sealing and keys

function open(key: Bytes, sealed: Bytes, aad: Bytes): Bytes {
  return xchacha20poly1305(key, sealed.subarray(0, 24), aad).decrypt(sealed.subarray(24))
}

function derive(key: Bytes, salt: Bytes, label: string, length = 32): Bytes {
  return hkdf(sha256, key, salt, ascii(`nacre v1 ${label}`), length)
}

const PKCS8 = { ed25519: '302e020100300506032b657004220420', x25519: '302e020100300506032b656e04220420' }
const SPKI = { ed25519: '302a300506032b6570032100', x25519: '302a300506032b656e032100' }

function publicOf(kind: 'ed25519' | 'x25519', seed: Bytes): Bytes {
  const key = createPrivateKey({ key: Buffer.from(PKCS8[kind] + hex(seed), 'hex'), format: 'der', type: 'pkcs8' })
  return new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32))
}

function agree(seed: Bytes, theirs: Bytes): Bytes {
  const privateKey = createPrivateKey({ key: Buffer.from(PKCS8.x25519 + hex(seed), 'hex'), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey({ key: Buffer.from(SPKI.x25519 + hex(theirs), 'hex'), format: 'der', type: 'spki' })
  return new Uint8Array(diffieHellman({ privateKey, publicKey }))
}

// ---- section 5: the clear header

const MAGIC = Buffer.from('894e43520d0a1a0a', 'hex')

interface Header {
  readonly type: number
  readonly group: number
  readonly repositoryId: Bytes
  readonly keyId: Bytes
  readonly name: string
  readonly bytes: Bytes
  readonly rest: Bytes
}

function header(bytes: Bytes): Header {
  if (bytes.length < 54 || !same(bytes.subarray(0, 8), MAGIC)) refuse('an object without a header')
  if (bytes[8] !== 1 || bytes[9] !== 1) refuse('an object of a later version')
  const end = 54 + u16(bytes, 52)
  if (bytes.length < end) refuse('an object that is cut short')
  return {
    type: bytes[10]!,
    group: u32(bytes, 12),
    repositoryId: bytes.slice(16, 32),
    keyId: bytes.slice(32, 48),
    name: Buffer.from(bytes.subarray(54, end)).toString('ascii'),
    bytes: bytes.subarray(0, end),
    rest: bytes.subarray(end),
  }
}

// ---- section 11: frames

function unzstd(bytes: Bytes, length: number): Bytes {
  const decompress = (zlib as { zstdDecompressSync?: (input: Bytes) => Buffer }).zstdDecompressSync ?? (createRequire(import.meta.url)('zstd-napi') as { decompress(input: Bytes): Buffer }).decompress
  const plain = new Uint8Array(decompress(bytes))
  if (plain.length !== length) refuse('a frame of another length than it states')
  return plain
}

interface Frame {
  readonly offset: number
  readonly stored: number
  readonly plain: number
  readonly count: number
  readonly codec: number
  readonly type: number
  readonly envelope: number
}

function frameOf(record: Bytes): Frame {
  return { offset: u32(record, 0), stored: u32(record, 4), plain: u32(record, 8), count: u32(record, 12), codec: record[16]!, type: record[17]!, envelope: record[18]! }
}

interface Place {
  readonly pack: string
  readonly group: number
  readonly envelopes: readonly unknown[]
  readonly frame: Frame
  readonly offset: number
  readonly length: number
}

/** Sections 12 and 13: where each blob of a pack lies, by its tables. */
function placesOf(pack: string, group: number, envelopes: readonly unknown[], frames: Bytes, blobs: Bytes): Map<string, Place> {
  const places = new Map<string, Place>()
  const waiting = records(blobs, 36)
  for (const frame of records(frames, 20).map(frameOf)) {
    let offset = 0
    for (const blob of waiting.splice(0, frame.count)) {
      const length = u32(blob, 32)
      places.set(hex(blob.subarray(0, 32)), { pack, group, envelopes, frame, offset, length })
      offset += length
    }
    if (offset !== frame.plain) refuse('a frame whose blobs do not add up')
  }
  if (waiting.length > 0) refuse('blobs without a frame')
  return places
}

export interface SecondSnapshot {
  readonly name: string
  readonly record: Map_
}

export interface Entry {
  /** Below the root, `/` between the names. */
  readonly path: Bytes
  readonly node: Map_
}

const RECORD = { config: 1, index: 4, session: 5, snapshot: 6, fence: 7, plan: 10, verdict: 11, done: 12 }

export class SecondReader {
  readonly repositoryId: Bytes
  readonly config: Map_
  readonly #folder: string
  readonly #root: Bytes
  readonly #places = new Map<string, Place[]>()
  readonly #frames = new Map<string, Bytes>()

  constructor(folder: string, password: string) {
    this.#folder = folder
    const config = this.#read('config')
    this.repositoryId = header(config).repositoryId
    this.#root = this.#unlock(ascii(password))
    this.config = this.#signed('config', RECORD.config, 0, 'config', this.#key('config'))
    if (asText(this.config.get(3)) !== 'fastcdc' || asList(this.config.get(9)).length > 0) refuse('a repository with features it does not know')
    for (const group of this.#list('index')) for (const id of this.#list(`index/${group}`)) this.#loadIndex(Number(group), id)
  }

  #read(path: string): Bytes {
    return new Uint8Array(readFileSync(join(this.#folder, path)))
  }

  #list(path: string): string[] {
    const folder = join(this.#folder, path)
    return existsSync(folder) ? readdirSync(folder).sort() : []
  }

  /** Objects that are named by the hash of their bytes. */
  #readNamed(folder: string, id: string): Bytes {
    const bytes = this.#read(`${folder}/${id}`)
    if (createHash('sha256').update(bytes).digest('hex') !== id) refuse(`${folder}/${id}: its name is not its hash`)
    return bytes
  }

  #key(label: string): Bytes {
    return derive(this.#root, this.repositoryId, label)
  }

  #keyId(key: Bytes): Bytes {
    return derive(key, this.repositoryId, 'key id', 16)
  }

  /** Section 7. */
  #unlock(password: Bytes): Bytes {
    for (const id of this.#list('keys')) {
      const slot = this.#readNamed('keys', id)
      const { type, group, repositoryId, name } = header(slot)
      if (slot.length !== 4563 || type !== 2 || group !== 0 || name !== '' || !same(repositoryId, this.repositoryId)) refuse('a slot that is none')
      const [first, second, third] = [u32(slot, 55), u32(slot, 59), u32(slot, 63)]
      const salt = slot.subarray(67, 99)
      const derived = slot[54] === 1 ? argon2id(password, salt, { m: first, t: second, p: third, dkLen: 64 }) : scrypt(password, salt, { N: first, r: second, p: third, dkLen: 64 })
      if (!same(derive(derived, this.repositoryId, 'slot commitment'), slot.subarray(99, 131))) continue
      const padded = open(derive(derived, this.repositoryId, 'slot bundle'), slot.subarray(427), slot.subarray(0, 99))
      const bundle = asMap(cbor(padded.subarray(2, 2 + u16(padded, 0))))
      if (bundle.get(1) !== 'owner') refuse('a bundle that is not an owner\'s')
      const [root] = asList(bundle.get(3)).map(asList).filter(([name]) => name === 'root')
      return asBytes(root?.[2], 32)
    }
    return refuse('the password')
  }

  /** Sections 3, 5 and 6: a sealed object whose payload is the owner's signed record. */
  #signed(path: string, type: number, group: number, name: string, key: Bytes): Map_ {
    const head = header(this.#read(path))
    if (head.type !== type || head.group !== group || head.name !== name || !same(head.repositoryId, this.repositoryId)) refuse(`${path}: it is another object`)
    if (!same(head.keyId, this.#keyId(key))) refuse(`${path}: it names another key`)
    return this.#record(open(key, head.rest, head.bytes), type, group, name)
  }

  #record(bytes: Bytes, type: number, group: number, name: string): Map_ {
    const [body, signer, signature] = asList(cbor(bytes)).map((field) => asBytes(field))
    const owner = publicOf('ed25519', this.#key('owner'))
    if (!same(signer!, owner)) refuse(`${name}: the owner did not sign it`)
    const message = join_(ascii(`nacre v1 signature ${type} ${group} ${name} `), this.repositoryId, sha256(body!))
    const key = createPublicKey({ key: Buffer.from(SPKI.ed25519 + hex(owner), 'hex'), format: 'der', type: 'spki' })
    if (!verify(null, message, key, signature!)) refuse(`${name}: its signature does not fit`)
    return asMap(cbor(body!))
  }

  /** Section 9: the data key of that id. */
  #dataKey(group: number, envelopes: readonly unknown[], id: Bytes): Bytes {
    const wrap = this.#key(`wrap ${group}`)
    const seed = this.#key('envelope')
    const box = publicOf('x25519', seed)
    for (const [dataKeyId, recipient, kind, bytes] of envelopes.map(asList)) {
      if (!same(asBytes(dataKeyId, 16), id)) continue
      const aad = join_(ascii(`nacre v1 envelope ${group} `), this.repositoryId, id)
      const sealed = asBytes(bytes)
      let key: Bytes | undefined
      if (kind === 1 && same(asBytes(recipient, 16), this.#keyId(wrap))) key = open(wrap, sealed, aad)
      if (kind === 2 && same(asBytes(recipient, 16), this.#keyId(box))) {
        const ephemeral = sealed.subarray(0, 32)
        key = open(derive(agree(seed, ephemeral), join_(ephemeral, box), 'sealed box'), sealed.subarray(32), aad)
      }
      if (key === undefined) continue
      if (!same(this.#keyId(key), id)) refuse('an envelope with another key than it states')
      return key
    }
    return refuse('what no envelope opens')
  }

  /** Section 13. */
  #loadIndex(group: number, id: string): void {
    this.#readNamed(`index/${group}`, id)
    const body = this.#signed(`index/${group}/${id}`, RECORD.index, group, '', this.#key(`index ${group}`))
    for (const entry of asList(body.get(1)).map(asMap)) {
      const places = placesOf(hex(asBytes(entry.get(1), 32)), group, asList(entry.get(4)), asBytes(entry.get(5)), asBytes(entry.get(6)))
      for (const [blob, place] of places) this.#places.set(blob, [...(this.#places.get(blob) ?? []), place])
    }
  }

  /** Ids of all blobs that the index states, and of those the packs' own directories state. */
  blobs(): { index: string[]; packs: string[] } {
    const packs = this.#list('packs').flatMap((shard) => this.#list(`packs/${shard}`).flatMap((id) => [...this.#packPlaces(id).keys()]))
    const index = [...this.#places].flatMap(([id, places]) => places.map(() => id))
    return { index: index.sort(), packs: packs.sort() }
  }

  /** Section 12: what a pack says of itself. */
  #packPlaces(id: string): Map<string, Place> {
    const pack = this.#readNamed(`packs/${id.slice(0, 2)}`, id)
    if (!same(pack.subarray(0, 8), MAGIC) || pack[8] !== 1 || pack[9] !== 1 || pack[10] !== 3) refuse('a pack without a header')
    if (!same(pack.subarray(16, 32), this.repositoryId)) refuse('a pack of another repository')
    const group = u32(pack, 12)
    const end = 52 + u32(pack, 48)
    const envelopes = asList(cbor(pack.subarray(52, end)))
    if (!same(pack.subarray(-4), ascii('NCRE'))) refuse('a pack without an end')
    const sealed = pack.subarray(pack.length - 8 - u32(pack, pack.length - 8), pack.length - 8)
    const key = this.#dataKey(group, envelopes, asBytes(asList(envelopes[0])[0], 16))
    const directory = asMap(cbor(open(key, sealed, pack.subarray(0, end))))
    return placesOf(id, group, envelopes, asBytes(directory.get(1)), asBytes(directory.get(2)))
  }

  /** Sections 10 and 11. */
  blob(type: 'data' | 'tree', id: Bytes): Bytes {
    const [place] = this.#places.get(hex(id)) ?? []
    if (place === undefined) return refuse(`the blob ${hex(id)}, which the index does not state`)
    const { pack, group, envelopes, frame, offset, length } = place
    const name = `${pack}:${frame.offset}`
    const plain = this.#frames.get(name) ?? this.#frame(pack, group, envelopes, frame)
    this.#frames.set(name, plain)
    const bytes = plain.subarray(offset, offset + length)
    if (!same(blake3(bytes, { key: this.#key(`blob-id ${type} ${group}`) }), id)) refuse('a blob that is another than its id says')
    return bytes
  }

  #frame(pack: string, group: number, envelopes: readonly unknown[], frame: Frame): Bytes {
    const sealed = this.#read(`packs/${pack.slice(0, 2)}/${pack}`).subarray(frame.offset, frame.offset + frame.stored)
    const dataKeyId = asBytes(asList(envelopes[frame.envelope])[0], 16)
    const aad = Buffer.alloc(44)
    aad.set(this.repositoryId, 0)
    aad.set(dataKeyId, 16)
    aad[32] = 3
    aad[33] = frame.type
    aad[34] = frame.codec
    aad.writeUInt32LE(frame.plain, 36)
    aad.writeUInt32LE(frame.stored, 40)
    const body = open(this.#dataKey(group, envelopes, dataKeyId), sealed, new Uint8Array(aad))
    if (frame.codec > 1) refuse('a codec it does not know')
    return frame.codec === 1 ? unzstd(body, frame.plain) : body
  }

  /** Section 16: names that the newest verdict lists as swept. */
  #swept(): Set<string> {
    const verdict = this.#list('gc').filter((name) => name.endsWith('.verdict')).at(-1)
    if (verdict === undefined) return new Set()
    const body = this.#signed(`gc/${verdict}`, RECORD.verdict, 0, verdict, this.#key('gc'))
    return new Set([2, 3].flatMap((key) => records(asBytes(body.get(key)), 20).map((record) => `${u32(record, 0)}/${hex(record.subarray(4))}`)))
  }

  /** Sections 15 and 18, by the time of their start. */
  snapshots(): SecondSnapshot[] {
    const swept = this.#swept()
    const found: SecondSnapshot[] = []
    for (const group of this.#list('snapshots')) {
      for (const sid of this.#list(`snapshots/${group}`)) {
        const name = `${group}/${sid}`
        if (swept.has(name)) continue
        const head = header(this.#read(`snapshots/${name}`))
        if (head.name !== name || head.group !== Number(group) || !same(head.repositoryId, this.repositoryId)) refuse(`${name}: it is another object`)
        if (head.type === RECORD.fence) {
          this.#signed(`snapshots/${name}`, RECORD.fence, Number(group), name, this.#key('gc'))
          continue
        }
        if (head.type !== RECORD.snapshot) refuse(`${name}: it is no snapshot`)
        const end = 2 + u16(head.rest, 0)
        const envelopes = asList(cbor(head.rest.subarray(2, end)))
        const key = this.#dataKey(Number(group), envelopes, head.keyId)
        const payload = open(key, head.rest.subarray(end), join_(head.bytes, head.rest.subarray(0, end)))
        found.push({ name, record: this.#record(payload, RECORD.snapshot, Number(group), name) })
      }
    }
    return found.sort((a, b) => (BigInt(a.record.get(8) as number) < BigInt(b.record.get(8) as number) ? -1 : 1))
  }

  /** Section 19: the entries of a list, level by level. */
  *#entries(id: Bytes, kind: number, below: number): Generator<unknown> {
    const blob = asMap(cbor(this.blob('tree', id)))
    const level = asNumber(blob.get(2))
    if (blob.get(1) !== kind || level >= below) refuse('a list of another kind or level')
    const entries = kind === 1 ? asList(blob.get(3)) : records(asBytes(blob.get(3)), level === 0 ? 36 : 40)
    if (level === 0) return yield* entries
    for (const child of entries) {
      const childId = kind === 1 ? asBytes(asList(child)[1], 32) : (child as Bytes).subarray(0, 32)
      let total = 0n
      for (const entry of this.#entries(childId, kind, level)) {
        if (kind === 2) total += BigInt(u32(entry as Bytes, 32))
        yield entry
      }
      if (kind === 2 && total !== u64(child as Bytes, 32)) refuse('a child whose length is not what lies below it')
    }
  }

  /** Section 20: everything below a root list, folders before what is in them. */
  *walk(root: Bytes, path: Bytes = new Uint8Array(0)): Generator<Entry> {
    let before: Bytes | undefined
    for (const entry of this.#entries(root, 1, 33)) {
      const node = asMap(entry)
      const name = asBytes(node.get(1))
      if (before !== undefined && Buffer.compare(before, name) >= 0) refuse('names that are out of order')
      before = name
      const own = join_(path, ascii('/'), name)
      yield { path: own, node }
      if (node.get(2) === 2) yield* this.walk(asBytes(node.get(19), 32), own)
    }
  }

  /** Section 21: the data blobs of a content. */
  *blobsOf(content: Bytes): Generator<Bytes> {
    const list = content.length === 32 ? this.#entries(content, 2, 33) : records(content, 36)
    for (const record of list as Iterable<Bytes>) {
      const bytes = this.blob('data', record.slice(0, 32))
      if (bytes.length !== u32(record, 32)) refuse('a blob of another length than its record states')
      yield bytes
    }
  }

  /** A file's bytes, with the holes of a sparse one. */
  content(node: Map_): Bytes {
    const stored = join_(...this.blobsOf(asBytes(node.get(18))))
    const extents = node.get(24)
    const size = asNumber(node.get(8))
    if (extents === undefined) return stored.length === size ? stored : refuse('a content of another length than the file')
    const whole = new Uint8Array(size)
    let at = 0
    for (const [offset, length] of asList(extents).map(asList)) {
      whole.set(stored.subarray(at, at + asNumber(length)), asNumber(offset))
      at += asNumber(length)
    }
    return at === stored.length ? whole : refuse('extents that are not as long as the content')
  }
}
