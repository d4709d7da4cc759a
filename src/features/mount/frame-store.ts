/**
 * Frames that are hot: fetched once, opened by worker threads, and kept until others need the room.
 * What is asked for beforehand waits behind what somebody waits for. Memory is bounded by the bytes
 * of the frames, those on their way included; a frame that is being read from is never taken away.
 */
import { keyedHash, type KeyedHash } from '../../crypto/hash.ts'
import { equalBytes } from '../../util/bytes.ts'
import { BackupError, isBackupError } from '../../util/errors.ts'
import { openDataKeys } from '../../repository/blob-reader.ts'
import type { BlobLocation } from '../../repository/catalogue/catalogue.ts'
import { type BlobType, FRAME_BYTES_LIMIT } from '../../repository/format.ts'
import { type OpenPool, startOpenPool } from '../../repository/open-pool.ts'
import type { Repository } from '../../repository/repository.ts'
import type { ContentBlob } from '../../snapshot/content.ts'
import { createBlobRescuer } from './blob-failures.ts'
import { createFrameMemory } from './frame-memory.ts'
import { createTurns } from './turns.ts'

export interface FrameStore extends AsyncDisposable {
  /**
   * Hands the blobs' bytes, checked against their ids, to a function that uses them at once: after
   * it they are nobody's.
   * @throws {BackupError} BLOB_MISSING, CORRUPT, or what the storage says
   */
  read<Result>(type: BlobType, blobs: readonly ContentBlob[], use: (bytes: readonly Uint8Array[]) => Result): Promise<Result>
  /** Begins to fetch what will be wanted soon. false when enough is under way. */
  prefetch(blobs: readonly ContentBlob[]): boolean
}

export interface FrameStoreOptions {
  readonly repository: Repository
  readonly threads: number
  readonly cacheBytes: number
}

interface Frame {
  /** What it takes of memory. */
  readonly bytes: number
  readonly loaded: Promise<void>
  /** Set when it is there. */
  plain: Uint8Array<ArrayBuffer> | undefined
  /** Offsets of blobs whose bytes are known to be right. */
  readonly right: Set<number>
  /** How many read from it. */
  pins: number
}

/** A blob with where it lies. */
interface Wanted {
  readonly blob: ContentBlob
  readonly at: BlobLocation
}

/** Frames on their way at once, at least: of stored bytes there are as many. */
const LOADS_LEAST = 8
const SPARE_BYTES = 4 * 1024 * 1024
const UNREADABLE = ['CORRUPT', 'BACKEND_NOT_FOUND', 'BACKEND_TRUNCATED']

