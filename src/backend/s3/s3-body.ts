/** Bytes on their way to and from a service: parts as one stream, and a response as bytes. */
import { Readable } from 'node:stream'

import { throwIfAborted } from '../../util/errors.ts'
import type { LoadOptions } from '../backend.ts'

/** So much is handed to the socket at once. */
const sliceBytes = 256 * 1024
/** A length that a stranger states is believed up to here; what is longer is taken as it comes. */
const believedBytes = 64 * 1024 * 1024

/** The parts one after another, without joining them: packs are large, and several are on their way. */
export function streamOf(parts: readonly Uint8Array[]): Readable {
  return Readable.from(slices(parts), { objectMode: false, highWaterMark: sliceBytes })
}

function* slices(parts: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += sliceBytes) yield part.subarray(at, at + sliceBytes)
  }
}

/** The next `length` bytes of the parts from `offset` on, as views. */
export function cutParts(parts: readonly Uint8Array[], offset: number, length: number): Uint8Array[] {
  const cut: Uint8Array[] = []
  let at = 0
  for (const part of parts) {
    const begin = Math.max(offset - at, 0)
    const end = Math.min(offset + length - at, part.length)
    if (begin < end) cut.push(part.subarray(begin, end))
    at += part.length
  }
  return cut
}

export function sizeOfParts(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

export interface BodyOptions extends LoadOptions {
  /** How long nothing may come. */
  readonly silenceMs: number
}

/**
 * All of a response's body, which must have the length that its header states.
 * @returns memory that can be transferred
 */
export async function bytesOf(body: Readable, statedBytes: number, { signal, memory, silenceMs }: BodyOptions): Promise<Uint8Array> {
  const abort = (): void => void body.destroy()
  const silence = setTimeout(() => body.destroy(broken(`nothing came for ${Math.round(silenceMs / 1000)} s`)), silenceMs)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    throwIfAborted(signal)
    const target = statedBytes <= believedBytes ? (memory?.take(statedBytes) ?? new Uint8Array(statedBytes)) : undefined
    const rest: Uint8Array[] = []
    let at = 0
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      silence.refresh()
      if (at + piece.length > statedBytes) throw broken('more bytes came than were announced')
      if (target === undefined) rest.push(piece)
      else target.set(piece, at)
      at += piece.length
    }
    throwIfAborted(signal)
    if (at !== statedBytes) throw broken(`${at} of ${statedBytes} bytes came`)
    return target ?? joined(rest, at)
  } catch (error) {
    throwIfAborted(signal)
    throw error
  } finally {
    clearTimeout(silence)
    signal?.removeEventListener('abort', abort)
    body.destroy()
  }
}

function joined(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** Judged like a connection that was reset. */
function broken(what: string): Error {
  return Object.assign(new Error(`the answer broke off: ${what}`), { code: 'ECONNRESET' })
}
