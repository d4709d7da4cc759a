/**
 * A pack as its own directory states it: what an index object says of it, without an index. All of it
 * is authenticated by the pack's data key, and all of it may lie all the same, for whoever may write
 * can make such a key: so every length is held against the pack's size before it is believed.
 */
import { equalBytes, toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { openEnvelopes } from './envelope.ts'
import { MIB, PACK_BYTES_LIMIT } from './format.ts'
import { decodePackHeader, decodeTrailer, openPackDirectory, PACK_HEADER_BYTES_LIMIT, TRAILER_BYTES } from './pack.ts'
import { type PackEntry, packEntryFromCbor, packEntryToCbor } from './pack-entry.ts'
import type { Repository } from './repository.ts'

/** Of a pack of 1 GiB, blobs of 150 bytes on average; a directory is in memory twice while it is opened. */
const DIRECTORY_BYTES_LIMIT = 256 * MIB

export interface OwnEntry {
  readonly group: number
  readonly entry: PackEntry
}

/**
 * @param sizeBytes - of the pack, as listed
 * @throws {BackupError} CORRUPT, BACKEND_TRUNCATED, BACKEND_NOT_FOUND - it does not say what it holds;
 * REPOSITORY_VERSION - a later version wrote it
 */
export async function loadPackEntry({ backend, keyring }: Repository, packId: string, sizeBytes: number, signal?: AbortSignal): Promise<OwnEntry> {
  const what = `pack ${packId.slice(0, 16)}`
  const ref = { type: 'packs', name: packId } as const
  if (sizeBytes < TRAILER_BYTES) throw new BackupError('CORRUPT', `${what} is cut short (${sizeBytes} bytes)`)
  if (sizeBytes > PACK_BYTES_LIMIT) throw new BackupError('CORRUPT', `${what} has ${sizeBytes} bytes, more than a pack may have`)
  const { header, headerBytes } = decodePackHeader(await backend.load(ref, { offset: 0, length: Math.min(sizeBytes, PACK_HEADER_BYTES_LIMIT) }, { signal }), what)
  if (!equalBytes(header.repositoryId, keyring.repositoryId)) throw new BackupError('CORRUPT', `${what} belongs to another repository (${toHex(header.repositoryId)})`)
  const length = decodeTrailer(await backend.load(ref, { offset: sizeBytes - TRAILER_BYTES, length: TRAILER_BYTES }, { signal }), sizeBytes, what)
  if (length > DIRECTORY_BYTES_LIMIT) throw new BackupError('CORRUPT', `${what} states a directory of ${length} bytes, more than one may have`)
  const start = sizeBytes - TRAILER_BYTES - length
  const sealed = await backend.load(ref, { offset: start, length }, { signal })
  const directory = openPackDirectory(headerBytes, openEnvelopes(keyring, header.group, header.envelopes, header.envelopes[0]?.dataKeyId), sealed, what)
  const last = directory.frames.at(-1)
  const isBeyond = directory.frames[0] !== undefined && (directory.frames[0].offset < headerBytes.length || last!.offset + last!.storedBytes > start)
  if (isBeyond) throw new BackupError('CORRUPT', `${what} states frames that lie outside of it`)
  // As who reads an index object would check it: one entry that cannot be must not spoil the others.
  const entry = packEntryFromCbor(packEntryToCbor({ packId, sizeBytes, session: header.session, envelopes: header.envelopes, ...directory }))
  return { group: header.group, entry }
}
