/** Questions at the terminal: one whose answer is not shown, and one that is answered by yes or no. */
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ReadStream } from 'node:tty'
import { Writable } from 'node:stream'
import { BackupError } from '../index.ts'

/** undefined where there is no terminal to ask at. */
export function askHidden(question: string, signal: AbortSignal): Promise<string | undefined> {
  return ask(question, { echo: new Writable({ write: (_chunk, _encoding, done) => done() }), interrupted: 'interrupted before a password was given', signal })
}

/** Anything but yes is no; undefined where there is no terminal to ask at. */
export async function askYes(question: string, signal: AbortSignal): Promise<boolean | undefined> {
  const answer = await ask(`${question} [yes/no] `, { echo: process.stderr, interrupted: 'interrupted before an answer was given', signal })
  return answer === undefined ? undefined : /^y(es)?$/i.test(answer.trim())
}

interface Asking {
  readonly echo: NodeJS.WritableStream
  readonly interrupted: string
  readonly signal: AbortSignal
}

async function ask(question: string, { echo, interrupted, signal }: Asking): Promise<string | undefined> {
  let fd: number
  try {
    fd = openSync('/dev/tty', 'r')
  } catch {
    return undefined
  }
  const input = new ReadStream(fd)
  const readline = createInterface({ input, output: echo, terminal: true })
  process.stderr.write(question)
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      readline.once('line', resolve)
      readline.once('close', () => resolve(undefined))
      const stop = (): void => reject(new BackupError('INTERRUPTED', interrupted))
      readline.once('SIGINT', stop)
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
    })
  } finally {
    readline.close()
    input.destroy()
    // What was typed and not shown has ended no line.
    if (echo !== process.stderr) process.stderr.write('\n')
    try {
      closeSync(fd)
    } catch {
      // The stream has closed it already.
    }
  }
}
