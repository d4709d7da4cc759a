/**
 * The clear header that every object but a pack begins with. It is associated data of all that
 * follows, so it cannot be changed; and it holds the object's own name, so that nothing can be
 * taken for anything else (objects named by their hash need none).
 *
 *   0  magic[8]
 *   8  version u8
 *   9  suite u8
 *  10  record type u8
 *  11  zero u8
 *  12  group u32
 *  16  repository id[16]
 *  32  key id[16]
 *  48  key epoch u32
 *  52  name length u16
 *  54  name (ASCII)
 */
import { concatBytes, dataView, equalBytes, toHex, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { FORMAT_VERSION, KEY_ID_BYTES, MAGIC, REPOSITORY_ID_BYTES, type RecordType, SUITE } from './format.ts'

const AT_VERSION = 8
const AT_SUITE = 9
const AT_TYPE = 10
const AT_GROUP = 12
const AT_REPOSITORY = 16
const AT_KEY = 32
const AT_EPOCH = 48
const AT_NAME_LENGTH = 52
const AT_NAME = 54

export interface Header {
  readonly type: RecordType
  readonly group: number
  readonly repositoryId: Uint8Array
  readonly keyId: Uint8Array
  readonly epoch: number
  /** Empty for objects that are named by their hash. */
  readonly name: string
}

export function encodeHeader(header: Header): Uint8Array {
  const name = utf8(header.name)
  const bytes = new Uint8Array(AT_NAME)
  const view = dataView(bytes)
  bytes.set(MAGIC)
  bytes[AT_VERSION] = FORMAT_VERSION
  bytes[AT_SUITE] = SUITE
  bytes[AT_TYPE] = header.type
  view.setUint32(AT_GROUP, header.group, true)
  bytes.set(header.repositoryId, AT_REPOSITORY)
  bytes.set(header.keyId, AT_KEY)
  view.setUint32(AT_EPOCH, header.epoch, true)
  view.setUint16(AT_NAME_LENGTH, name.length, true)
  return concatBytes(bytes, name)
}

/**
 * @param what - names the object in errors
 * @throws {BackupError} CORRUPT - no header of ours; REPOSITORY_VERSION - one of a later version
 */
export function decodeHeader(bytes: Uint8Array, what: string): { header: Header; headerBytes: Uint8Array; body: Uint8Array } {
  if (bytes.length < AT_NAME) throw new BackupError('CORRUPT', `${what} is cut short (${bytes.length} bytes)`)
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) throw new BackupError('CORRUPT', `${what} does not begin as an object of nacre does`)
  const view = dataView(bytes)
  refuseOtherVersions(bytes[AT_VERSION]!, bytes[AT_SUITE]!, what)
  const end = AT_NAME + view.getUint16(AT_NAME_LENGTH, true)
  if (bytes.length < end) throw new BackupError('CORRUPT', `${what} is cut short (${bytes.length} bytes)`)
  const header: Header = {
    type: bytes[AT_TYPE] as RecordType,
    group: view.getUint32(AT_GROUP, true),
    repositoryId: bytes.slice(AT_REPOSITORY, AT_REPOSITORY + REPOSITORY_ID_BYTES),
    keyId: bytes.slice(AT_KEY, AT_KEY + KEY_ID_BYTES),
    epoch: view.getUint32(AT_EPOCH, true),
    name: Buffer.from(bytes.subarray(AT_NAME, end)).toString('latin1'),
  }
  return { header, headerBytes: bytes.subarray(0, end), body: bytes.subarray(end) }
}

export function refuseOtherVersions(version: number, suite: number, what: string): void {
  if (version !== FORMAT_VERSION) throw new BackupError('REPOSITORY_VERSION', `${what} has format version ${version}; this nacre reads version ${FORMAT_VERSION}: use a newer one`)
  if (suite !== SUITE) throw new BackupError('REPOSITORY_VERSION', `${what} uses cipher suite ${suite}, which this nacre does not know: use a newer one`)
}

/** What a header must be for an object to be what it was asked for. */
export interface Expected {
  readonly types: readonly RecordType[]
  readonly repositoryId: Uint8Array
  readonly group: number
  readonly name: string
}

/** @throws {BackupError} CORRUPT - the object is another than the one asked for */
export function requireHeader(header: Header, expected: Expected, what: string): void {
  if (!equalBytes(header.repositoryId, expected.repositoryId)) {
    throw new BackupError('CORRUPT', `${what} belongs to another repository (${toHex(header.repositoryId)})`)
  }
  if (!expected.types.includes(header.type)) throw new BackupError('CORRUPT', `${what} is an object of another kind (${header.type})`)
  if (header.group !== expected.group) throw new BackupError('CORRUPT', `${what} belongs to another group (${header.group})`)
  if (header.name !== expected.name) throw new BackupError('CORRUPT', `${what} stands under a name that is not its own (${JSON.stringify(header.name)})`)
}
