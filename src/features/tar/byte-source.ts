/** A stream of bytes, taken in pieces of the length that is wanted. */
import { BackupError } from '../../util/errors.ts'
import { concatBytes } from '../../util/bytes.ts'

export interface ByteSource {
  /** Exactly so many; undefined when the stream has ended before the first. @throws {BackupError} CORRUPT - it ends in between */
  take(length: number): Promise<Uint8Array | undefined>
  /** So many in pieces, each a view that holds until the next is asked for. @throws {BackupError} CORRUPT */
  pieces(length: number): AsyncGenerator<Uint8Array, void, undefined>
  /** Reads to the end and throws away. */
  drain(): Promise<void>
}

export function byteSource(stream: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = stream[Symbol.asyncIterator]()
  let held: Uint8Array = new Uint8Array(0)
  const more = async (): Promise<boolean> => {
    for (;;) {
      const next = await iterator.next()
      if (next.done === true) return false
      if (next.value.length === 0) continue
      held = next.value
      return true
    }
  }
  async function* pieces(length: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = length; left > 0; ) {
      if (held.length === 0 && !(await more())) throw cutShort()
      const piece = held.subarray(0, Math.min(left, held.length))
      held = held.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }
  return {
    pieces,
    async take(length) {
      if (held.length === 0 && !(await more())) return undefined
      const parts: Uint8Array[] = []
      for await (const piece of pieces(length)) parts.push(piece)
      return concatBytes(...parts)
    },
    async drain() {
      held = new Uint8Array(0)
      while (await more()) held = new Uint8Array(0)
    },
  }
}

export function cutShort(): BackupError {
  return new BackupError('CORRUPT', 'the tar is cut short: it ends in the middle')
}
