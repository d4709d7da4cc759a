/** Questions at the terminal: one whose answer is not shown, and one that is answered by yes or no. */
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ReadStream } from 'node:tty'
import { Writable } from 'node:stream'
import { BackupError } from '../index.ts'

/** undefined where there is no terminal to ask at. */
export function askHidden(question: string): Promise<string | undefined> {
  return ask(question, new Writable({ write: (_chunk, _encoding, done) => done() }), 'interrupted before a password was given')
}

/** Anything but yes is no; undefined where there is no terminal to ask at. */
export async function askYes(question: string): Promise<boolean | undefined> {
  const answer = await ask(`${question} [yes/no] `, process.stderr, 'interrupted before an answer was given')
  return answer === undefined ? undefined : /^y(es)?$/i.test(answer.trim())
}

async function ask(question: string, echo: NodeJS.WritableStream, interrupted: string): Promise<string | undefined> {
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
      readline.once('SIGINT', () => reject(new BackupError('INTERRUPTED', interrupted)))
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
