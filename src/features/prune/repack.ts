/**
 * Writing anew what is used of packs that are mostly not. A pack that does not open where it is used
 * stays: prune is no repair.
 */
import { createDecompressor } from '../../codec/zstd.ts'
import { keyedHash } from '../../crypto/hash.ts'
import { BitSet } from '../../util/bit-set.ts'
import { dataView, equalBytes } from '../../util/bytes.ts'
import { BackupError, isBackupError, throwIfAborted } from '../../util/errors.ts'
import { openDataKeys } from '../../repository/blob-reader.ts'
import { type BlobCopier, openBlobCopier } from '../../repository/blob-copier.ts'
import { type BlobType, ID_BYTES } from '../../repository/format.ts'
import { openFrame } from '../../repository/frame.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from '../../repository/pack-entry.ts'
import type { PackVerifier } from '../../repository/pack-verifier.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Session } from '../../repository/session.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import type { Proposal } from './propose.ts'
import type { PruneEvent } from './types.ts'
import type { GroupUse } from './used.ts'

export interface RepackOptions {
  readonly index: StatedIndex
  readonly listed: ReadonlyMap<string, number>
  readonly use: GroupUse
  readonly proposal: Proposal
  readonly threads: number
  readonly verifier: PackVerifier
  /** Whether another prune has planned since the survey: then it may have deleted what is gone. */
  readonly isOvertaken: () => Promise<boolean>
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: ((event: PruneEvent) => void) | undefined
}

export interface Repacked {
  /** Packs that may be condemned now: what was used of them is elsewhere. */
  readonly emptied: readonly string[]
  /** Packs that were written, read back and indexed. */
  readonly written: readonly PackEntry[]
}

/** @throws {BackupError} BACKEND_NOT_FOUND - a pack is gone, and another prune has planned since */
export async function repack(repository: Repository, session: Session, options: RepackOptions): Promise<Repacked> {
  const { index, use, proposal } = options
  const { group } = repository.keyring
  const sources = new Set(proposal.repack.map((pack) => pack.packId))
  const elsewhere = await blobsThatStay(options, group, sources)
  await using copier = await openBlobCopier(repository, session, {
    threads: options.threads,
    verifier: options.verifier,
    signal: options.signal,
    onWritten: (bytes) => options.onEvent?.({ type: 'bytes', bytes }),
  })
  const opener = frameOpener(repository, group, options.signal)
  const emptied: string[] = []
  for await (const entry of index.entries(group)) {
    if (!sources.delete(entry.packId)) continue
    throwIfAborted(options.signal)
    const needs = (at: number): boolean => {
      const slot = use.table.find(entry.blobs, at)
      return use.used.has(slot) && !elsewhere.has(slot)
    }
    const problem = await copyPack(entry, { opener, copier, needs, isOvertaken: options.isOvertaken, copied: (at) => elsewhere.add(use.table.find(entry.blobs, at)) })
    if (problem === undefined) emptied.push(entry.packId)
    else options.onEvent?.({ type: 'kept', object: `packs/${entry.packId}`, reason: `it cannot be read whole (${problem}); "nacre check --read-data" tells what suffers` })
  }
  await copier.finish()
  return { emptied, written: [...copier.written] }
}

/** Used blobs that lie in a pack that stays need not be copied. */
async function blobsThatStay({ index, listed, use, proposal }: RepackOptions, group: number, sources: ReadonlySet<string>): Promise<BitSet> {
  const stay = new BitSet(use.table.slots)
  const removed = new Set(proposal.remove)
  for await (const entry of index.entries(group)) {
    if (sources.has(entry.packId) || removed.has(entry.packId) || listed.get(entry.packId) !== entry.sizeBytes) continue
    for (let at = 0; at < entry.blobs.length; at += BLOB_RECORD_BYTES) stay.add(use.table.find(entry.blobs, at))
  }
  return stay
}

interface Opener {
  /** The frame's plaintext; each blob in it is what its id says. */
  open(entry: PackEntry, frame: FrameEntry, records: Uint8Array): Promise<Uint8Array>
}

function frameOpener(repository: Repository, group: number, signal: AbortSignal | undefined): Opener {
  const { backend, keyring } = repository
  const decompressor = createDecompressor()
  const dataKeys = openDataKeys(repository)
  const hashes = { data: keyedHash(keyring.blobId(group, 'data')), tree: keyedHash(keyring.blobId(group, 'tree')) }
  return {
    async open(entry, frame, records) {
      const key = dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope: frame.envelope })
      const sealed = await backend.load({ type: 'packs', name: entry.packId }, { offset: frame.offset, length: frame.storedBytes }, { signal })
      const plaintext = openFrame(keyring.repositoryId, key, frame, sealed, decompressor)
      const view = dataView(records)
      let start = 0
      for (let at = 0; at < records.length; at += BLOB_RECORD_BYTES) {
        const end = start + view.getUint32(at + ID_BYTES, true)
        if (!equalBytes(hashes[frame.blobType](plaintext.subarray(start, end)), records.subarray(at, at + ID_BYTES))) throw new BackupError('CORRUPT', 'a blob has other bytes than its id says')
        start = end
      }
      return plaintext
    },
  }
}

interface CopyOptions {
  readonly opener: Opener
  readonly copier: BlobCopier
  /** Whether the blob whose record stands there must be copied. */
  readonly needs: (at: number) => boolean
  readonly copied: (at: number) => void
  readonly isOvertaken: () => Promise<boolean>
}

/** What keeps the pack from being emptied, if anything does. */
async function copyPack(entry: PackEntry, { opener, copier, needs, copied, isOvertaken }: CopyOptions): Promise<string | undefined> {
  let at = 0
  for (const frame of entry.frames) {
    const end = at + frame.blobCount * BLOB_RECORD_BYTES
    const wanted: number[] = []
    for (let record = at; record < end; record += BLOB_RECORD_BYTES) if (needs(record)) wanted.push(record)
    if (wanted.length > 0) {
      let plaintext: Uint8Array
      try {
        plaintext = await opener.open(entry, frame, entry.blobs.subarray(at, end))
      } catch (error) {
        if (!isBackupError(error) || !['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED'].includes(error.code)) throw error
        if (error.code === 'BACKEND_NOT_FOUND' && (await isOvertaken())) throw error
        return error.message
      }
      await copier.add(frame.blobType satisfies BlobType, ...chosen(entry.blobs, { from: at, to: end }, plaintext, new Set(wanted)))
      wanted.forEach(copied)
    }
    at = end
  }
  return undefined
}

/** Bytes and records of the wanted blobs of a frame, in memory that can be handed on. */
function chosen(records: Uint8Array, { from, to }: { from: number; to: number }, plaintext: Uint8Array, wanted: ReadonlySet<number>): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
  const view = dataView(records)
  const bytes = new Uint8Array(plaintext.length)
  const own = new Uint8Array(wanted.size * BLOB_RECORD_BYTES)
  let [length, count, start] = [0, 0, 0]
  for (let at = from; at < to; at += BLOB_RECORD_BYTES) {
    const end = start + view.getUint32(at + ID_BYTES, true)
    if (wanted.has(at)) {
      bytes.set(plaintext.subarray(start, end), length)
      own.set(records.subarray(at, at + BLOB_RECORD_BYTES), count++ * BLOB_RECORD_BYTES)
      length += end - start
    }
    start = end
  }
  return [bytes, own]
}
