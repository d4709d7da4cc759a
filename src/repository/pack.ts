/**
 * Packs: header ‖ envelopes ‖ frames ‖ sealed directory ‖ trailer. A pack explains itself: with a
 * key and nothing else, its directory gives back what the index said of it.
 *
 * Header, 52 bytes: magic[8] ‖ version u8 ‖ suite u8 ‖ record type u8 ‖ zero u8 ‖ group u32 ‖
 * repository id[16] ‖ session[16] ‖ length of envelopes u32; then the envelopes in CBOR.
 * Directory: CBOR {1: frames, 2: blobs, 3: padding}, sealed under the data key of the first
 * envelope, with header and envelopes as associated data. Trailer, 8 bytes: length of the sealed
 * directory u32 ‖ "NCRE".
 */
import { open, seal, SEAL_OVERHEAD_BYTES } from '../crypto/aead.ts'
import { asBytes, asMap, decodeCbor, encodeCbor } from '../codec/cbor.ts'
import { concatBytes, dataView, equalBytes, utf8 } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { type DataKey, type Envelope, envelopesFromCbor, envelopesToCbor } from './envelope.ts'
import { FORMAT_VERSION, KIB, MAGIC, RECORD, REPOSITORY_ID_BYTES, SID_BYTES, SUITE } from './format.ts'
import { refuseOtherVersions } from './header.ts'
import { decodeDirectory, encodeFrames, type PackDirectory } from './pack-entry.ts'

const AT_TYPE = 10
const AT_GROUP = 12
const AT_REPOSITORY = 16
const AT_SESSION = 32
const AT_ENVELOPES_LENGTH = 48
const HEADER_BYTES = 52

const TRAILER_MAGIC = utf8('NCRE')
export const TRAILER_BYTES = 8
const DIRECTORY_STEP = 4 * KIB
const ENVELOPES_BYTES_LIMIT = 64 * KIB
/** The most that stands before the first frame. */
export const PACK_HEADER_BYTES_LIMIT = HEADER_BYTES + ENVELOPES_BYTES_LIMIT

export interface PackHeader {
  readonly group: number
  readonly repositoryId: Uint8Array
  readonly session: Uint8Array
  readonly envelopes: readonly Envelope[]
}

export function encodePackHeader(header: PackHeader): Uint8Array {
  const envelopes = encodeCbor(envelopesToCbor(header.envelopes))
  const bytes = new Uint8Array(HEADER_BYTES)
  const view = dataView(bytes)
  bytes.set(MAGIC)
  bytes[8] = FORMAT_VERSION
  bytes[9] = SUITE
  bytes[AT_TYPE] = RECORD.pack
  view.setUint32(AT_GROUP, header.group, true)
  bytes.set(header.repositoryId, AT_REPOSITORY)
  bytes.set(header.session, AT_SESSION)
  view.setUint32(AT_ENVELOPES_LENGTH, envelopes.length, true)
  return concatBytes(bytes, envelopes)
}

/** Length of a header without its envelopes. */
export const PACK_START_BYTES = HEADER_BYTES

/**
 * Whose a pack is, by its first bytes; nothing of it is authenticated.
 * @throws {BackupError} CORRUPT, REPOSITORY_VERSION
 */
export function decodePackStart(bytes: Uint8Array, what: string): Omit<PackHeader, 'envelopes'> {
  if (bytes.length < HEADER_BYTES || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC) || bytes[AT_TYPE] !== RECORD.pack) {
    throw new BackupError('CORRUPT', `${what} does not begin as a pack does`)
  }
  refuseOtherVersions(bytes[8]!, bytes[9]!, what)
  return {
    group: dataView(bytes).getUint32(AT_GROUP, true),
    repositoryId: bytes.slice(AT_REPOSITORY, AT_REPOSITORY + REPOSITORY_ID_BYTES),
    session: bytes.slice(AT_SESSION, AT_SESSION + SID_BYTES),
  }
}

/**
 * @param bytes - the beginning of a pack, or all of it
 * @throws {BackupError} CORRUPT, REPOSITORY_VERSION
 */
