/** From the arguments of `backup` to what is backed up: paths, lists of paths, and streams. */
import { spawn } from 'node:child_process'
import { type AsPath, BackupError, type NamedStream } from '../index.ts'
import type { Arguments, OptionSpec } from './command.ts'
import { readInput } from './input-file.ts'
import { argumentBytes } from './raw-arguments.ts'
import { standardInput } from './standard-input.ts'

export const SOURCE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'files-from': { kind: 'texts', value: 'FILE', describe: 'back up the paths in a file, one a line; - is the standard input' },
  'files-from0': { kind: 'texts', value: 'FILE', describe: 'the same, with a zero byte behind each path' },
  'as-path': { kind: 'texts', value: 'REAL=SHOWN', describe: 'show what lies below REAL as if it lay below SHOWN' },
  stdin: { kind: 'flag', describe: 'back up the standard input as one file' },
  'stdin-from-command': { kind: 'flag', describe: 'back up what a command prints, given after --; when it fails there is no snapshot' },
  'stdin-filename': { kind: 'text', value: 'NAME', describe: 'path of that file in the snapshot (stdin)' },
}

export interface Sources {
  readonly paths: readonly (string | Uint8Array)[]
  readonly asPaths: readonly AsPath[]
  readonly stream: NamedStream | undefined
}

export async function sourcesOf(args: Arguments, signal: AbortSignal): Promise<Sources> {
  const isFromCommand = args.flag('stdin-from-command')
  const isStream = isFromCommand || args.flag('stdin')
  if (isFromCommand && args.flag('stdin')) throw new BackupError('INVALID_ARGUMENT', 'either --stdin or --stdin-from-command, not both')
  if (isFromCommand && args.rest.length === 0) throw new BackupError('INVALID_ARGUMENT', 'which command? give it at the end: --stdin-from-command -- COMMAND [ARGUMENT]…')
  if (!isStream && args.text('stdin-filename') !== undefined) throw new BackupError('INVALID_ARGUMENT', '--stdin-filename is for --stdin and --stdin-from-command')
  const positionals = isFromCommand ? args.positionals.slice(0, args.positionals.length - args.rest.length) : args.positionals
  if (positionals.includes('')) throw new BackupError('INVALID_ARGUMENT', 'a PATH is empty: is a variable of the shell unset?')
  const paths = [...positionals.map(argumentBytes), ...(await listedPaths(args, signal))]
  const asPaths = args.texts('as-path').map(asPathOf)
  if (isStream && paths.length + asPaths.length > 0) throw new BackupError('INVALID_ARGUMENT', 'a stream is backed up by itself: give no paths with it')
  if (!isStream && paths.length + asPaths.length === 0) throw new BackupError('INVALID_ARGUMENT', 'what is to be backed up? give a PATH, --files-from, --as-path or --stdin')
  const name = args.path('stdin-filename') ?? 'stdin'
  const stream = isFromCommand ? commandStream(name, args.rest, signal) : isStream ? { name, chunks: standardInput(signal), finish: () => Promise.resolve() } : undefined
  return { paths, asPaths, stream }
}

async function listedPaths(args: Arguments, signal: AbortSignal): Promise<Uint8Array[]> {
  const paths: Uint8Array[] = []
  for (const { name, value } of args.inOrder(['files-from', 'files-from0'])) {
    const bytes = await readInput(value, `--${name}`, signal)
    const end = name === 'files-from0' ? 0 : 0x0a
    for (let start = 0; start < bytes.length; ) {
      const at = bytes.indexOf(end, start)
      const path = bytes.subarray(start, at === -1 ? bytes.length : at)
      const bare = end === 0x0a && path.at(-1) === 0x0d ? path.subarray(0, -1) : path
      if (bare.includes(0)) throw new BackupError('INVALID_ARGUMENT', `${value}: a path has no zero byte; is the list one for --files-from0?`)
      if (bare.length > 0) paths.push(bare)
      start += path.length + 1
    }
  }
  return paths
}

function asPathOf(text: string): AsPath {
  const at = text.lastIndexOf('=/')
  if (at < 1) throw new BackupError('INVALID_ARGUMENT', `--as-path takes REAL=SHOWN with an absolute SHOWN, not "${text}"`)
  return { real: argumentBytes(text.slice(0, at)), shown: argumentBytes(text.slice(at + 1)) }
}

/**
 * The standard output of a command; its errors go where ours go. It begins when it is read from:
 * Node throws away what nobody has begun to read when a child ends.
 */
function commandStream(name: string | Uint8Array, command: readonly string[], signal: AbortSignal): NamedStream {
  let ended: Promise<void> = Promise.reject(new Error('the command was never begun'))
  ended.catch(() => undefined)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const [program = '', ...rest] = command
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], signal })
    ended = new Promise<void>((resolve, reject) => {
      child.on('error', (cause) => reject(signal.aborted ? (signal.reason as Error) : new BackupError('SOURCE_FAILED', `the command "${program}" cannot be run: ${cause.message}; no snapshot was made`, { cause })))
      child.on('close', (code, killed) => {
        if (code === 0) resolve()
        else reject(new BackupError('SOURCE_FAILED', `the command "${program}" ${killed === null ? `failed with exit code ${code}` : `was ended by ${killed}`}; no snapshot was made`))
      })
    })
    ended.catch(() => undefined)
    yield* child.stdout as AsyncIterable<Uint8Array>
  }
  return { name, chunks: chunks(), finish: () => ended }
}
