/** Bytes of one file, many requests at once. */
import { throwIfAborted } from '../../util/errors.ts'
import { rangeWithin, truncated } from '../range.ts'
import type { ByteRange, LoadOptions } from '../backend.ts'
import type { SftpClient } from './client.ts'
import { SftpProtocolError } from './replies.ts'
import { isStatus, STATUS } from './status.ts'

/** No object is larger; a server that says so would have memory for nothing. */
const READ_BYTES_LIMIT = 2 ** 31

/** Writes the parts one after another from the start of the file, and waits until all are there. */
export async function writeParts(client: SftpClient, handle: Uint8Array, parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<void> {
  const under = underWay()
  let offset = 0
  for (const pieces of gathered(parts, client.writeBytes)) {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    await client.reserve(length)
    if (under.hasFailed() || signal?.aborted === true) {
      client.release(length)
      break
    }
    under.add(client.done({ kind: 'write', handle, offset, pieces }).finally(() => client.release(length)))
    offset += length
  }
  await under.all()
  throwIfAborted(signal)
}

/**
 * The range of an open file that may be of any kind and size.
 * @throws {SftpStatus}; {BackupError} BACKEND_TRUNCATED
 */
export async function readRange(client: SftpClient, handle: Uint8Array, range: ByteRange | undefined, { key, memory, signal }: LoadOptions & { readonly key: string }): Promise<Uint8Array | 'no file'> {
  const offset = range?.offset ?? 0
  const guess = Math.min(range?.length ?? client.readBytes, client.readBytes)
  // Most of what is read is small: its first bytes are asked for together with its size.
  const early = guess === 0 ? Promise.resolve(new Uint8Array(0)) : readOnce(client, handle, offset, guess)
  early.catch(() => undefined)
  const { sizeBytes, kind } = await client.attributes({ kind: 'fstat', handle })
  if (kind !== undefined && kind !== 'file') return 'no file'
  if (sizeBytes === undefined) throw new SftpProtocolError('a file without a size')
  const { length } = rangeWithin(range, sizeBytes, key)
  if (length > READ_BYTES_LIMIT) throw new SftpProtocolError(`an object of ${length} bytes`)
  const first = length === 0 ? new Uint8Array(0) : await early
  const bytes = memory?.take(length) ?? new Uint8Array(length)
  const got = Math.min(first.length, length)
  bytes.set(first.subarray(0, got))
  const under = underWay()
  for (let at = got; at < length && !under.hasFailed() && signal?.aborted !== true; ) {
    const wanted = Math.min(client.readBytes, length - at)
    under.add(readInto(client, handle, { bytes: bytes.subarray(at, at + wanted), offset: offset + at, end: offset + length, key }))
    at += wanted
  }
  await under.all()
  throwIfAborted(signal)
  return bytes
}

/** A server may give less than it is asked for, and at least one byte before the end. */
async function readInto(client: SftpClient, handle: Uint8Array, { bytes, offset, end, key }: { readonly bytes: Uint8Array; readonly offset: number; readonly end: number; readonly key: string }): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const got = await readOnce(client, handle, offset + done, bytes.length - done)
    if (got.length === 0) throw truncated(key, end, offset + done)
    bytes.set(got, done)
    done += got.length
  }
}

/** Nothing at the end of the file. */
async function readOnce(client: SftpClient, handle: Uint8Array, offset: number, length: number): Promise<Uint8Array> {
  await client.reserve(length)
  try {
    return await client.data({ kind: 'read', handle, offset, length })
  } catch (error) {
    if (!isStatus(error, STATUS.eof)) throw error
    return new Uint8Array(0)
  } finally {
    client.release(length)
  }
}

/** Pieces that fill one request each, so that many small parts are not as many requests. */
function* gathered(parts: readonly Uint8Array[], limit: number): Generator<Uint8Array[]> {
  let pieces: Uint8Array[] = []
  let room = limit
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + room)
      pieces.push(piece)
      at += piece.length
      room -= piece.length
      if (room > 0) continue
      yield pieces
      pieces = []
      room = limit
    }
  }
  if (pieces.length > 0) yield pieces
}

interface UnderWay {
  add(work: Promise<void>): void
  hasFailed(): boolean
  /** Waits for all, and throws what failed first. */
  all(): Promise<void>
}

function underWay(): UnderWay {
  const work: Promise<void>[] = []
  let failure: { readonly error: unknown } | undefined
  return {
    add: (one) => void work.push(one.catch((error: unknown) => void (failure ??= { error }))),
    hasFailed: () => failure !== undefined,
    async all() {
      await Promise.all(work)
      if (failure !== undefined) throw failure.error
    },
  }
}
