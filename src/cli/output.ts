/**
 * Where results go: stdout for results, stderr for progress, summaries and warnings. Nobody else
 * writes to either.
 */
import { displayJson } from './escape.ts'
import { fitted } from './format.ts'

export interface Output {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly isVerbose: boolean
  readonly isTerminal: boolean
  /** A line of results. */
  result(text: string): void
  /** Bytes of a result. */
  bytes(bytes: Uint8Array): void
  /** A JSON document, or one event of many, on a line. */
  json(value: unknown): void
  /** Something for people: not with -q. */
  info(text: string): void
  /** Something for people that must not be missed. */
  warn(text: string): void
  /** A line that the next call of anything here overwrites. */
  status(text: string): void
  /** From now on what is for people goes elsewhere, since a screen is drawn where it would be seen. Ends by what is given back. */
  divert(to: (text: string) => void): () => void
}

export interface OutputFlags {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

const CLEAR_LINE = '\r\x1b[K'

export function createOutput(flags: OutputFlags): Output {
  const { stdout, stderr } = process
  let hasStatus = false
  let diverted: ((text: string) => void) | undefined
  const clear = (): void => {
    if (hasStatus) stderr.write(CLEAR_LINE)
    hasStatus = false
  }
  const line = (stream: NodeJS.WriteStream, text: string): void => {
    if (diverted !== undefined && stream === stderr) return diverted(text)
    clear()
    stream.write(`${text}\n`)
  }
  return {
    isJson: flags.json,
    isQuiet: flags.quiet,
    isVerbose: flags.verbose,
    isTerminal: stderr.isTTY,
    result: (text) => line(stdout, text),
    bytes: (bytes) => void stdout.write(bytes),
    json: (value) => line(stdout, displayJson(value)),
    info(text) {
      if (!flags.quiet && !flags.json) line(stderr, text)
    },
    warn: (text) => line(stderr, text),
    status(text) {
      stderr.write(`${CLEAR_LINE}${fitted(text, Math.max(20, (stderr.columns || 80) - 1))}`)
      hasStatus = true
    },
    divert(to) {
      diverted = to
      return () => {
        diverted = undefined
      }
    },
  }
}
