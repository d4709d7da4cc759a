/**
 * A fuzzer that is guided by coverage: inputs that make the program go where none went before are kept,
 * and the next ones are made of them. What was covered is asked of V8 (precise coverage by block), a
 * batch at a time; of a batch that went somewhere new each input is run once more.
 */
import { type Profiler, Session } from 'node:inspector'
import type { Random } from '../support/torture.ts'

export interface FuzzTarget {
  /** Must return, or throw what it may throw. */
  run(input: Uint8Array): void
  /** Valid inputs to begin with. */
  readonly seeds: readonly Uint8Array[]
}

export interface FuzzResult {
  readonly inputs: number
  /** Inputs that went where none did before, those given aside. */
  readonly found: number
}

const BATCH = 64
const INPUT_BYTES_MOST = 4096
/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1f, 0x3b, 0x5b, 0x7f, 0x80, 0x9b, 0xbb, 0xdb, 0xfb, 0xfe, 0xff]

export function fuzz({ run, seeds }: FuzzTarget, inputs: number, random: Random): FuzzResult {
  const coverage = startCoverage()
  const corpus = [...seeds]
  try {
    seeds.forEach(run)
    coverage.takeNew()
    for (let done = 0; done < inputs; done += BATCH) {
      const batch = Array.from({ length: BATCH }, () => mutated(random.pick(corpus), corpus, random))
      batch.forEach(run)
      if (!coverage.takeNew()) continue
      // What of it was new counts as seen by now: it is told again by being forgotten first.
      coverage.forgetLast()
      for (const input of batch) {
        run(input)
        if (coverage.takeNew()) corpus.push(input)
      }
    }
  } finally {
    coverage.stop()
  }
  return { inputs, found: corpus.length - seeds.length }
}

function mutated(input: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = new Uint8Array(input)
  for (let changes = 1 + random.below(4); changes > 0; changes--) bytes = changed(bytes, corpus, random)
  return bytes.subarray(0, INPUT_BYTES_MOST)
}

function changed(bytes: Uint8Array<ArrayBuffer>, corpus: readonly Uint8Array[], random: Random): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1)
  const length = random.below(Math.min(16, bytes.length - at + 1))
  const before = bytes.subarray(0, at)
  const after = bytes.subarray(at + length)
  switch (random.below(6)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
      return bytes
    case 1:
      if (at < bytes.length) bytes[at] = random.pick(EDGES)
      return bytes
    case 2:
      return joined(before, after)
    case 3:
      return joined(before, bytes.subarray(at, at + length), bytes.subarray(at))
    case 4: {
      const other = random.pick(corpus)
      const from = random.below(other.length + 1)
      return joined(before, other.subarray(from, from + random.below(64)), after)
    }
    default:
      return joined(before, Uint8Array.from({ length: 1 + random.below(9) }, () => random.pick(EDGES)), after)
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts))
}

interface Coverage {
  /** Whether a block of the program was entered that none of the calls before entered. */
  takeNew(): boolean
  forgetLast(): void
  stop(): void
}

function startCoverage(): Coverage {
  const session = new Session()
  session.connect()
  const ask = <T>(method: string, params: object = {}): T => {
    let answer: T | undefined
    session.post(method, params, (error: Error | null, result?: object) => {
      if (error !== null) throw error
      answer = result as T
    })
    return answer!
  }
  ask('Profiler.enable')
  ask('Profiler.startPreciseCoverage', { callCount: false, detailed: true })
  const seen = new Set<string>()
  let last: string[] = []
  return {
    takeNew() {
      last = []
      const { result } = ask<Profiler.TakePreciseCoverageReturnType>('Profiler.takePreciseCoverage')
      for (const { url, functions } of result) {
        if (!url.includes('/src/')) continue
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            // A block that was not entered is told too: it is the one beside it that is new.
            const key = `${url}:${startOffset}:${endOffset}:${Math.min(1, count)}`
            if (seen.has(key)) continue
            seen.add(key)
            last.push(key)
          }
        }
      }
      return last.length > 0
    },
    forgetLast: () => last.forEach((key) => seen.delete(key)),
    stop() {
      ask('Profiler.stopPreciseCoverage')
      session.disconnect()
    },
  }
}
