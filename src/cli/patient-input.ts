/**
 * Input that may be long in coming: pipes, FIFOs, terminals, what a command prints. A read by Node
 * itself holds a thread for as long as nothing comes, and then no signal and no exit ends the
 * process. So another process does the reading (`cat`), and this one can leave it at any time.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { BackupError } from '../index.ts'

/** A path, or the number of a descriptor that whoever called the program has opened. */
export type PatientPlace = string | number

type Child = ChildProcessByStdio<null, Readable, null>

/** What is longer is no password, but another file or a stream without end. */
const LINE_BYTES_MOST = 64 * 1024
const NEWLINE = 0x0a
/** What a shell ends with when an interruption has ended what it ran. */
const INTERRUPTED_EXIT = 130

/** Where patience is needed; undefined where Node may read by itself, or is to say why it cannot. */
export function patientPlace(path: string): PatientPlace | undefined {
  const descriptor = path === '/dev/stdin' ? '0' : /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(path)?.[1]
  if (descriptor !== undefined) return Number(descriptor)
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined || stat.isFile() || stat.isDirectory() ? undefined : path
}

/** All that comes there. */
export async function* bytesFrom(place: PatientPlace, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  signal.throwIfAborted()
  const child = reader(place)
  const ended = new Promise<string | undefined>((resolve) => onEnd(child, resolve))
  const leave = (): void => void child.stdout.destroy(signal.reason as Error)
  signal.addEventListener('abort', leave, { once: true })
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>
    const how = await ended
    if (how !== undefined) throw cannotBeRead(place, how)
  } finally {
    signal.removeEventListener('abort', leave)
    child.kill()
  }
}

/** The first line that comes there, whether or not anything follows it. */
export function firstLineFrom(place: PatientPlace, signal: AbortSignal): Promise<Uint8Array> {
  return firstLine(() => reader(place), { signal, what: nameOf(place), failed: (how) => cannotBeRead(place, how), waitsForEnd: false })
}

/** The first line that a command prints, once it has ended well. */
export function firstLineOf(command: string, signal: AbortSignal): Promise<Uint8Array> {
  const failed = (how: string): BackupError => new BackupError('INVALID_ARGUMENT', `the password command failed (${how}): ${command}`)
  return firstLine(() => spawn('/bin/sh', ['-c', command], { stdio: ['inherit', 'pipe', 'inherit'] }), { signal, what: 'the password command', failed, waitsForEnd: true })
}

/** The first line of a file that needs no patience. */
export async function firstLineOfFile(file: FileHandle, what: string): Promise<Uint8Array> {
  const bytes = Buffer.alloc(LINE_BYTES_MOST + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length)
    length += bytesRead
    const end = bytes.subarray(0, length).indexOf(NEWLINE)
    if (end !== -1) return bytes.subarray(0, end)
    if (length === bytes.length) throw tooLong(what)
    if (bytesRead === 0) return bytes.subarray(0, length)
  }
}

interface LineOptions {
  readonly signal: AbortSignal
  readonly what: string
  readonly failed: (how: string) => BackupError
  /** Whether a line counts only when the process that gave it has ended well. */
  readonly waitsForEnd: boolean
}

async function firstLine(start: () => Child, options: LineOptions): Promise<Uint8Array> {
  const { signal, what } = options
  signal.throwIfAborted()
  const child = start()
  try {
    return await new Promise((resolve, reject) => {
      const parts: Uint8Array[] = []
      let length = 0
      let isWhole = false
      let isDrained = false
      let end: { readonly how: string | undefined } | undefined
      const look = (): void => {
        const isEnough = isWhole || isDrained
        if (isWhole && !options.waitsForEnd) resolve(Buffer.concat(parts))
        else if (end?.how !== undefined) reject(options.failed(end.how))
        // What it has started and left behind may hold the pipe for ever.
        else if (end !== undefined && isEnough) resolve(Buffer.concat(parts))
      }
      child.stdout.on('data', (bytes: Uint8Array) => {
        if (isWhole) return
        const at = bytes.indexOf(NEWLINE)
        isWhole = at !== -1
        parts.push(isWhole ? bytes.subarray(0, at) : bytes)
        length += parts.at(-1)!.length
        if (length > LINE_BYTES_MOST) reject(tooLong(what))
        else look()
      })
      child.stdout.on('end', () => {
        isDrained = true
        look()
      })
      onEnd(child, (how, isInterrupted) => {
        end = { how }
        if (isInterrupted) reject(new BackupError('INTERRUPTED', `${what} was interrupted`))
        else look()
      })
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  } finally {
    child.stdout.destroy()
    child.kill()
  }
}

function reader(place: PatientPlace): Child {
  if (typeof place === 'number') return spawn('cat', [], { stdio: [place, 'pipe', 'ignore'] }) as Child
  return spawn('cat', ['--', place], { stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Tells how it ended where it did not end well. */
function onEnd(child: Child, tell: (how: string | undefined, isInterrupted: boolean) => void): void {
  child.once('error', (error) => tell(error.message, false))
  child.once('exit', (code, by) => tell(code === 0 ? undefined : `exit ${by ?? code}`, by === 'SIGINT' || code === INTERRUPTED_EXIT))
}

function tooLong(what: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `the first line of ${what} is longer than ${LINE_BYTES_MOST} bytes: that is no password`)
}

function nameOf(place: PatientPlace): string {
  return typeof place === 'number' ? `descriptor ${place}` : place
}

function cannotBeRead(place: PatientPlace, how: string): BackupError {
  return new BackupError('INVALID_ARGUMENT', `${nameOf(place)} cannot be read: cat ended with ${how}`)
}
