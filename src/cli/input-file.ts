/** Files that an option names and that are read whole. */
import { readFile } from 'node:fs/promises'
import { BackupError, isBackupError } from '../index.ts'
import { bytesFrom, patientPlace } from './patient-input.ts'
import { argumentBytes, isText } from './raw-arguments.ts'

/** @param name - as it was written; `-` is the standard input */
export async function readInput(name: string, option: string, signal: AbortSignal): Promise<Buffer> {
  try {
    const place = name === '-' ? 0 : isText(name) ? patientPlace(name) : undefined
    if (place === undefined) return await readFile(Buffer.from(argumentBytes(name)))
    const parts: Uint8Array[] = []
    for await (const part of bytesFrom(place, signal)) parts.push(part)
    return Buffer.concat(parts)
  } catch (cause) {
    if (isBackupError(cause, 'INTERRUPTED')) throw cause
    throw new BackupError('INVALID_ARGUMENT', `the file of ${option} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
