/**
 * A command that runs for long may well collect garbage more often. V8 lets 20 MB that are in use
 * grow to 80 before it looks; told to look at a third more, a backup of a million files takes
 * less at its peak. Most commands are over before that matters.
 */
import { setFlagsFromString } from 'node:v8'

const LONG_MS = 3000

export function expectLongRun(): void {
  setTimeout(() => setFlagsFromString('--heap-growing-percent=30'), LONG_MS).unref()
}
