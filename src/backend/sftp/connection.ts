/**
 * One connection that all operations share. When it is lost, what was under way fails, and the next
 * operation connects anew: whether to try again is for who called to decide.
 */
import { BackupError } from '../../util/errors.ts'
import { openSftpClient, type SftpClient } from './client.ts'
import { SftpProtocolError } from './replies.ts'
import type { Transport } from './transport.ts'

export interface Connection {
  /** @throws {BackupError} why there is none */
  client(): Promise<SftpClient>
  close(): Promise<void>
}

export interface Way {
  /** Throws nothing: a failure shows in how the transport ends. */
  start(mayAsk: boolean): Transport | Promise<Transport>
  /** Whether to try once more, in a way that may ask the person at the terminal. */
  asksAfter(error: unknown): boolean
}

export function sharedConnection(way: Way): Connection {
  let current: Promise<SftpClient> | undefined
  let transport: Transport | undefined
  let isClosed = false
  return { client, close }

  async function client(): Promise<SftpClient> {
    if (isClosed) throw new BackupError('BACKEND_FAILED', 'the connection was closed')
    const opening = (current ??= open())
    const opened = await opening.catch((error: unknown) => {
      forget(opening)
      throw error
    })
    if (opened.isOpen) return opened
    // Of several that find it lost one opens another, and the rest wait for that.
    forget(opening)
    return client()
  }

  function forget(lost: Promise<SftpClient>): void {
    if (current === lost) current = undefined
  }

  async function open(): Promise<SftpClient> {
    try {
      return await openWith(false)
    } catch (error) {
      if (isClosed || !way.asksAfter(error)) throw error
      return openWith(true)
    }
  }

  async function openWith(mayAsk: boolean): Promise<SftpClient> {
    const started = await way.start(mayAsk)
    transport = started
    // Nobody waits for it any more.
    if (isClosed) await started.close()
    try {
      return await openSftpClient(started)
    } catch (error) {
      if (error instanceof SftpProtocolError) started.abandon(error)
      else if (!(error instanceof BackupError)) started.abandon(new SftpProtocolError('it does not answer as a server of SFTP'))
      throw await started.ended
    }
  }

  async function close(): Promise<void> {
    isClosed = true
    await transport?.close()
    await current?.catch(() => undefined)
  }
}
