/**
 * Writing anew what is used of packs that are mostly not. Frames are read and opened by workers, some
 * at once. One of which all blobs are used is moved as it is sealed; of others the blobs go into new
 * frames. A pack that does not open where it is used stays: prune is no repair.
 */
import { BitSet } from '../../util/bit-set.ts'
import { dataView, toHex } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { mapOrdered } from '../../util/map-ordered.ts'
import { type DataKeys, openDataKeys } from '../../repository/blob-reader.ts'
import { openBlobCopier } from '../../repository/blob-copier.ts'
import type { DataKey } from '../../repository/envelope.ts'
import { ID_BYTES } from '../../repository/format.ts'
import { BLOB_RECORD_BYTES, type PackEntry } from '../../repository/pack-entry.ts'
import type { PackVerifier } from '../../repository/pack-verifier.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Session } from '../../repository/session.ts'
import type { StatedIndex } from '../../repository/stated-index.ts'
import type { Proposal } from './propose.ts'
import { framesOf, type OpenedFrame, openFrameOpener, type WantedFrame } from './open-frames.ts'
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
  const { index, use, proposal, signal } = options
  const { group } = repository.keyring
  const sources = new Set(proposal.repack.map((pack) => pack.packId))
  const elsewhere = await blobsThatStay(options, group, sources)
  const dataKeys = openDataKeys(repository)
  await using copier = await openBlobCopier(repository, session, {
    threads: options.threads,
    verifier: options.verifier,
    dataKeys: await keysOf(index, group, sources, dataKeys),
    signal,
    onWritten: (bytes) => options.onEvent?.({ type: 'bytes', bytes }),
  })
  await using opener = await openFrameOpener(repository, { group, threads: options.threads, dataKeys, signal })
  const seen = new Set<string>()
  const problems = new Map<string, string>()

  async function* wantedFrames(): AsyncGenerator<WantedFrame> {
    for await (const entry of index.entries(group)) {
      if (!sources.has(entry.packId) || seen.has(entry.packId)) continue
      seen.add(entry.packId)
      for (const found of framesOf(entry)) {
        if (problems.has(entry.packId)) break
        const wanted: number[] = []
        for (let at = found.from; at < found.to; at += BLOB_RECORD_BYTES) {
          const slot = use.table.find(entry.blobs, at)
          // Claimed at once: should the frame not open, deciding finds that no good copy of it stays, and rescues one.
          if (use.used.has(slot) && elsewhere.add(slot)) wanted.push(at)
        }
        if (wanted.length > 0) yield { entry, ...found, wanted }
      }
    }
  }

  const open = async (frame: WantedFrame): Promise<{ frame: WantedFrame; opened: OpenedFrame | undefined }> => {
    try {
      return { frame, opened: await opener.open(frame) }
    } catch (error) {
      if (!isBackupError(error) || !['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED'].includes(error.code)) throw error
      if (error.code === 'BACKEND_NOT_FOUND' && (await options.isOvertaken())) throw error
      if (!problems.has(frame.entry.packId)) problems.set(frame.entry.packId, error.message)
      return { frame, opened: undefined }
    }
  }
  const isMoved = ({ frame, wanted }: WantedFrame, { key }: OpenedFrame): boolean =>
    wanted.length === frame.blobCount && frame.plainBytes * 2 >= repository.config.frameBytes && copier.canMove(key)

  for await (const { frame, opened } of mapOrdered(wantedFrames(), { concurrency: 2 * Math.max(1, options.threads), signal }, open)) {
    if (opened === undefined) continue
    const { entry, from, to } = frame
    if (isMoved(frame, opened)) await copier.move(frame.frame, opened.key, opened.sealed, entry.blobs.slice(from, to))
    else await copier.add(frame.frame.blobType, ...chosenBlobs(entry.blobs, { from, to }, opened.plaintext, new Set(frame.wanted)))
  }
  await copier.finish()
  for (const [packId, problem] of problems) options.onEvent?.({ type: 'kept', object: `packs/${packId}`, reason: `it cannot be read whole (${problem}); "nacre check --read-data" tells what suffers` })
  return { emptied: [...seen].filter((packId) => !problems.has(packId)), written: [...copier.written] }
}

/** Data keys of the packs, those of the most packs first. */
async function keysOf(index: StatedIndex, group: number, sources: ReadonlySet<string>, dataKeys: DataKeys): Promise<DataKey[]> {
  const counts = new Map<string, { readonly key: DataKey; packs: number }>()
  for await (const entry of index.entries(group)) {
    if (!sources.has(entry.packId)) continue
    for (const envelope of new Set(entry.frames.map((frame) => frame.envelope))) {
      try {
        const key = dataKeys.of({ pack: { ...entry, group, indexNumber: 0 }, envelope })
        const count = counts.get(toHex(key.id)) ?? { key, packs: 0 }
        counts.set(toHex(key.id), count)
        count.packs++
      } catch (error) {
        // It will be told of when a frame of it is opened.
        if (!isBackupError(error, 'CORRUPT')) throw error
      }
    }
  }
  return [...counts.values()].sort((a, b) => b.packs - a.packs).map(({ key }) => key)
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

/** Bytes and records of the wanted blobs of a frame, in memory that can be handed on. */
export function chosenBlobs(records: Uint8Array, { from, to }: { from: number; to: number }, plaintext: Uint8Array, wanted: ReadonlySet<number>): [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
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
