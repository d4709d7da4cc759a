/**
 * Gathers sealed frames into packs and uploads each pack when it is full. Frames go at random to
 * one of two open packs, and the last packs are padded, so that sizes of packs do not show sizes
 * of chunks.
 *
 * A pack is in memory until its bytes are sent; no more than a few of them wait at once, and who adds
 * frames is to wait for `ready`. What becomes of it then is looked at while others are on their way.
 */
import type { Backend } from '../backend/backend.ts'
import { runningSha256, type RunningHash } from '../crypto/hash.ts'
import { randomBytes } from '../crypto/derive.ts'
import { toHex } from '../util/bytes.ts'
import { BackupError } from '../util/errors.ts'
import { release } from '../util/release.ts'
import type { DataKey, Envelope } from './envelope.ts'
import type { FrameShape } from './frame.ts'
import { encodePackHeader, encodePackTail } from './pack.ts'
import { BLOB_RECORD_BYTES, type FrameEntry, type PackEntry } from './pack-entry.ts'

export interface PackWriterOptions {
  readonly backend: Backend
  readonly repositoryId: Uint8Array
  readonly group: number
  readonly session: Uint8Array
  readonly dataKey: DataKey
  readonly envelopes: readonly Envelope[]
  readonly packBytes: number
  readonly signal: AbortSignal | undefined
  /** Called when a pack is durable and its stored size was checked. */
  readonly onDurable: (pack: PackEntry) => void
}

export interface PackWriter {
  /**
   * @param records - id ‖ length of each blob in the frame
   * @param envelope - which of the envelopes holds the frame's data key; the first, by default
   */
  add(shape: FrameShape, bytes: Uint8Array, records: Uint8Array, envelope?: number): void
  /** Resolves when there is room for another pack beside those that are being sent. Rejects when one failed. */
  ready(): Promise<void>
  /** Whether `ready` would resolve at once. */
  isReady(): boolean
  /** Uploads what is open, and waits for all. */
  finish(): Promise<void>
  /** Takes nothing more; resolves when what is on its way has arrived or failed. */
  stop(): Promise<void>
  readonly storedBytes: number
}

/**
 * Of very short blobs a pack would hold millions. What tells of each is in memory until an index
 * object states it, so a pack ends with so many, however small it is.
 */
export const BLOBS_IN_PACK = 50_000
const OPEN_PACKS = 2
/** Packs that are being sent: one more where each waits for answers from afar. */
const SENDS_WAITING = { near: 2, remote: 3 } as const

interface OpenPack {
  readonly header: Uint8Array
  readonly parts: Uint8Array[]
  readonly frames: FrameEntry[]
  readonly records: Uint8Array[]
  readonly hash: RunningHash
  size: number
  blobs: number
}

export function createPackWriter(options: PackWriterOptions): PackWriter {
  const { repositoryId, group, session, envelopes } = options
  const header = encodePackHeader({ repositoryId, group, session, envelopes })
  const open: (OpenPack | undefined)[] = Array.from({ length: OPEN_PACKS })
  const sends = new Set<Promise<unknown>>()
  const uploads = new Set<Promise<void>>()
  const sendsWaiting = SENDS_WAITING[options.backend.isRemote === true ? 'remote' : 'near']
  let failure: { readonly error: unknown } | undefined
  let storedBytes = 0
  let isStopped = false

  const close = (at: number, isLast: boolean): void => {
    const pack = open[at]
    open[at] = undefined
    if (pack === undefined) return
    const sent = sendPack(options, pack, isLast)
    sends.add(sent)
    const isSent = (): void => void sends.delete(sent)
    sent.then(isSent, isSent)
    const upload = sent.then((entry) => confirmPack(options, entry)).then(
      (entry) => {
        storedBytes += entry.sizeBytes
        options.onDurable(entry)
      },
      (error: unknown) => {
        failure ??= { error }
      },
    )
    uploads.add(upload)
    void upload.finally(() => uploads.delete(upload))
  }

  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error
  }

  return {
    get storedBytes() {
      return storedBytes
    },
    add(shape, bytes, records, envelope = 0) {
      if (isStopped) return
      throwFailure()
      const at = randomBytes(1)[0]! % OPEN_PACKS
      const pack = (open[at] ??= emptyPack(header))
      pack.frames.push({ ...shape, offset: pack.size, blobCount: records.length / BLOB_RECORD_BYTES, envelope })
      pack.records.push(records)
      append(pack, bytes)
      pack.blobs += records.length / BLOB_RECORD_BYTES
      if (pack.size >= options.packBytes || pack.blobs >= BLOBS_IN_PACK) close(at, false)
    },
    isReady: () => failure === undefined && sends.size < sendsWaiting,
    async ready() {
      // A failure of one that is being sent shows behind it.
      while (sends.size >= sendsWaiting && failure === undefined) await Promise.race(sends).catch(() => undefined)
      throwFailure()
    },
    async finish() {
      for (let at = 0; at < OPEN_PACKS; at++) close(at, true)
      await Promise.all(uploads)
      throwFailure()
    },
    async stop() {
      isStopped = true
      await Promise.all(uploads)
    },
  }
}

function emptyPack(header: Uint8Array): OpenPack {
  const pack: OpenPack = { header, parts: [], frames: [], records: [], hash: runningSha256(), size: 0, blobs: 0 }
  append(pack, header)
  return pack
}

function append(pack: OpenPack, bytes: Uint8Array): void {
  pack.parts.push(bytes)
  pack.hash.update(bytes)
  pack.size += bytes.length
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

async function sendPack(options: PackWriterOptions, pack: OpenPack, isLast: boolean): Promise<PackEntry> {
  const directory = { frames: pack.frames, blobs: joined(pack.records) }
  append(pack, encodePackTail(pack.header, options.dataKey, directory, pack.size, isLast))
  const packId = toHex(pack.hash.digest())
  const ref = { type: 'packs', name: packId } as const
  await options.backend.create(ref, pack.parts, { signal: options.signal })
  for (const part of pack.parts) if (part !== pack.header) release(part)
  return { packId, sizeBytes: pack.size, session: options.session, envelopes: options.envelopes, ...directory }
}

/** Some stores acknowledge a write and keep a part of it. */
async function confirmPack(options: PackWriterOptions, entry: PackEntry): Promise<PackEntry> {
  const { packId, sizeBytes } = entry
  const stored = await options.backend.stat({ type: 'packs', name: packId }, { signal: options.signal })
  if (stored?.sizeBytes === sizeBytes) return entry
  throw new BackupError('BACKEND_TRUNCATED', `pack ${packId.slice(0, 8)} was acknowledged, but ${stored === undefined ? 'is not there' : `has ${stored.sizeBytes} instead of ${sizeBytes} bytes`}; nothing refers to it, run the backup again`)
}
