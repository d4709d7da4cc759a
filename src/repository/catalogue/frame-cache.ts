/**
 * Tree frames of a repository that is far away, kept on this machine as they lie in their packs: sealed.
 * Whoever takes one opens it as if it had just been fetched, so what a disk or a stranger has changed
 * costs a fetch and nothing else. It says nothing about what the repository still holds: only the index
 * and lists do.
 *
 * A frame is a file under a name that never means other bytes, written aside and renamed. So any number
 * of processes use one folder without knowing of each other, and nothing is synced: after a power cut a
 * file that is not whole does not open. What was not used for longest goes when there is too much.
 */
import { open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders } from './make-folders.ts'
import { nowNs } from '../../util/clock.ts'
import { isBackupError } from '../../util/errors.ts'
import { takeOldest } from './take-oldest.ts'

export interface FrameAddress {
  readonly pack: { readonly packId: string }
  readonly frameOffset: number
  readonly storedBytes: number
}

export interface FrameCache {
  /** What is kept under the frame's name: bytes that nobody has checked. */
  get(at: FrameAddress): Promise<Uint8Array | undefined>
  /** Keeps a frame that opened. The bytes are not to change until the promise resolves, which never rejects. */
  put(at: FrameAddress, bytes: Uint8Array): Promise<void>
  /** It did not open. */
  forget(at: FrameAddress): Promise<void>
}

export interface FrameCacheOptions {
  /** Of this cache alone; made where it is missing. */
  readonly folder: string
  readonly limitBytes: number
}

/** Files, however small, take names and blocks, and are looked at when some must go. */
const FILES_MOST = 20_000
/** How much of the limit is added between two looks at all of it: others add as well. */
const LOOK_SHARE = 0.1

export function openFrameCache({ folder, limitBytes }: FrameCacheOptions): FrameCache {
  let addedBytes = Number.POSITIVE_INFINITY
  let addedFiles = 0
  let looking: Promise<void> | undefined

  const pathOf = ({ pack: { packId }, frameOffset }: FrameAddress): string => join(folder, packId.slice(0, 2), `${packId}.${frameOffset}`)

  const makeRoom = async (): Promise<void> => {
    addedBytes = 0
    addedFiles = 0
    await takeOldest(folder, { bytes: limitBytes * (1 - LOOK_SHARE), files: FILES_MOST * (1 - LOOK_SHARE) })
  }

  return {
    async get(at) {
      const file = await open(pathOf(at), 'r+').catch(() => undefined)
      if (file === undefined) return undefined
      try {
        const bytes = new Uint8Array(at.storedBytes)
        const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
        const now = Number(nowNs()) / 1e9
        await file.utimes(now, now)
        return bytesRead === bytes.length ? bytes : undefined
      } catch {
        return undefined
      } finally {
        await file.close().catch(() => undefined)
      }
    },

    async put(at, bytes) {
      if (bytes.length > limitBytes * LOOK_SHARE) return
      const path = pathOf(at)
      const temporary = `${path}.tmp-${crypto.randomUUID()}`
      try {
        await makeFolders(dirname(path), 0o700)
        await writeFile(temporary, bytes, { mode: 0o600, flag: 'wx' })
        await rename(temporary, path)
        addedBytes += bytes.length
        addedFiles++
        // The first look is at what earlier runs have left.
        if (addedBytes >= limitBytes * LOOK_SHARE || addedFiles >= FILES_MOST * LOOK_SHARE) await (looking ??= makeRoom().finally(() => (looking = undefined)))
      } catch {
        // A disk that is full, or a folder that takes no file: it is fetched again the next time.
        await rm(temporary, { force: true }).catch(() => undefined)
      }
    },

    async forget(at) {
      await rm(pathOf(at), { force: true }).catch(() => undefined)
    },
  }
}

/**
 * A frame from the cache, or else from the repository; it is opened either way, and kept when it opened.
 * @param cache - undefined where none is wanted
 */
export async function openKept<Frame>(cache: FrameCache | undefined, at: FrameAddress, use: { readonly load: () => Promise<Uint8Array>; readonly open: (bytes: Uint8Array) => Frame }): Promise<Frame> {
  const kept = await cache?.get(at)
  if (kept !== undefined) {
    try {
      return use.open(kept)
    } catch (error) {
      if (!isBackupError(error, 'CORRUPT')) throw error
      await cache?.forget(at)
    }
  }
  const bytes = await use.load()
  const frame = use.open(bytes)
  await cache?.put(at, bytes)
  return frame
}
