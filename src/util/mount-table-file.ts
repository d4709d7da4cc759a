/** What is mounted where, as the kernel tells it; it is asked without touching any of it. */
import { readFileSync } from 'node:fs'

export interface MountEntry {
  readonly path: Uint8Array
  readonly type: string
  readonly source: string
  /** `major:minor` of what is mounted. */
  readonly device: string
}

/** The last that covers a path comes last. */
export function readMountTable(): MountEntry[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo').toString('latin1'))
}

/** Lines of: id, parent, device, root, path, options, any number of fields, `-`, type, source, options. */
export function parseMountTable(text: string): MountEntry[] {
  return text.split('\n').filter((line) => line !== '').map((line): MountEntry => {
    const fields = line.split(' ')
    const dash = fields.indexOf('-', 6)
    return { path: unescaped(fields[4] ?? ''), type: fields[dash + 1] ?? '', source: Buffer.from(unescaped(fields[dash + 2] ?? '')).toString(), device: fields[2] ?? '' }
  })
}

/** Blanks, line ends and backslashes stand as three octal digits. */
function unescaped(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))), 'latin1'))
}