export function decodePackHeader(bytes: Uint8Array, what: string): { header: PackHeader; headerBytes: Uint8Array } {
  const start = decodePackStart(bytes, what)
  const length = dataView(bytes).getUint32(AT_ENVELOPES_LENGTH, true)
  if (length > ENVELOPES_BYTES_LIMIT || bytes.length < HEADER_BYTES + length) throw new BackupError('CORRUPT', `${what} has a broken header`)
  const headerBytes = bytes.subarray(0, HEADER_BYTES + length)
  return { header: { ...start, envelopes: envelopesFromCbor(decodeCbor(headerBytes.subarray(HEADER_BYTES))) }, headerBytes }
}

/**
 * Padmé (Nikitin et al., PETS 2019): the next size that leaks only O(log log size) bits, at most
 * 12 % above.
 */
export function padme(size: number): number {
  if (size < 2) return size
  const exponent = Math.floor(Math.log2(size))
  const step = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1))
  return Math.ceil(size / step) * step
}

/**
 * Sealed directory and trailer, to be written behind the frames.
 * @param framesEnd - bytes written before them
 * @param isLast - whether the pack is padded as a whole, as the last one of a session, whose size
 * would otherwise tell how much was new
 */
export function encodePackTail(headerBytes: Uint8Array, dataKey: DataKey, directory: PackDirectory, framesEnd: number, isLast: boolean): Uint8Array {
  const fixed = framesEnd + SEAL_OVERHEAD_BYTES + TRAILER_BYTES
  const goal = (least: number): number => (isLast ? padme(fixed + least) - fixed : Math.ceil(least / DIRECTORY_STEP) * DIRECTORY_STEP)
  const plaintext = paddedDirectory(encodeFrames(directory.frames), directory.blobs, goal)
  const sealed = seal(dataKey.key, plaintext, headerBytes)
  const trailer = new Uint8Array(TRAILER_BYTES)
  dataView(trailer).setUint32(0, sealed.length, true)
  trailer.set(TRAILER_MAGIC, 4)
  return concatBytes(sealed, trailer)
}

function encodeDirectory(frames: Uint8Array, blobs: Uint8Array, padding: number): Uint8Array {
  return encodeCbor(new Map<number, unknown>([[1, frames], [2, blobs], [3, new Uint8Array(padding)]]))
}

/**
 * The length of padding takes bytes itself, and takes more of them from 24, 256 and 65,536 on: the
 * few sizes just there cannot be met, and the next goal is taken.
 */
function paddedDirectory(frames: Uint8Array, blobs: Uint8Array, goal: (least: number) => number): Uint8Array {
  const bare = encodeDirectory(frames, blobs, 0).length
  for (let least = bare; ; least++) {
    const wanted = goal(least)
    for (let padding = Math.max(0, wanted - bare - 4); padding <= wanted - bare; padding++) {
      const bytes = encodeDirectory(frames, blobs, padding)
      if (bytes.length === wanted) return bytes
    }
  }
}

/** Length of the sealed directory, by the pack's last 8 bytes. */
export function decodeTrailer(trailer: Uint8Array, packBytes: number, what: string): number {
  const length = trailer.length === TRAILER_BYTES && equalBytes(trailer.subarray(4), TRAILER_MAGIC) ? dataView(trailer).getUint32(0, true) : 0
  if (length <= SEAL_OVERHEAD_BYTES || length + TRAILER_BYTES + HEADER_BYTES > packBytes) throw new BackupError('CORRUPT', `${what} does not end as a pack does: it is cut short or changed`)
  return length
}

/** @throws {BackupError} CORRUPT - the directory, the header or an envelope was changed */
export function openPackDirectory(headerBytes: Uint8Array, dataKey: DataKey, sealed: Uint8Array, what: string): PackDirectory {
  const map = asMap(decodeCbor(open(dataKey.key, sealed, headerBytes)), what)
  return decodeDirectory(asBytes(map.get(1), 'frames'), asBytes(map.get(2), 'blobs'), `the directory of ${what}`)
}