export async function openFrameStore({ repository, threads, cacheBytes }: FrameStoreOptions): Promise<FrameStore> {
  const { backend, keyring } = repository
  const catalogue = await repository.catalogue()
  const dataKeys = openDataKeys(repository)
  const pool: OpenPool = await startOpenPool(threads, { repositoryId: keyring.repositoryId, targetFd: -1 }, false)
  const rescuer = createBlobRescuer(repository)
  const memory = createFrameMemory(SPARE_BYTES)
  const turns = createTurns(Math.max(LOADS_LEAST, backend.connections))
  const hashes = new Map<string, KeyedHash>()
  const frames = new Map<string, Frame>()
  let heldBytes = 0
  let loadingBytes = 0

  const hashOf = (type: BlobType, group: number): KeyedHash => {
    const name = `${type} ${group}`
    const hash = hashes.get(name) ?? keyedHash(keyring.blobId(group, type))
    hashes.set(name, hash)
    return hash
  }

  const drop = (key: string, frame: Frame): void => {
    frames.delete(key)
    heldBytes -= frame.bytes
    if (frame.plain !== undefined) memory.give(frame.plain.buffer)
    frame.plain = undefined
  }

  const makeRoom = (): void => {
    if (heldBytes <= cacheBytes) return
    for (const [key, frame] of frames) {
      if (frame.pins > 0 || frame.plain === undefined) continue
      drop(key, frame)
      if (heldBytes <= cacheBytes) return
    }
  }

  const load = async (at: BlobLocation, wanted: readonly Wanted[], isUrgent: boolean): Promise<{ plain: Uint8Array<ArrayBuffer>; right: readonly boolean[] }> => {
    // Before memory is taken by what the index says.
    if (at.plainBytes > FRAME_BYTES_LIMIT || at.storedBytes > 2 * FRAME_BYTES_LIMIT) throw new BackupError('CORRUPT', `a frame of pack ${at.pack.packId.slice(0, 16)} states more bytes than any frame may hold`)
    const end = await turns.take(isUrgent)
    try {
      const kept = at.blobType === 'tree' ? repository.treeFrames : undefined
      const known = await kept?.get(at)
      const bytes = known ?? (await backend.load({ type: 'packs', name: at.pack.packId }, { offset: at.frameOffset, length: at.storedBytes }, { memory: pool.memory }))
      // The workers take the bytes away.
      const fetched = kept === undefined || known !== undefined ? undefined : bytes.slice()
      const ids = new Uint8Array(wanted.length * 32)
      wanted.forEach(({ blob }, i) => ids.set(blob.id, i * 32))
      const { into, problem, right } = await pool.frame({
        bytes: bytes as Uint8Array<ArrayBuffer>,
        frame: { at: 0, dataKey: dataKeys.of(at), blobType: at.blobType, codec: at.codec, plainBytes: at.plainBytes, storedBytes: at.storedBytes },
        blobIdKey: keyring.blobId(at.pack.group, at.blobType),
        blobs: Float64Array.from(wanted.flatMap((one) => [one.at.offsetInFrame, one.at.length])),
        ids,
        into: memory.take(at.plainBytes),
      })
      if (problem !== undefined) {
        // Of one that was kept too: who rescues its blobs fetches it anew.
        memory.give(into)
        throw new BackupError('CORRUPT', problem.message)
      }
      if (fetched !== undefined) void kept?.put(at, fetched)
      return { plain: new Uint8Array(into, 0, at.plainBytes), right }
    } finally {
      end()
    }
  }

  const begin = (key: string, wanted: readonly Wanted[], isUrgent: boolean): Frame => {
    const { at } = wanted[0]!
    const loading = load(at, wanted, isUrgent)
    const bytes = memory.weigh(at.plainBytes)
    const frame: Frame = {
      bytes,
      plain: undefined,
      right: new Set(),
      pins: 0,
      loaded: loading.then(
        ({ plain, right }) => {
          loadingBytes -= bytes
          frame.plain = plain
          wanted.forEach((one, i) => right[i] === true && frame.right.add(one.at.offsetInFrame))
          makeRoom()
        },
        (error: unknown) => {
          loadingBytes -= bytes
          drop(key, frame)
          throw error
        },
      ),
    }
    // Who waits for it meets the failure; of what was fetched beforehand perhaps nobody does.
    frame.loaded.catch(() => undefined)
    frames.set(key, frame)
    heldBytes += frame.bytes
    loadingBytes += frame.bytes
    makeRoom()
    return frame
  }

  /** By the frame that they lie in. */
  const gather = (type: BlobType, blobs: readonly ContentBlob[]): Map<string, Wanted[]> => {
    const byFrame = new Map<string, Wanted[]>()
    for (const blob of blobs) {
      const at = catalogue.place(blob.id, 0)
      if (at === undefined || at.blobType !== type || at.length !== blob.length) continue
      const key = keyOf(at)
      const gathered = byFrame.get(key)
      if (gathered === undefined) byFrame.set(key, [{ blob, at }])
      else gathered.push({ blob, at })
    }
    return byFrame
  }

  const hold = (key: string, wanted: readonly Wanted[]): Frame => {
    const known = frames.get(key)
    if (known === undefined) {
      const frame = begin(key, wanted, true)
      frame.pins++
      return frame
    }
    frames.delete(key)
    frames.set(key, known)
    known.pins++
    turns.hurry()
    return known
  }

  const blobIn = (frame: Frame, { blob, at }: Wanted, type: BlobType): Uint8Array | undefined => {
    const bytes = frame.plain?.subarray(at.offsetInFrame, at.offsetInFrame + at.length)
    if (bytes === undefined) return undefined
    if (!frame.right.has(at.offsetInFrame)) {
      if (bytes.length !== blob.length || !equalBytes(hashOf(type, at.pack.group)(bytes), blob.id)) return undefined
      frame.right.add(at.offsetInFrame)
    }
    return bytes
  }

  return {
    async read(type, blobs, use) {
      const held: Frame[] = []
      const found = new Map<ContentBlob, { readonly frame: Frame; readonly wanted: Wanted }>()
      try {
        for (const [key, wanted] of gather(type, blobs)) {
          const frame = hold(key, wanted)
          held.push(frame)
          for (const one of wanted) found.set(one.blob, { frame, wanted: one })
        }
        for (const frame of held) if (frame.plain === undefined) await frame.loaded.catch(unlessUnreadable)
        const bytes: Uint8Array[] = []
        for (const blob of blobs) {
          const where = found.get(blob)
          const inFrame = where === undefined ? undefined : blobIn(where.frame, where.wanted, type)
          bytes.push(inFrame ?? requireLength(type, blob, await rescuer.rescue(type, blob.id)))
        }
        return use(bytes)
      } finally {
        for (const frame of held) frame.pins--
        makeRoom()
      }
    },
    prefetch(blobs) {
      for (const [key, wanted] of gather('data', blobs)) {
        if (frames.has(key)) continue
        if (loadingBytes + memory.weigh(wanted[0]!.at.plainBytes) > cacheBytes / 2) return false
        begin(key, wanted, false)
      }
      return true
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

/** How long a tree blob is, only the index knows. */
function requireLength(type: BlobType, blob: ContentBlob, bytes: Uint8Array): Uint8Array {
  if (type === 'data' && bytes.length !== blob.length) throw new BackupError('CORRUPT', 'a file lists a blob with another length than it has')
  return bytes
}

function unlessUnreadable(error: unknown): void {
  if (!isBackupError(error) || !UNREADABLE.includes(error.code)) throw error
}

function keyOf(at: BlobLocation): string {
  return `${at.pack.packId}.${at.frameOffset}`
}
