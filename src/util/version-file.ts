/** Name and version of the program, as it signs what it makes. */
import { readFileSync } from 'node:fs'

let version: string | undefined

/** From package.json, two folders up from `src/util` and `dist/util` alike. */
export function programVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
    version = (JSON.parse(text) as { version: string }).version
  }
  return version
}
