/**
 * A program that speaks SFTP on its standard input and output: ssh, or rclone. It ends when its input
 * is closed, and so does not outlive this process, however this one ends; a program that hangs is
 * killed when this process ends in order. What it says on its standard error explains why it ended.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { errnoOf } from '../../util/errors.ts'

export interface Transport {
  readonly input: Writable
  readonly output: Readable
  /** Resolves when the program has ended, with the reason for a person. */
  readonly ended: Promise<Error>
  /** The conversation makes no sense any more: ends the program, with this reason. */
  abandon(reason: Error): void
  /** Closes the input and waits for the end; what hangs is killed. */
  close(): Promise<void>
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** May ask the person at the terminal; else it is in a session of its own, and Ctrl-C does not reach it. */
  readonly usesTerminal?: boolean
  /** The reason for a person. */
  explain(end: ProgramEnd): Error
}

export interface ProgramEnd {
  /** What it wrote to standard error, by lines, without the empty ones. */
  readonly words: readonly string[]
  /** An errno name when it could not be started. */
  readonly notStarted: string | undefined
  /** Why this side ended it. */
  readonly abandonedFor: Error | undefined
  /** Whether it was closed by this side in order. */
  readonly wasClosed: boolean
  readonly code: number | null
}

const WORDS_CHARACTERS = 16 * 1024
/** For a program that was told to end. */
const GRACE_MS = 3000
/** After the end, for the last words: another process may hold the stream open. */
const LAST_WORDS_MS = 500

const running = new Set<() => void>()
let isWatched = false

/** One listener for all, however many connections there are. */
function endWithProcess(kill: () => void): void {
  running.add(kill)
  if (isWatched) return
  isWatched = true
  process.once('exit', () => {
    for (const one of running) one()
  })
}

export function startProgram(program: Program): Transport {
  const { command, args, environment, usesTerminal = false } = program
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'pipe'], detached: !usesTerminal })
  let words = ''
  let abandonedFor: Error | undefined
  let wasClosed = false
  const kill = (): void => killGroup(child, usesTerminal)
  endWithProcess(kill)

  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    words = (words + text).slice(-WORDS_CHARACTERS)
  })
  // Broken pipes: the end of the program tells more.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined)

  const ended = endOf(child).then(({ code, notStarted }) => {
    running.delete(kill)
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    const lines = words.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== '')
    return program.explain({ words: lines, notStarted, abandonedFor, wasClosed, code })
  })
  // An output that ends is the end, also where the program itself stays.
  child.stdout.once('end', () => void finish())

  return {
    input: child.stdin,
    output: child.stdout,
    ended,
    abandon(reason) {
      abandonedFor ??= reason
      kill()
    },
    async close() {
      wasClosed = true
      await finish()
    },
  }

  async function finish(): Promise<void> {
    child.stdin.end()
    const timer = setTimeout(kill, GRACE_MS)
    await ended
    clearTimeout(timer)
  }
}

async function endOf(child: ChildProcess): Promise<{ code: number | null; notStarted: string | undefined }> {
  const end = await new Promise<{ code: number | null; notStarted: string | undefined }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, notStarted: errnoOf(error) ?? error.message }))
    child.once('exit', (code) => resolve({ code, notStarted: undefined }))
  })
  if (end.notStarted === undefined) await lastWords(child)
  return end
}

/** Standard error may hold more than was read when the program ended. */
function lastWords(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.stderr === null || child.stderr.readableEnded) return resolve()
    const timer = setTimeout(resolve, LAST_WORDS_MS)
    child.stderr.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** With a group of its own, what it has started ends as well. */
function killGroup(child: ChildProcess, usesTerminal: boolean): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    if (usesTerminal) child.kill('SIGKILL')
    else process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}
