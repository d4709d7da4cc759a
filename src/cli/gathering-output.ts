/** An output whose lines somebody else shows: the same words on a page of a screen. */
import type { Output } from './output.ts'

/** Lines that are kept; of a million problems nobody reads more. */
const LINES_MOST = 1000

export interface GatheredOutput extends Output {
  lines(): string[]
}

/** @param onStatus - told of the line that tells how far it is */
export function gatheringOutput(onStatus: (text: string) => void): GatheredOutput {
  const gathered: string[] = []
  let more = 0
  const add = (text: string): void => {
    if (gathered.length < LINES_MOST) gathered.push(text)
    else more++
  }
  return {
    isJson: false,
    isQuiet: false,
    isVerbose: false,
    isTerminal: true,
    result: add,
    bytes: () => undefined,
    json: () => undefined,
    info: add,
    warn: add,
    status: (text) => {
      if (text !== '') onStatus(text)
    },
    divert: () => () => undefined,
    lines: () => (more === 0 ? gathered : [...gathered, `(and ${more} more lines)`]),
  }
}
