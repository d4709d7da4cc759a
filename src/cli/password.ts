/**
 * Passwords come from a file, a command, a descriptor, the environment or the terminal; never from
 * the arguments, which every user of the machine can read.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { BackupError } from '../index.ts'
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

/**
 * @param isNew - ask twice, and refuse an empty one
 * @throws {BackupError} INVALID_ARGUMENT, PASSWORD_REFUSED
 */
export async function readPassword(options: PasswordOptions, isNew: boolean, what = 'password for the repository'): Promise<Uint8Array> {
  const password = await fromAnywhere(options, isNew, what)
  if (password.length === 0) throw new BackupError('PASSWORD_REFUSED', 'the password is empty; an empty password is refused: it would protect nothing')
  return password
}

async function fromAnywhere(options: PasswordOptions, isNew: boolean, what: string): Promise<Uint8Array> {
  const variables = takeSecretsFromEnvironment()
  if (options.fd !== undefined) return fromDescriptor(options.fd)
  if (options.command !== undefined) return fromCommand(options.command)
  if (options.file !== undefined) return fromFile(options.file)
  if (variables.NACRE_PASSWORD !== undefined) return Buffer.from(variables.NACRE_PASSWORD)
  if (variables.NACRE_PASSWORD_COMMAND !== undefined) return fromCommand(variables.NACRE_PASSWORD_COMMAND)
  if (variables.NACRE_PASSWORD_FILE !== undefined) return fromFile(variables.NACRE_PASSWORD_FILE)
  return fromTerminal(isNew, what)
}

function firstLine(bytes: Uint8Array): Uint8Array {
  const end = bytes.findIndex((byte) => byte === 0x0a)
  const line = end === -1 ? bytes : bytes.subarray(0, end)
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line
}

function fromFile(path: string): Uint8Array {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `the password file ${path} cannot be read: ${(cause as Error).message}`, { cause, path })
  }
  try {
    const { mode } = fstatSync(fd)
    if ((mode & 0o077) !== 0) throw new BackupError('INVALID_ARGUMENT', `the password file ${path} can be read by others (mode ${(mode & 0o777).toString(8)}); make it yours alone: chmod 600 ${path}`, { path })
    return firstLine(readFileSync(fd))
  } finally {
    closeSync(fd)
  }
}

function fromDescriptor(text: string): Uint8Array {
  if (!/^\d+$/.test(text)) throw new BackupError('INVALID_ARGUMENT', `--password-fd takes the number of an open descriptor, not "${text}"`)
  try {
    return firstLine(readFileSync(Number(text)))
  } catch (cause) {
    throw new BackupError('INVALID_ARGUMENT', `descriptor ${text} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function fromCommand(command: string): Uint8Array {
  const child = spawnSync('/bin/sh', ['-c', command], { stdio: ['inherit', 'pipe', 'inherit'] })
  if (child.status !== 0) throw new BackupError('INVALID_ARGUMENT', `the password command failed (${child.error?.message ?? `exit ${child.status ?? child.signal}`}): ${command}`)
  return firstLine(child.stdout)
}

async function fromTerminal(isNew: boolean, what: string): Promise<Uint8Array> {
  const first = await askHidden(`${what}: `)
  if (first === undefined) {
    throw new BackupError('INVALID_ARGUMENT', 'no password: give --password-file, --password-command or --password-fd, set NACRE_PASSWORD_FILE or NACRE_PASSWORD, or run it at a terminal')
  }
  if (isNew && first.length > 0 && (await askHidden(`${what}, again: `)) !== first) throw new BackupError('PASSWORD_REFUSED', 'the two passwords differ')
  return Buffer.from(first)
}
