/** Messages out of a stream of bytes: each begins with its length, which is bounded before it is believed. */
import { dataView } from '../../util/bytes.ts'
import { SftpProtocolError } from './replies.ts'

/** OpenSSH sends and takes 256 KiB at most; others send longer lists of names. */
const MESSAGE_BYTES_LIMIT = 1024 * 1024
const SHOWN_BYTES = 60

/**
 * @returns a function that takes the next bytes and gives the messages that they complete, without
 * their lengths, each in memory of its own
 */
export function messageSplitter(): (chunk: Uint8Array) => Uint8Array[] {
  const head = new Uint8Array(4)
  let headFilled = 0
  let body: Uint8Array | undefined
  let bodyFilled = 0

  return (chunk) => {
    const messages: Uint8Array[] = []
    for (let at = 0; at < chunk.length; ) {
      if (body === undefined) {
        const taken = Math.min(4 - headFilled, chunk.length - at)
        head.set(chunk.subarray(at, at + taken), headFilled)
        headFilled += taken
        at += taken
        if (headFilled < 4) break
        body = new Uint8Array(lengthOf(head, chunk.subarray(at)))
        bodyFilled = 0
        headFilled = 0
      }
      const taken = Math.min(body.length - bodyFilled, chunk.length - at)
      body.set(chunk.subarray(at, at + taken), bodyFilled)
      bodyFilled += taken
      at += taken
      if (bodyFilled < body.length) break
      messages.push(body)
      body = undefined
    }
    return messages
  }
}

function lengthOf(head: Uint8Array, next: Uint8Array): number {
  const length = dataView(head).getUint32(0)
  if (length >= 5 && length <= MESSAGE_BYTES_LIMIT) return length
  // Most often a login file on the server prints something.
  const shown = Buffer.concat([head, next.subarray(0, SHOWN_BYTES)]).toString('latin1')
  throw new SftpProtocolError(`it says ${JSON.stringify(shown.replace(/[^ -~]/g, '.'))} where a message should begin`)
}
