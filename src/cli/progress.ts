/**
 * Progress of long work: a line that is drawn anew on a terminal, a line now and then without one,
 * an event of JSON now and then, and a line whenever SIGUSR1 asks.
 */
import { displayPath } from './display.ts'
import { count, duration, size } from './format.ts'
import type { Output } from './output.ts'
import { answerStatus } from './status-signal.ts'

export interface Progress {
  expect(files: number, bytes: number): void
  file(path: Uint8Array): void
  bytes(bytes: number): void
  /** One more file or object is done, or so many. */
  done(more?: number): void
  stop(): void
}

const TERMINAL_MS = 200
const JSON_MS = 500
const PLAIN_MS = 30_000

/** @param what - the unit of what is counted, such as `file` */
export function startProgress(output: Output, what: string): Progress {
  const started = performance.now()
  let path: Uint8Array | undefined
  let files = 0
  let bytes = 0
  let expectedFiles = 0
  let expectedBytes = 0

  const line = (): string => {
    const elapsed = performance.now() - started
    const rate = elapsed < 100 ? 0 : (bytes / elapsed) * 1000
    const left = expectedBytes > bytes && rate > 0 ? `, ${duration(((expectedBytes - bytes) / rate) * 1000)} left` : ''
    const of = expectedBytes > 0 ? ` of about ${size(expectedBytes)}` : ''
    const parts = [
      ...(files > 0 ? [count(files, what)] : []),
      // Work that moves no bytes, or none yet, is known by its time.
      ...(bytes > 0 || expectedBytes > 0 ? [`${size(bytes)}${of}, ${size(rate)}/s${left}`] : [`${duration(elapsed)} so far`]),
    ]
    return `${parts.join(', ')}${path === undefined ? '' : `  ${displayPath(path)}`}`
  }
  const event = (): void => {
    output.json({
      type: 'status',
      files_done: files,
      bytes_done: bytes,
      ...(expectedBytes > 0 ? { total_files: expectedFiles, total_bytes: expectedBytes } : {}),
      seconds_elapsed: (performance.now() - started) / 1000,
    })
  }

  const isShown = !output.isQuiet || output.isJson
  const every = output.isJson ? JSON_MS : output.isTerminal ? TERMINAL_MS : PLAIN_MS
  const tick = output.isJson ? event : output.isTerminal ? () => output.status(line()) : () => output.info(line())
  const timer = isShown ? setInterval(tick, every) : undefined
  timer?.unref()
  const takeBack = answerStatus(() => output.warn(line()))
  return {
    expect(newFiles, newBytes) {
      expectedFiles = newFiles
      expectedBytes = newBytes
    },
    file: (newPath) => {
      path = newPath
    },
    bytes: (more) => {
      bytes += more
    },
    done: (more = 1) => {
      files += more
    },
    stop() {
      clearInterval(timer)
      takeBack()
      if (output.isTerminal && isShown && !output.isJson) output.status('')
    },
  }
}
