/**
 * Errors of system calls, shaped like Node's own (`code`, `errno` below zero, `syscall`, `path`), so
 * that callers need not know whether a call went through koffi or `node:fs`. They are made without a
 * stack trace: a scan can meet hundreds of thousands of them, and the call's name and path say more.
 */
import { isUtf8 } from 'node:buffer'
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

export class PosixError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string
  /** Escaped text, for people: names are bytes and need not be text. */
  readonly path: string | undefined

  constructor(errno: number, syscall: string, path?: Uint8Array) {
    const [code, text] = describeErrno(errno)
    const shown = path === undefined ? undefined : escapeBytes(path)
    super(`${code}: ${text}, ${syscall}${shown === undefined ? '' : ` '${shown}'`}`)
    this.name = 'PosixError'
    this.code = code
    this.errno = -errno
    this.syscall = syscall
    this.path = shown
  }
}

/** Makes the error of a failed call; `errno` is the positive number of C. */
export function systemError(errno: number, syscall: string, path?: Uint8Array): PosixError {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const error = new PosixError(errno, syscall, path)
  Error.stackTraceLimit = limit
  return error
}

/** The positive number of an errno name on this system; names that this system lacks are never met. */
export function errnoNumber(code: keyof typeof constants.errno): number {
  return constants.errno[code]
}

/** Errors that neither libuv nor `node:os` has a name for, on Linux. */
const EXTRA: ReadonlyMap<number, readonly [string, string]> = new Map([
  [117, ['EUCLEAN', 'structure needs cleaning']],
  [123, ['ENOMEDIUM', 'no medium found']],
  [126, ['ENOKEY', 'required key not available']],
  [127, ['EKEYEXPIRED', 'key has expired']],
])

const described = new Map<number, readonly [string, string]>()

/** Kept, because Node makes the whole map anew each time it is asked. */
function describeErrno(errno: number): readonly [string, string] {
  const known = described.get(errno)
  if (known !== undefined) return known
  const found = getSystemErrorMap().get(-errno) ?? describeUnusual(errno)
  described.set(errno, found)
  return found
}

function describeUnusual(errno: number): readonly [string, string] {
  for (const [name, value] of Object.entries(constants.errno)) {
    if (value === errno) return [name, 'system error']
  }
  const extra = process.platform === 'linux' ? EXTRA.get(errno) : undefined
  return extra ?? [`E${errno}`, 'unknown system error']
}

/** Shows bytes to people: text where it is printable, `\xNN` for the rest, backslashes doubled. */
export function escapeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf8(buffer)) return buffer.toString('utf8').replace(/[\p{C}\p{Zl}\p{Zp}\\]/gu, escapeCharacter)
  return buffer.toString('latin1').replace(/[^\x20-\x5b\x5d-\x7e]/g, (character) => {
    return character === '\\' ? '\\\\' : hexEscape(character.charCodeAt(0))
  })
}

function escapeCharacter(character: string): string {
  if (character === '\\') return '\\\\'
  return [...Buffer.from(character, 'utf8')].map(hexEscape).join('')
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
