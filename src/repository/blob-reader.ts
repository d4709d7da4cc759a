/**
 * Single blobs: catalogue, ranged load, open, check. For trees above all; restore and check read
 * whole frames through workers instead. A reader that meets a missing or broken pack tries the
 * blob's other locations, then loads the index again, once.
 */
import { keyedHash, type KeyedHash } from '../crypto/hash.ts'
import { createDecompressor } from '../codec/zstd.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { BackupError, isBackupError, messageOf } from '../util/errors.ts'
import { Lru } from '../util/lru.ts'
import type { BlobLocation } from './catalogue/catalogue.ts'
import { openKept } from './catalogue/frame-cache.ts'
import { type DataKey, openEnvelopes } from './envelope.ts'
import type { BlobType } from './format.ts'
import { openFrame } from './frame.ts'
import { loadReadableIndex } from './index-loader.ts'
import type { Repository } from './repository.ts'

export interface BlobReader {
  /**
   * The blob, checked against its id; a view of its frame.
   * @throws {BackupError} BLOB_MISSING - no location is known; CORRUPT - no location holds it whole
   */
  load(type: BlobType, id: Uint8Array): Promise<Uint8Array>
}

const FRAMES_HELD_BYTES = 32 * 1024 * 1024

export async function openBlobReader(repository: Repository): Promise<BlobReader> {
  const { keyring, backend } = repository
  const repositoryId = keyring.repositoryId
  const catalogue = await repository.catalogue()
  const dataKeys = openDataKeys(repository)
  const frames = new Lru<string, Uint8Array>(FRAMES_HELD_BYTES, (frame) => frame.length)
  const decompressor = createDecompressor()
  const hashes = new Map<string, KeyedHash>()
  let reloading: Promise<unknown> | undefined

  const hashOf = (type: BlobType, group: number): KeyedHash => {
    const name = `${type} ${group}`
    const hash = hashes.get(name) ?? keyedHash(keyring.blobId(group, type))
    hashes.set(name, hash)
    return hash
  }

  const loadFrame = async (at: BlobLocation): Promise<Uint8Array> => {
    const name = `${at.pack.packId}.${at.frameOffset}`
    const known = frames.get(name)
    if (known !== undefined) return known
    const frame = await openKept(at.blobType === 'tree' ? repository.treeFrames : undefined, at, {
      load: () => backend.load({ type: 'packs', name: at.pack.packId }, { offset: at.frameOffset, length: at.storedBytes }),
      open: (bytes) => openFrame(repositoryId, dataKeys.of(at), at, bytes, decompressor),
    })
    frames.set(name, frame)
    return frame
  }

  const tryLocations = async (type: BlobType, id: Uint8Array): Promise<Uint8Array | BackupError | undefined> => {
    let problem: BackupError | undefined
    for (const at of catalogue.locate(id)) {
      try {
        const frame = await loadFrame(at)
        const blob = frame.subarray(at.offsetInFrame, at.offsetInFrame + at.length)
        if (at.blobType === type && equalBytes(hashOf(type, at.pack.group)(blob), id)) return blob
        throw new BackupError('CORRUPT', 'its bytes are not those of its id')
      } catch (error) {
        if (!isBackupError(error) || !['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED'].includes(error.code)) throw error
        problem = new BackupError('CORRUPT', `${type} blob ${toHex(id).slice(0, 16)} in pack ${at.pack.packId.slice(0, 16)} cannot be read: ${messageOf(error)}`, { cause: error })
      }
    }
    return problem
  }

  return {
    async load(type, id) {
      const found = await tryLocations(type, id)
      if (found instanceof Uint8Array) return found
      // Once for all who miss something meanwhile: they wait for it as well.
      reloading ??= loadReadableIndex(repository, { referring: 'as before' })
      await reloading
      const again = await tryLocations(type, id)
      if (again instanceof Uint8Array) return again
      throw found ?? new BackupError('BLOB_MISSING', `${type} blob ${toHex(id).slice(0, 16)} is in no pack that the index knows; "nacre check" tells what suffers`)
    },
  }
}

export interface DataKeys {
  /** @throws {BackupError} CORRUPT - no envelope opens */
  of(at: Pick<BlobLocation, 'pack' | 'envelope'>): DataKey
}

/** Data keys by their ids: each envelope is opened once. */
export function openDataKeys(repository: Repository): DataKeys {
  const opened = new Map<string, DataKey>()
  return {
    of({ pack, envelope }) {
      const wanted = pack.envelopes[envelope]
      if (wanted === undefined) throw new BackupError('CORRUPT', `pack ${pack.packId.slice(0, 16)} has no envelope ${envelope}`)
      const name = toHex(wanted.dataKeyId)
      const key = opened.get(name) ?? openEnvelopes(repository.keyring, pack.group, pack.envelopes, wanted.dataKeyId)
      opened.set(name, key)
      return key
    },
  }
}
