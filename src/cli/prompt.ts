/** A question at the terminal whose answer is not shown. */
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ReadStream } from 'node:tty'
import { Writable } from 'node:stream'
import { BackupError } from '../index.ts'

/** undefined where there is no terminal to ask at. */
export async function askHidden(question: string): Promise<string | undefined> {
  let fd: number
  try {
    fd = openSync('/dev/tty', 'r')
  } catch {
    return undefined
  }
  const input = new ReadStream(fd)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const readline = createInterface({ input, output: silent, terminal: true })
  process.stderr.write(question)
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      readline.once('line', resolve)
      readline.once('close', () => resolve(undefined))
      readline.once('SIGINT', () => reject(new BackupError('INTERRUPTED', 'interrupted before a password was given')))
    })
  } finally {
    readline.close()
    input.destroy()
    process.stderr.write('\n')
    try {
      closeSync(fd)
    } catch {
      // The stream has closed it already.
    }
  }
}
