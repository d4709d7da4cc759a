/** A stream of bytes to stdout or into a file: small pieces together, and never faster than it is taken. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { BackupError } from '../index.ts'

const GATHERED_BYTES = 256 * 1024

/** Waits for whoever reads stdout. */
export async function writeToStdout(stream: AsyncIterable<Uint8Array>): Promise<number> {
  const { stdout } = process
  let written = 0
  for await (const bytes of gathered(stream)) {
    written += bytes.length
    await new Promise<void>((resolve, reject) => stdout.write(bytes, (error) => (error ? reject(error) : resolve())))
  }
  return written
}

/** Makes a file that was not there. It is taken away again where the stream fails. */
export async function writeToFile(stream: AsyncIterable<Uint8Array>, path: string | Uint8Array): Promise<number> {
  const place = typeof path === 'string' ? path : Buffer.from(path)
  const fd = opened(place)
  let written = 0
  let isDone = false
  try {
    for await (const bytes of gathered(stream)) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      written += bytes.length
    }
    fsyncSync(fd)
    isDone = true
  } finally {
    closeSync(fd)
    if (!isDone) unlinkSync(place)
  }
  return written
}

function opened(place: string | Buffer): number {
  try {
    return openSync(place, 'wx', 0o600)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new BackupError('TARGET_REFUSED', `the file cannot be made: ${message}`, { cause })
  }
}

async function* gathered(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const bytes of stream) {
    parts.push(bytes)
    length += bytes.length
    if (length < GATHERED_BYTES) continue
    yield parts.length === 1 ? bytes : Buffer.concat(parts)
    parts = []
    length = 0
  }
  if (length > 0) yield Buffer.concat(parts)
}
