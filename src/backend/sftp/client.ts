/**
 * One conversation with an SFTP server over a pair of streams. Requests go out as they are made, many
 * under way at once, and answers find them by id. How many bytes are under way is bounded, whoever
 * asks; what is not an answer to a request ends the conversation.
 */
import { messageSplitter } from './framing.ts'
import { type Attributes, decodeReply, decodeVersion, type NamedEntry, SftpProtocolError, type SftpReply } from './replies.ts'
import { SftpStatus, STATUS } from './status.ts'
import type { Transport } from './transport.ts'
import { encodeInit, encodeRequest, PROTOCOL_VERSION, type SftpRequest } from './wire.ts'

export interface SftpClient {
  /** What the server can do beyond the protocol, such as `hardlink@openssh.com`. */
  readonly extensions: ReadonlySet<string>
  /** Most bytes that one request may ask for or carry. */
  readonly readBytes: number
  readonly writeBytes: number
  readonly isOpen: boolean
  /** @throws {SftpStatus} unless the server says that it is done */
  done(request: SftpRequest): Promise<void>
  handle(request: SftpRequest): Promise<Uint8Array>
  attributes(request: SftpRequest): Promise<Attributes>
  entries(request: SftpRequest): Promise<readonly NamedEntry[]>
  numbers(request: SftpRequest): Promise<readonly bigint[]>
  /** The bytes are a view of the answer, never more than were asked for. */
  data(request: SftpRequest & { readonly kind: 'read' }): Promise<Uint8Array>
  /** Waits until so many bytes more may be under way; whoever took them gives them back. */
  reserve(bytes: number): Promise<void>
  release(bytes: number): void
}

/** What everybody takes, by the draft. */
const BYTES_DEFAULT = 32 * 1024
/** OpenSSH takes messages of 256 KiB, with their heads. */
const BYTES_MOST = 255 * 1024
/** Twice ssh's own window: enough for 100 MB/s at 40 ms, and little memory. */
const WINDOW_BYTES = 4 * 1024 * 1024

type Waiting = { readonly resolve: (reply: SftpReply) => void; readonly reject: (error: Error) => void }

/**
 * Says hello and learns what the server can do. When the transport ends, everything under way is
 * rejected with its error.
 */
export async function openSftpClient(transport: Transport): Promise<SftpClient> {
  const { input, output } = transport
  const waiting = new Map<number, Waiting>()
  const reservations: { readonly bytes: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  let failure: Error | undefined
  let nextId = 0
  let windowLeft = WINDOW_BYTES
  let hello: { readonly resolve: (message: Uint8Array) => void; readonly reject: (error: Error) => void } | undefined
  const greeted = new Promise<Uint8Array>((resolve, reject) => (hello = { resolve, reject }))

  const split = messageSplitter()
  output.on('data', (chunk: Uint8Array) => {
    if (failure !== undefined) return
    try {
      for (const message of split(chunk)) take(message)
    } catch (error) {
      if (!(error instanceof SftpProtocolError)) throw error
      transport.abandon(error)
    }
  })
  void transport.ended.then(fail)
  input.write(encodeInit())
  const { version, extensions } = decodeVersion(await greeted)
  if (version !== PROTOCOL_VERSION) throw new SftpProtocolError(`it speaks version ${version} of SFTP and not ${PROTOCOL_VERSION}`)
  const limits = extensions.has('limits@openssh.com') ? await numbers({ kind: 'limits' }) : []

  return {
    extensions,
    readBytes: requestBytes(limits[0], limits[1]),
    writeBytes: requestBytes(limits[0], limits[2]),
    get isOpen() {
      return failure === undefined
    },
    async done(request) {
      const reply = await ask(request)
      if (reply.kind !== 'status' || reply.code !== STATUS.ok) throw refused(reply)
    },
    async handle(request) {
      const reply = await ask(request)
      if (reply.kind !== 'handle') throw refused(reply)
      return reply.handle
    },
    async attributes(request) {
      const reply = await ask(request)
      if (reply.kind !== 'attrs') throw refused(reply)
      return reply.attributes
    },
    async entries(request) {
      const reply = await ask(request)
      if (reply.kind !== 'name') throw refused(reply)
      return reply.entries
    },
    numbers,
    async data(request) {
      const reply = await ask(request)
      if (reply.kind !== 'data') throw refused(reply)
      if (reply.bytes.length > request.length) throw unexpected('more bytes than were asked for')
      return reply.bytes
    },
    async reserve(bytes) {
      if (failure !== undefined) throw failure
      if (reservations.length === 0 && bytes <= windowLeft) windowLeft -= bytes
      else await new Promise<void>((resolve, reject) => reservations.push({ bytes, resolve, reject }))
    },
    release(bytes) {
      windowLeft += bytes
      for (let first = reservations[0]; first !== undefined && first.bytes <= windowLeft; first = reservations[0]) {
        windowLeft -= first.bytes
        reservations.shift()
        first.resolve()
      }
    },
  }

  function take(message: Uint8Array): void {
    if (hello !== undefined) {
      hello.resolve(message)
      hello = undefined
      return
    }
    const reply = decodeReply(message)
    const asked = waiting.get(reply.id)
    if (asked === undefined) throw new SftpProtocolError('an answer to what was not asked')
    waiting.delete(reply.id)
    asked.resolve(reply)
  }

  function ask(request: SftpRequest): Promise<SftpReply> {
    if (failure !== undefined) return Promise.reject(failure)
    const id = nextId
    nextId = (nextId + 1) % 2 ** 32
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
      input.write(encodeRequest(id, request))
    })
  }

  async function numbers(request: SftpRequest): Promise<readonly bigint[]> {
    const reply = await ask(request)
    if (reply.kind !== 'extended') throw refused(reply)
    return reply.numbers
  }

  function refused(reply: SftpReply): Error {
    if (reply.kind === 'status' && reply.code !== STATUS.ok) return new SftpStatus(reply.code, reply.message)
    return unexpected(`an answer of the kind ${reply.kind} to what cannot have one`)
  }

  function unexpected(what: string): Error {
    const error = new SftpProtocolError(what)
    transport.abandon(error)
    return error
  }

  function fail(error: Error): void {
    failure ??= error
    hello?.reject(failure)
    hello = undefined
    for (const asked of waiting.values()) asked.reject(failure)
    waiting.clear()
    for (const one of reservations.splice(0)) one.reject(failure)
  }
}

/** Of the limits that the server states, 0 is none; what it does not state is what the draft demands. */
function requestBytes(messageLimit: bigint | undefined, limit: bigint | undefined): number {
  if (limit === undefined) return BYTES_DEFAULT
  const byMessage = messageLimit === undefined || messageLimit === 0n ? BYTES_MOST : Math.max(Number(messageLimit) - 1024, BYTES_DEFAULT)
  const stated = limit === 0n ? BYTES_DEFAULT : Number(limit)
  return Math.max(1024, Math.min(stated, byMessage, BYTES_MOST))
}
