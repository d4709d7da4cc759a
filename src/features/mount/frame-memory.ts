/**
 * Buffers for frames that are kept, used again and again: a fresh one for each frame would be mapped,
 * cleared and paged in every time, which takes about as long as opening the frame, and allocators of
 * several threads would keep what the others gave back.
 */
import { release } from '../../util/release.ts'

export interface FrameMemory {
  /** How much of memory a frame takes, which is somewhat more than it is long. */
  weigh(plainBytes: number): number
  /** As many bytes as that weighs. They hold anything. */
  take(plainBytes: number): ArrayBuffer
  /** It is nobody's from now on. */
  give(buffer: ArrayBuffer): void
}

const KIB = 1024
/** Frames end at 1 MiB, and those of small backups where these end. */
const SIZES = [16 * KIB, 64 * KIB, 256 * KIB, 1024 * KIB]

/** @param spareBytes - kept for the next that are taken */
export function createFrameMemory(spareBytes: number): FrameMemory {
  const spare = new Map<number, ArrayBuffer[]>(SIZES.map((size) => [size, []]))
  let heldBytes = 0
  const weigh = (plainBytes: number): number => SIZES.find((size) => size >= plainBytes) ?? plainBytes
  return {
    weigh,
    take(plainBytes) {
      const size = weigh(plainBytes)
      const buffer = spare.get(size)?.pop()
      if (buffer === undefined) return new ArrayBuffer(size)
      heldBytes -= size
      return buffer
    },
    give(buffer) {
      const list = spare.get(buffer.byteLength)
      if (list === undefined || heldBytes + buffer.byteLength > spareBytes) return release(new Uint8Array(buffer))
      list.push(buffer)
      heldBytes += buffer.byteLength
    },
  }
}
