/** Files that an option names and that are read whole. */
import { readFile } from 'node:fs/promises'
import { BackupError } from '../index.ts'
import { argumentBytes } from './raw-arguments.ts'

/** @param name - as it was written; `-` is the standard input */
export async function readInput(name: string, option: string): Promise<Buffer> {
  try {
    if (name !== '-') return await readFile(Buffer.from(argumentBytes(name)))
    const parts: Buffer[] = []
    for await (const part of process.stdin) parts.push(part as Buffer)
    return Buffer.concat(parts)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new BackupError('INVALID_ARGUMENT', `the file of ${option} cannot be read: ${message}`, { cause })
  }
}
