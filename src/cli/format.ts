/** Numbers, sizes, times and tables as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${bytes} B` : `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ${UNITS[unit]}`
}

/** `1,234,567`; the language library would take 20 ms to load for it. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${grouped(value)} ${value === 1 ? one : many}`
}

export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`
  const minutes = Math.floor(seconds / 60)
  const rest = `${String(Math.floor(seconds % 60)).padStart(2, '0')} s`
  return minutes < 60 ? `${minutes} min ${rest}` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

export function ratio(a: number, b: number): string {
  return b === 0 ? '–' : `${(a / b).toFixed(2)}×`
}

// What Unicode calls wide; of the rest of the pictures those that are drawn in colours by themselves.
const WIDE = /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|(?![\u{1f1e6}-\u{1f1ff}])\p{Emoji_Presentation}/u
const NONE = /[\p{Mn}\p{Me}\u1160-\u11ff\u200b-\u200d\u2060\ufeff]/u

/** Columns that text takes on a terminal. */
export function columns(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let sum = 0
  for (const character of text) sum += WIDE.test(character) ? 2 : NONE.test(character) ? 0 : 1
  return sum
}

/** The beginning of a text that fits. */
export function fitted(text: string, most: number): string {
  if (columns(text) <= most) return text
  let [left, end] = [most - 1, 0]
  for (const character of text) {
    left -= columns(character)
    if (left < 0) break
    end += character.length
  }
  return `${text.slice(0, end)}…`
}

/** Columns as wide as their widest cell; the last one is left as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => columns(row[column] ?? ''))))
  return all.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat(widths[column]! - columns(cell)))).join('  ').trimEnd()).join('\n')
}

const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i

/** 1024-based `K M G T`; undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim())
  if (match === null) return undefined
  const power = ['', 'K', 'M', 'G', 'T'].indexOf(match[2]!.toUpperCase())
  return Math.round(Number(match[1]) * 1024 ** power)
}

const DURATION_PART = /(\d+(?:\.\d+)?)(d|h|min|s)/y
const PART_MS = { d: 86_400_000, h: 3_600_000, min: 60_000, s: 1000 } as const

/** Milliseconds of `7d`, `36h`, `1d12h`, `90min`; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  let ms = 0
  let at = 0
  for (DURATION_PART.lastIndex = 0; at < text.length; at = DURATION_PART.lastIndex) {
    const match = DURATION_PART.exec(text)
    if (match === null) return undefined
    ms += Number(match[1]) * PART_MS[match[2] as keyof typeof PART_MS]
  }
  return text === '' || ms > 1e14 ? undefined : ms
}
