/** What each rule of a backup's filter took: with -v every path as it is met, and at the end how many. */
import { type Taken, textFields } from '../index.ts'
import { display, displayPath } from './display.ts'
import { grouped } from './format.ts'
import type { Output } from './output.ts'

export interface ExcludedCounts {
  take(path: Uint8Array, taken: Taken): void
  tell(): void
}

export function excludedCounts(output: Output): ExcludedCounts {
  const counts = new Map<string, number>()
  return {
    take(path, { rule, origin }) {
      if (!output.isVerbose) return
      if (output.isJson) return output.json({ type: 'excluded', ...textFields('path', path), rule, origin })
      const shown = `${display(origin)}${rule === '' ? '' : ` ${display(rule)}`}`
      counts.set(shown, (counts.get(shown) ?? 0) + 1)
      output.info(`excluded ${displayPath(path)} (${shown})`)
    },
    tell() {
      for (const [rule, times] of counts) output.info(`${rule} took ${grouped(times)}`)
    },
  }
}
