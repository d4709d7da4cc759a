/**
 * A frame that is wanted whole, by who keeps it: its plaintext goes into a buffer that changes hands,
 * and nothing else of it is left behind.
 */
import { keyedHash } from '../../crypto/hash.ts'
import type { Decompressor } from '../../codec/zstd.ts'
import type { Arena } from '../../util/arena.ts'
import { equalBytes } from '../../util/bytes.ts'
import { isBackupError } from '../../util/errors.ts'
import { CODEC_ZSTD, ID_BYTES } from '../format.ts'
import { openFrame } from '../frame.ts'
import { DAMAGED, type FrameRequest, type OpenReply } from './open-messages.ts'

export interface WholeTools {
  readonly init: { readonly repositoryId: Uint8Array }
  readonly decompressor: Decompressor
  readonly memory: Arena
}

export function openWhole({ init, decompressor, memory }: WholeTools, { frame, bytes, blobs, ids, blobIdKey, into, job }: FrameRequest): OpenReply {
  const reply = { kind: 'frame', job, buffer: bytes.buffer, into } as const
  try {
    const sealed = bytes.subarray(frame.at, frame.at + frame.storedBytes)
    const plain = openFrame(init.repositoryId, frame.dataKey, frame, sealed, decompressor, plainInto(into, memory, frame.codec === CODEC_ZSTD ? 2 : 1))
    const hash = keyedHash(blobIdKey)
    const right: boolean[] = []
    for (let i = 0; i < blobs.length; i += 2) {
      const blob = plain.subarray(blobs[i]!, blobs[i]! + blobs[i + 1]!)
      right.push(equalBytes(hash(blob), ids.subarray((i / 2) * ID_BYTES, (i / 2 + 1) * ID_BYTES)))
    }
    return { ...reply, problem: undefined, right }
  } catch (error) {
    if (!isBackupError(error)) throw error
    return { ...reply, problem: { code: DAMAGED, message: error.message }, right: [] }
  }
}

/** Memory whose n-th piece, which holds the plaintext, is the buffer that was given for it. */
function plainInto(into: ArrayBuffer, memory: Arena, n: number): Arena {
  let taken = 0
  return {
    take: (lengthBytes) => (++taken === n ? new Uint8Array(into, 0, lengthBytes) : memory.take(lengthBytes)),
    reset: () => undefined,
  }
}
