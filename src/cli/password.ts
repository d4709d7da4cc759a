/**
 * Passwords come from a file, a command, a descriptor, the environment or the terminal; never from
 * the arguments, which every user of the machine can read.
 */
import { fstatSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { BackupError, isBackupError } from '../index.ts'
import { isOwnDescriptor } from './own-descriptor.ts'
import { firstLineFrom, firstLineOf, firstLineOfFile, patientPlace, type PatientPlace } from './patient-input.ts'
import { askHidden } from './prompt.ts'

export interface PasswordOptions {
  readonly file: string | undefined
  readonly command: string | undefined
  readonly fd: string | undefined
}

const VARIABLES = ['NACRE_PASSWORD', 'NACRE_PASSWORD_FILE', 'NACRE_PASSWORD_COMMAND'] as const
type Variables = Partial<Record<(typeof VARIABLES)[number], string>>

let taken: Variables | undefined

/** Secrets leave the environment at once: no child process and no crash report gets them. */
export function takeSecretsFromEnvironment(): Variables {
  if (taken !== undefined) return taken
  taken = {}
  for (const name of VARIABLES) {
    const value = process.env[name]
    if (value !== undefined) taken[name] = value
    delete process.env[name]
  }
  return taken
}

export interface PasswordWish {
  /** Ask twice. */
  readonly isNew: boolean
  readonly signal: AbortSignal
  /** What the terminal asks for. */
  readonly what: string
}

/** @throws {BackupError} INVALID_ARGUMENT, PASSWORD_REFUSED, INTERRUPTED */
export async function readPassword(options: PasswordOptions, wish: PasswordWish): Promise<Uint8Array> {
  const password = withoutReturn(await fromAnywhere(options, wish))
  if (password.length === 0) throw new BackupError('PASSWORD_REFUSED', 'the password is empty; an empty password is refused: it would protect nothing')
  return password
}

async function fromAnywhere(options: PasswordOptions, { isNew, signal, what }: PasswordWish): Promise<Uint8Array> {
  const variables = takeSecretsFromEnvironment()
  if (options.fd !== undefined) return fromDescriptor(options.fd, signal)
  if (options.command !== undefined) return firstLineOf(options.command, signal)
  if (options.file !== undefined) return fromFile(options.file, signal)
  if (variables.NACRE_PASSWORD !== undefined) return Buffer.from(variables.NACRE_PASSWORD)
  if (variables.NACRE_PASSWORD_COMMAND !== undefined) return firstLineOf(variables.NACRE_PASSWORD_COMMAND, signal)
  if (variables.NACRE_PASSWORD_FILE !== undefined) return fromFile(variables.NACRE_PASSWORD_FILE, signal)
  return fromTerminal(isNew, what, signal)
}

/** A line as Windows writes it ends with one more byte, which is no part of the password. */
function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}

async function fromFile(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const unreadable = (cause: unknown): BackupError => new BackupError('INVALID_ARGUMENT', `the password file ${path} cannot be read: ${(cause as Error).message}`, { cause, path })
  let place: PatientPlace | undefined
  let file: FileHandle | undefined
  try {
    place = patientPlace(path)
    if (place === undefined) file = await open(path, 'r')
    const { mode } = file !== undefined ? await file.stat() : typeof place === 'number' ? fstatSync(place) : statSync(path)
    if ((mode & 0o077) !== 0) throw new BackupError('INVALID_ARGUMENT', `the password file ${path} can be read by others (mode ${(mode & 0o777).toString(8)}); make it yours alone: chmod 600 ${path}`, { path })
    if (file === undefined) return await firstLineFrom(place!, signal)
    return await firstLineOfFile(file, `the password file ${path}`)
  } catch (error) {
    throw isBackupError(error) ? error : unreadable(error)
  } finally {
    await file?.close()
  }
}

async function fromDescriptor(text: string, signal: AbortSignal): Promise<Uint8Array> {
  if (!/^\d{1,9}$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--password-fd takes the number of an open descriptor, not "${text}"`)
  const fd = Number(text)
  try {
    fstatSync(fd)
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `descriptor ${text} cannot be read: ${(cause as Error).message}`, { cause })
  }
  if (isOwnDescriptor(fd)) throw new BackupError('INVALID_ARGUMENT', `descriptor ${text} is not open: give the number of one that is, as by ${text}<FILE`)
  return firstLineFrom(fd, signal)
}

async function fromTerminal(isNew: boolean, what: string, signal: AbortSignal): Promise<Uint8Array> {
  const first = await askHidden(`${what}: `, signal)
  if (first === undefined) {
    throw new BackupError('INVALID_ARGUMENT', 'no password: give --password-file, --password-command or --password-fd, set NACRE_PASSWORD_FILE, NACRE_PASSWORD_COMMAND or NACRE_PASSWORD, or run it at a terminal')
  }
  if (isNew && first.length > 0 && (await askHidden(`${what}, again: `, signal)) !== first) throw new BackupError('PASSWORD_REFUSED', 'the two passwords differ')
  return Buffer.from(first)
}
